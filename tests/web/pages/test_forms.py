"""Forms that come back: with what was typed, without the password, each error at its field."""

from __future__ import annotations

import pytest

from tests.web.pages.browser import Browser, Forms
from tests.web.site import PASSWORD

SECRET = "Tr0ub4dor&3-of-ada"


def test_a_taken_name(ada):
    """409, the API's sentence at the field, once, and names as links."""
    answer = Browser(ada.site).sign_up("ADA", SECRET)
    assert answer.status_code == 409
    page = answer.text
    assert 'value="ADA"' in page
    assert SECRET.partition("&")[0] not in page
    assert 'aria-invalid="true"' in page
    assert 'aria-describedby="do_sign_up-username-hint do_sign_up-username-errors"' in page
    assert page.count("A user with that username already exists.") == 1
    assert "autofocus" in page.partition('value="ADA"')[2].partition(">")[0]
    assert "<title>Error: Sign up" in page
    assert page.count('href="/sign-up?username=') == 5


def test_every_reason_at_once(anybody):
    """Of the name and of the password, each at its own field."""
    page = anybody.sign_up("a b@", "x").text
    for name in ("username", "password"):
        assert f'id="do_sign_up-{name}-errors"' in page
    assert page.count("autofocus") == 1
    assert 'value="a b@"' in page


@pytest.mark.parametrize("typed", ['"><script>alert(1)</script>', "{{ 7*7 }}", "'", "&lt;"])
def test_what_was_typed_is_text(anybody, typed):
    page = anybody.sign_up(typed).text
    assert "<script>alert" not in page
    assert "49" not in Forms(page).found[-1].fields["username"]
    found = next(form for form in Forms(page).found if form.action == "/sign-up")
    assert found.fields["username"] == typed


def test_wrong_password(ada):
    """401 as the API has it, in the same words whoever it is."""
    browser = Browser(ada.site)
    for name in ("ada", "nobody"):
        answer = browser.sign_in(name, SECRET)
        assert answer.status_code == 401
        assert "The username or the password is wrong." in answer.text
        assert f'value="{name}"' in answer.text
        assert SECRET.partition("&")[0] not in answer.text


def test_wrong_current_password(ada):
    typed = {"current_password": SECRET, "new_password": SECRET + "!"}
    answer = ada.send("/account", "/account/password", typed)
    assert answer.status_code == 403
    assert 'id="do_change_password-current_password-errors"' in answer.text
    assert SECRET.partition("&")[0] not in answer.text
    answer = ada.send("/account", "/account/password", {**typed, "new_password": "x"})
    assert answer.status_code == 422
    assert 'id="do_change_password-new_password-errors"' in answer.text


def test_a_team_s_name_is_taken(ada):
    answer = ada.send("/account", "/account/teams", {"name": "ADA"})
    assert answer.status_code == 409
    assert 'id="do_create_team-name-errors"' in answer.text
    link = answer.text.partition('href="/account?name=')[2].partition('"')[0]
    assert link
    assert f'value="{link}"' in ada.get(f"/account?name={link}").text


@pytest.mark.parametrize(
    ("path", "said"),
    [("/sign-up", "A username is required."), ("/sign-in", "You could not be signed in.")],
)
def test_nothing_typed(anybody, path, said):
    answer = anybody.send(path, path, {})
    assert 400 <= answer.status_code < 500
    assert answer.mimetype == "text/html"
    assert said in answer.text


def test_too_much_typed(anybody):
    answer = anybody.sign_up("ada", "x" * 70_000)
    assert answer.status_code == 413
    assert answer.mimetype == "text/html"


# --- other sites ---------------------------------------------------------------

FORMS = [
    ("/account", "/sign-out", {}),
    ("/account", "/account/teams", {"name": "rockets"}),
    (
        "/account",
        "/account/password",
        {"current_password": PASSWORD, "new_password": "another good one"},
    ),
    ("/account", "/account/sessions/end", {"session": "all"}),
    ("/account/delete", "/account/delete", {"username": "ada"}),
]


@pytest.mark.parametrize(("page", "action", "typed"), FORMS)
def test_forged_forms_change_nothing(ada, page, action, typed):
    """No token, rubbish, another session's, one for who is not logged in: 403."""
    eve = Browser(ada.site)
    before = eve.form("/sign-in", "/sign-in").fields["csrf_token"]
    eve.sign_up("eve")
    theirs = eve.form("/account", "/sign-out").fields["csrf_token"]
    mine = ada.form(page, action).fields["csrf_token"]
    for token in ("", "x", ".", "\u00e9.x", theirs, before, mine[:-1]):
        answer = ada.post(action, {**typed, "csrf_token": token})
        assert answer.status_code == 403
        assert answer.mimetype == "text/html"
    assert ada.post(action, typed).status_code == 403
    assert ada.is_signed_in()
    assert ada.site.get("/teams").get_json()["items"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://localhost.evil.example"},
    ],
)
def test_what_the_browser_says_of_another_site(ada, headers):
    """Even with a good token: nothing is done, and nothing typed is shown."""
    answer = ada.send("/account", "/sign-out", {}, **headers)
    assert answer.status_code == 403
    assert "another site" in answer.text
    assert ada.is_signed_in()


@pytest.mark.parametrize(
    "headers",
    [{"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}, {"Origin": "http://localhost"}],
)
def test_what_it_says_of_this_one(ada, headers):
    assert ada.send("/account", "/sign-out", {}, **headers).location == "/sign-in"


@pytest.mark.parametrize("path", ["/sign-up", "/sign-in"])
def test_nobody_is_logged_in_by_another_site(ada, path):
    """Login CSRF: a form that was made in another browser is refused, and comes back."""
    eve, victim = Browser(ada.site), Browser(ada.site)
    theirs = eve.form(path, path).fields["csrf_token"]
    typed = {"username": "ada" if path == "/sign-in" else "grace", "password": PASSWORD}
    answer = victim.get(path)
    for token in ("", theirs):
        answer = victim.post(path, {**typed, "csrf_token": token})
        assert answer.status_code == 403
        assert f'value="{typed["username"]}"' in answer.text
        assert not victim.is_signed_in()
    form = next(one for one in Forms(answer.text).found if one.action == path)
    again = victim.post(path, {**form.fields, "password": PASSWORD})
    assert again.status_code == 303
    assert victim.is_signed_in()


def test_a_form_from_before_the_login(ada):
    """Opened in a second tab before the login of the first: it still works."""
    browser = Browser(ada.site)
    form = browser.form("/sign-in", "/sign-in")
    browser.sign_in("ada")
    typed = {**form.fields, "username": "ada", "password": PASSWORD}
    assert browser.post("/sign-in", typed).location == "/account"


def test_a_forged_form_is_no_wrong_password(make_site):
    """Another site cannot use up somebody's tries."""
    site = make_site(
        password="required", argon2_memory_kib="64", rate_limits="account_source=2/hour"
    )
    browser = Browser(site)
    browser.sign_up("ada")
    victim = Browser(site)
    for _ in range(5):
        victim.post("/sign-in", {"username": "ada", "password": "x"})
    assert victim.sign_in("ada").status_code == 303


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/@Ada", "/@Ada"),
        ("/account?x=1", "/account?x=1"),
        ("//evil.example", "/account"),
        ("/\\evil.example", "/account"),
        ("https://evil.example/", "/account"),
        ("javascript:alert(1)", "/account"),
        ("/\t/evil.example", "/account"),
        ("/%09/evil.example", "/%09/evil.example"),
        ("\n//evil.example", "/account"),
        ("evil.example", "/account"),
        ("", "/account"),
    ],
)
def test_next_leads_nowhere_else(ada, wanted, reached):
    browser = Browser(ada.site)
    typed = {"username": "ada", "password": PASSWORD, "next": wanted}
    assert browser.send("/sign-in", "/sign-in", typed).location == reached
    assert ada.client.get("/sign-in", query_string={"next": wanted}).location == reached
