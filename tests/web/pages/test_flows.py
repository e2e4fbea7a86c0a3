"""What people do on the pages, from end to end, in a browser without scripts."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from sqlalchemy import text

from tests.web.pages.browser import Browser, Forms, member
from tests.web.people import long_ago
from tests.web.site import PASSWORD


def test_sign_up_sign_out_and_in_again(paged):
    browser = Browser(paged)
    answer = browser.sign_up("Ada")
    assert (answer.status_code, answer.location) == (303, "/account")
    page = browser.get("/account").text
    assert "Registration successful." in page
    assert "<bdi>Ada</bdi>" in page
    assert "Registration successful." not in browser.get("/account").text
    assert browser.send("/account", "/sign-out", {}).location == "/sign-in"
    assert "You are signed out." in browser.get("/sign-in").text
    assert not browser.is_signed_in()
    assert browser.sign_in("ADA").location == "/account"
    assert browser.is_signed_in()


def test_who_is_there_is_sent_on(ada):
    """Home and the forms know who is logged in."""
    assert ada.get("/sign-in").location == "/account"
    assert ada.get("/sign-up").location == "/account"
    assert "Go to your account" in ada.get("/").text


def test_a_name_is_asked_about_without_a_script(anybody, ada):
    """Free, taken with names to follow, and refused by a rule: in the words of the API."""
    assert "<bdi>grace</bdi> is free." in anybody.get("/sign-up?username=grace").text
    page = anybody.get("/sign-up?username=ada").text
    assert "A user with that username already exists." in page
    names = [one for one in page.split('href="') if one.startswith("/sign-up?username=")]
    assert len(names) == 5
    picked = anybody.form(names[0].partition('"')[0].replace("&amp;", "&"), "/sign-up")
    assert picked.fields["username"]
    reason = anybody.site.get("/usernames/a%20b").get_json()["message"]
    assert reason.partition(":")[0] in anybody.get("/sign-up?username=a%20b").text


def test_without_passwords(make_site):
    """Names alone: nobody can log in, so nobody is asked to."""
    browser = Browser(make_site(password="off"))
    page = browser.get("/sign-up").text
    assert 'name="password"' not in page
    assert "/sign-in" not in page + browser.get("/").text
    assert browser.send("/sign-up", "/sign-up", {"username": "ada"}).location == "/@ada"
    assert "Registration successful." in browser.get("/@ada").text


def test_a_form_sent_twice_is_one_registration(anybody):
    """By an impatient hand: the second answer is the first one's, not `taken`."""
    form = anybody.form("/sign-up", "/sign-up")
    typed = {**form.fields, "username": "ada", "password": PASSWORD}
    assert [anybody.post("/sign-up", typed).status_code for _ in range(2)] == [303, 303]
    other = Browser(anybody.site)
    assert other.sign_up("ada").status_code == 409


def test_password(ada):
    """The old one ends with every session."""
    typed = {"current_password": PASSWORD, "new_password": "another good one"}
    answer = ada.send("/account", "/account/password", typed)
    assert answer.location == "/sign-in"
    assert "The password was changed." in ada.get("/sign-in").text
    assert not ada.is_signed_in()
    assert ada.sign_in("ada").status_code == 401
    assert ada.sign_in("ada", "another good one").status_code == 303


def test_sessions(ada):
    """One is ended from another browser, which is told at its next page; then all."""
    phone = Browser(ada.site)
    phone.sign_in("ada")
    page = ada.get("/account").text
    assert page.count('name="session"') == 3
    mine = ada.get("/sessions").get_json()["items"]
    other = next(one["id"] for one in mine if not one["current"])
    answer = ada.send("/account", "/account/sessions/end", {"session": other})
    assert answer.location == "/account"
    ended = phone.get("/account")
    assert (ended.status_code, ended.location) == (303, "/sign-in?next=/account")
    assert "This session has ended." in phone.get(ended.location).text
    answer = ada.send("/account", "/account/sessions/end", {"session": "all"})
    assert answer.location == "/sign-in"
    assert not ada.is_signed_in()


@pytest.mark.parametrize("session", ["", "x", "00000000-0000-0000-0000-000000000000", "\0"])
def test_a_session_that_is_nobodys(ada, session):
    answer = ada.send("/account", "/account/sessions/end", {"session": session})
    assert answer.status_code == 404
    assert "There is no such session" in answer.text


def test_deleting_needs_the_name(ada):
    """In any spelling, since a phone writes a capital; nothing less."""
    answer = ada.send("/account/delete", "/account/delete", {"username": "ad"})
    assert answer.status_code == 422
    assert "Type the name exactly as shown above." in answer.text
    assert ada.is_signed_in()
    answer = ada.send("/account/delete", "/account/delete", {"username": "aDA"})
    assert answer.location == "/sign-up"
    assert "Your account was deleted." in ada.get("/sign-up").text
    assert ada.get("/@Ada").status_code == 404


def test_deleting_needs_the_password_later(ada):
    """Where somebody left a browser open; in the words of the form, at its field."""
    long_ago(ada.site)
    typed = {"username": "ada", "current_password": "another one"}
    answer = ada.send("/account/delete", "/account/delete", typed)
    assert answer.status_code == 403
    assert 'id="do_delete-current_password-errors"' in answer.text
    typed["current_password"] = PASSWORD
    assert ada.send("/account/delete", "/account/delete", typed).location == "/sign-up"


@pytest.mark.parametrize("typed", ["ada ", " Ada", "@ada", " @ADA "])
def test_blanks_and_the_sign_of_a_profile_are_no_part_of_a_name(ada, typed):
    """A phone's keyboard puts the one there, and people write the other."""
    assert Browser(ada.site).sign_in(typed).location == "/account"
    ada.send("/account", "/account/teams", {"name": " Rockets "})
    grace = member(ada.site, "grace ")
    add = next(f for f in Forms(ada.get("/@Rockets").text).found if f.action.endswith("/members"))
    sent = {**add.fields, "username": typed.lower().replace("ada", "grace")}
    assert ada.post(add.action, sent).location == "/@Rockets"
    assert "Leave" in grace.get("/@Rockets").text


def test_a_name_from_before_that_begins_with_the_sign_goes_before(ada):
    """It is somebody's, who signs in by it; wrong passwords of both count as one account's."""
    other = member(ada.site, "grace")
    with ada.site.parts.store.engine.begin() as connection:
        sql = "UPDATE dibs_names SET display = '@ada', canonical = '@ada', name_key = '@ada'"
        connection.execute(text(f"{sql} WHERE name_key = 'grace'"))
    assert other.is_signed_in()
    browser = Browser(ada.site)
    browser.sign_in("@ada")
    assert "<bdi>@ada</bdi>" in browser.get("/account").text


def test_a_profile_is_found_by_any_keyboard(anybody):
    member(anybody.site, "Işıl")
    assert unquote(anybody.get("/@IŞIL").location) == "/@Işıl"


def test_teams(ada):
    """Made, joined, handed over, left and ended, each by a form."""
    grace = member(ada.site, "Grace")
    answer = ada.send("/account", "/account/teams", {"name": "Rockets"})
    assert answer.location == "/@Rockets"
    assert "<bdi>Rockets</bdi>" in ada.get("/account").text
    add = next(
        form.action
        for form in Forms(ada.get("/@Rockets").text).found
        if form.action.endswith("/members")
    )
    nobody = ada.send("/@Rockets", add, {"username": "nobody-there"})
    assert nobody.status_code == 404
    assert 'value="nobody-there"' in nobody.text
    assert ada.send("/@Rockets", add, {"username": "grace"}).location == "/@Rockets"
    page = grace.get("/@Rockets").text
    assert "Leave" in page
    assert "Add a member" not in page
    user = ada.site.get("/users/by-name/ada").get_json()["id"]
    page = ada.get("/@Rockets").text
    assert "make somebody else one before you leave" in page
    assert f'action="{add}/{user}"' not in page
    token = ada.form("/@Rockets", add).fields["csrf_token"]
    leave = ada.post(f"{add}/{user}", {"csrf_token": token, "role": "none"})
    assert leave.status_code == 409
    assert "A team needs an owner" in leave.text
    other = ada.site.get("/users/by-name/grace").get_json()["id"]
    assert ada.send("/@Rockets", f"{add}/{other}", {"role": "owner"}).status_code == 303
    assert ada.send("/@Rockets", f"{add}/{user}", {"role": "none"}).location == "/account"
    end = add.replace("/members", "/end")
    assert grace.send(end, end, {"username": "x"}).status_code == 422
    assert grace.send(end, end, {"username": "rockets"}).location == "/account"
    assert grace.get("/@Rockets").status_code == 404


def test_a_team_is_not_changed_by_others(ada):
    """They are not shown the forms, and sending them all the same is refused."""
    ada.send("/account", "/account/teams", {"name": "Rockets"})
    team = ada.site.get("/teams").get_json()["items"][0]["id"]
    eve = member(ada.site, "eve")
    token = eve.form("/account", "/account/teams").fields["csrf_token"]
    typed = {"csrf_token": token, "username": "eve", "role": "owner"}
    user = ada.site.get("/users/by-name/eve").get_json()["id"]
    for path in ("members", f"members/{user}"):
        assert eve.post(f"/account/teams/{team}/{path}", typed).status_code == 403
    typed["username"] = "rockets"
    assert eve.post(f"/account/teams/{team}/end", typed).status_code == 403
    assert ada.get("/@Rockets").text.count("<li>") == ada.get("/@Rockets").text.count("</li>")
    assert "Members" not in eve.get("/@Rockets").text


@pytest.mark.parametrize("spelling", ["ada", "ADA", "\uff21da"])
def test_profiles_are_found_by_any_spelling(ada, spelling):
    answer = ada.get(f"/@{spelling}")
    assert (answer.status_code, answer.location) == (302, "/@Ada")
    assert answer.headers["Cache-Control"] == "no-store"
    page = Browser(ada.site).get("/@Ada")
    assert page.status_code == 200
    assert {"Accept-Language", "Cookie"} <= set(page.vary)


@pytest.mark.parametrize("name", ["nobody", "4da", "%00", "%FF", "a b", "x/y", "/", "x" * 300])
def test_a_name_that_nobody_has(ada, name):
    """A page in words; the look-alike of a name is nobody either."""
    answer = ada.get(f"/@{name}")
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"
    assert "Nobody has this name." in answer.text


def test_names_are_isolated(make_site):
    """A right-to-left name turns nothing around it."""
    site = make_site(password="required", argon2_memory_kib="64")
    browser = member(site, "דנה-לוי")
    for path in ("/account", "/@דנה-לוי", "/account/delete"):
        assert "<bdi>דנה-לוי</bdi>" in browser.get(path).text
