"""Who reads a page: known by cookies alone, also after five minutes without a script."""

from __future__ import annotations

from tests.web.pages.browser import Browser, member
from tests.web.site import PASSWORD
from tests.web.test_cookies import set_cookies

HTTPS = "https://localhost"


def test_an_access_token_that_is_over_is_no_end(ada):
    """The page exchanges the refresh token itself, and the browser gets the new pair."""
    before = ada.cookie("dibs_refresh")
    ada.forget_access()
    answer = ada.get("/account")
    assert answer.status_code == 200
    found = set_cookies(answer)
    assert {"dibs_access", "dibs_refresh", "dibs_csrf"} <= found.keys()
    assert found["dibs_refresh"]["value"] != before
    assert found["dibs_refresh"]["Path"] == "/"
    assert "HttpOnly" in found["dibs_refresh"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert not set_cookies(ada.get("/account"))


def test_a_form_that_was_open_meanwhile_is_sent(ada):
    form = ada.form("/account", "/account/teams")
    ada.forget_access()
    answer = ada.post(form.action, {**form.fields, "name": "rockets"})
    assert answer.location == "/@rockets"
    assert "dibs_refresh" in set_cookies(answer)


def test_pages_opened_side_by_side(ada):
    """All came with the same token, good for once: everybody is served, and the session lives."""
    ada.forget_access()
    refresh = ada.cookie("dibs_refresh")
    csrf = ada.cookie("dibs_csrf")
    client = ada.site.app.test_client(use_cookies=False)
    sent = {"Cookie": f"dibs_refresh={refresh}; dibs_csrf={csrf}"}
    answers = [client.get("/account", headers=sent) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4
    exchanged = [set_cookies(answer).get("dibs_refresh", {}).get("value") for answer in answers]
    assert exchanged[0] == exchanged[1]  # the one repetition
    assert exchanged[2:] == [None, None]
    after = {"Cookie": f"dibs_refresh={exchanged[0]}; dibs_csrf={csrf}"}
    assert client.get("/account", headers=after).status_code == 200


def test_a_planted_refresh_token_logs_nobody_in(ada):
    """A neighbour sets the cookie of her own session; she cannot set the CSRF token with it."""
    client = ada.site.app.test_client(use_cookies=False)
    refresh = ada.cookie("dibs_refresh")
    eve = member(ada.site, "eve")
    theirs = eve.cookie("dibs_csrf")
    for csrf in ("", "x.y", theirs):
        sent = {"Cookie": f"dibs_refresh={refresh}; dibs_csrf={csrf}"}
        assert client.get("/account", headers=sent).status_code == 303
    assert ada.is_signed_in()


def test_with_tls_every_cookie_is_of_this_very_host(paged):
    """`__Host-`: no neighbouring subdomain can set one."""
    browser = Browser(paged, HTTPS)
    found = set_cookies(browser.get("/sign-in"))
    assert found.keys() == {"__Host-dibs_form"}
    found = set_cookies(browser.sign_up("ada"))
    named = {"__Host-dibs_access", "__Host-dibs_refresh", "__Host-dibs_csrf"}
    assert named <= found.keys()
    assert all("Secure" in one and one["SameSite"] == "Lax" for one in found.values())
    assert all("HttpOnly" in found[name] for name in found.keys() - {"__Host-dibs_csrf"})
    browser.forget_access()
    assert browser.is_signed_in()
    gone = set_cookies(browser.send("/account", "/sign-out", {}))
    assert {name for name, one in gone.items() if one.get("Max-Age") == "0"} == named


def test_a_session_that_was_ended_elsewhere(ada):
    """Also one whose access token is over: told in words, its cookies taken away."""
    other = Browser(ada.site)
    other.sign_in("ada")
    ada.send("/account", "/account/sessions/end", {"session": "all"})
    other.forget_access()
    answer = other.get("/account")
    assert answer.location == "/sign-in?next=/account"
    assert set_cookies(answer)["dibs_refresh"]["Max-Age"] == "0"
    assert "This session has ended." in other.get(answer.location).text
    assert other.sign_in("ada", path=answer.location).location == "/account"


def test_a_form_of_a_session_that_has_ended(ada):
    """Nothing is done, and she is asked to log in."""
    other = Browser(ada.site)
    other.sign_in("ada")
    form = other.form("/account", "/account/teams")
    ada.send("/account", "/account/sessions/end", {"session": "all"})
    answer = other.post(form.action, {**form.fields, "name": "rockets"})
    assert answer.location == "/sign-in"
    assert ada.site.get("/teams").get_json()["items"] == []


def test_another_login_ends_the_one_before(ada):
    """Whose cookies it replaces: nobody could end that later."""
    form = ada.form("/account/delete", "/sign-out")
    before = ada.cookie("dibs_refresh")
    other = Browser(ada.site)
    other.sign_up("grace")
    typed = {**form.fields, "username": "grace", "password": PASSWORD}
    assert ada.post("/sign-in", typed).status_code == 303
    answer = other.site.client.post("/refresh", headers={"Authorization": f"Bearer {before}"})
    assert answer.get_json()["code"] == "session_ended"


def test_rubbish_is_nobody(paged):
    client = paged.app.test_client(use_cookies=False)
    for value in ("", "x", "a.b.c", "\xff", "x" * 10_000):
        sent = {"Cookie": f"dibs_access={value}; dibs_refresh={value}; dibs_csrf={value}"}
        assert client.get("/account", headers=sent).status_code == 303
        sent["Cookie"] += f"; dibs_form={value}; dibs_notice={value}; dibs_language={value}"
        assert client.get("/sign-in", headers=sent).status_code == 200


def test_the_api_asks_for_the_header_as_ever(ada):
    """A hidden field is for pages: a route of the API is not opened by it."""
    form = ada.form("/account", "/sign-out")
    assert ada.post("/logout", form.fields).status_code == 403
    assert ada.is_signed_in()


def test_a_form_of_another_session_than_the_one_that_goes_on(ada):
    """An access token of a session that has ended, which the form is of, beside another's refresh.

    The form was looked at by the one and would be done by the other.
    """
    eve = member(ada.site, "eve")
    form = ada.form("/account", "/account/teams")
    access = ada.cookie("dibs_access")
    ada.send("/account", "/account/sessions/end", {"session": "all"})
    eve.client.set_cookie("dibs_access", access)
    answer = eve.post(form.action, {**form.fields, "name": "rockets"})
    assert answer.status_code == 403
    assert "This page was open for too long" in answer.text
    assert ada.site.get("/teams").get_json()["items"] == []
    # The page that came back has a form of hers, and that one is done.
    again = eve.form("/account", "/account/teams")
    assert eve.post(again.action, {**again.fields, "name": "rockets"}).location == "/@rockets"
