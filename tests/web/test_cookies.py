"""Tokens as cookies, for pages."""

from __future__ import annotations

import pytest

from tests.web.people import Person, newcomer
from tests.web.site import problem

HTTPS = "https://localhost"


@pytest.fixture
def ada(make_site) -> Person:
    """Somebody whose browser has cookies and whose requests carry no token."""
    site = make_site(password="required", argon2_memory_kib="64", pages="off")
    person = newcomer(site)
    answer = person.login(cookies=True)
    assert answer.status_code == 200
    assert answer.get_json().keys() == {"csrf_token", "expires_in"}
    return person


def csrf(person: Person) -> dict[str, str]:
    return {"X_CSRF_Token": person.tokens["csrf_token"]}


def attributes(line: str) -> dict[str, str]:
    """Name, value and attributes of a Set-Cookie."""
    first, *others = line.split("; ")
    name, _, value = first.partition("=")
    found = dict(part.partition("=")[::2] for part in others)
    return {"name": name, "value": value, **found}


def set_cookies(answer) -> dict[str, dict[str, str]]:
    found = map(attributes, answer.headers.getlist("Set-Cookie"))
    return {cookie["name"]: cookie for cookie in found}


def test_scripts_cannot_read_the_tokens(ada):
    """HttpOnly and Lax; the refresh token goes to /refresh alone, and only the CSRF token shows.

    Where there are pages it goes to them too: tests/web/pages.
    """
    found = set_cookies(ada.login(cookies=True))
    assert found.keys() == {"dibs_access", "dibs_refresh", "dibs_csrf"}
    assert all(cookie["SameSite"] == "Lax" for cookie in found.values())
    assert {name for name, cookie in found.items() if "HttpOnly" not in cookie} == {"dibs_csrf"}
    assert {name: cookie["Path"] for name, cookie in found.items()} == {
        "dibs_access": "/",
        "dibs_refresh": "/refresh",
        "dibs_csrf": "/",
    }
    assert not any("Secure" in cookie or "Domain" in cookie for cookie in found.values())


def test_https_has_names_that_nobody_else_can_set(ada):
    """`__Host-` and `__Secure-` (RFC 6265bis): both need Secure, the first also Path=/."""
    body = {"username": "ada", "password": "correct horse battery", "cookies": True}
    client = ada.site.app.test_client()
    answer = client.post("/login", json=body, base_url=HTTPS)
    found = set_cookies(answer)
    assert found.keys() == {"__Host-dibs_access", "__Secure-dibs_refresh", "__Host-dibs_csrf"}
    assert all("Secure" in cookie and "Domain" not in cookie for cookie in found.values())
    assert client.get("/users/me", base_url=HTTPS).status_code == 200
    headers = {"X-CSRF-Token": answer.get_json()["csrf_token"]}
    assert client.post("/refresh", base_url=HTTPS, headers=headers).status_code == 200
    assert client.post("/logout", base_url=HTTPS, headers=headers).status_code == 200
    assert client.get("/users/me", base_url=HTTPS).status_code == 401


def test_a_plain_cookie_is_not_believed_with_https(ada):
    """One that was planted over http."""
    token = ada.site.client.get_cookie("dibs_access")
    assert token is not None
    client = ada.site.app.test_client()
    client.set_cookie("dibs_access", token.value)
    problem(client.get("/users/me", base_url=HTTPS), 401, "unauthenticated")


def test_reading_needs_the_cookie_alone(ada):
    assert ada.ask("GET", "/users/me").get_json()["username"] == "ada"
    assert ada.ask("GET", "/sessions").status_code == 200


UNSAFE = [
    ("POST", "/logout"),
    ("POST", "/logout/all"),
    ("POST", "/refresh"),
    ("PATCH", "/users/me"),
    ("DELETE", "/users/me"),
    ("POST", "/teams"),
    ("DELETE", "/sessions/x"),
    ("PUT", "/teams/x/members/y"),
    ("DELETE", "/teams/x/members/y"),
]


@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_changing_needs_the_csrf_token(ada, method, path):
    """No header, another's, a made-up one and a non-ASCII one: 403, and nothing has changed."""
    other = newcomer(ada.site, "grace")
    stranger = other.site.app.test_client()
    body = {"username": "grace", "password": "correct horse battery", "cookies": True}
    theirs = stranger.post("/login", json=body).get_json()["csrf_token"]
    mine = ada.tokens["csrf_token"]
    planted = [{}, *({"X_CSRF_Token": one} for one in ("", "x", ".", theirs, mine[:-1], "\u00e9"))]
    for headers in planted:
        problem(ada.ask(method, path, **headers), 403, "csrf")
    assert ada.ask("GET", "/users/me").status_code == 200


@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_with_the_csrf_token_it_is_let_in(ada, method, path):
    assert ada.ask(method, path, **csrf(ada)).status_code != 403


def test_a_planted_cookie_helps_nobody(ada):
    """A neighbouring subdomain may set a cookie equal to the header it makes a page send."""
    ada.site.client.set_cookie("dibs_csrf", "x.y")
    problem(ada.ask("POST", "/logout", X_CSRF_Token="x.y"), 403, "csrf")


def test_a_bearer_token_needs_none(ada):
    """No page can make a browser send one; and it counts, not the cookie."""
    with_token = Person(ada.site, "ada")
    client = ada.site.app.test_client()
    body = {"username": "ada", "password": "correct horse battery"}
    with_token.tokens = client.post("/login", json=body).get_json()
    assert with_token.ask("POST", "/logout").status_code == 200
    assert ada.ask("GET", "/users/me").status_code == 200


def test_a_bad_header_is_not_saved_by_a_cookie(ada):
    problem(ada.ask("GET", "/users/me", Authorization="Bearer x"), 401, "token_invalid")


def test_refresh_by_cookie(ada):
    """New cookies, and no token where a script could read it."""
    before = ada.site.client.get_cookie("dibs_refresh", path="/refresh")
    answer = ada.ask("POST", "/refresh", **csrf(ada))
    assert answer.get_json().keys() == {"csrf_token", "expires_in"}
    assert answer.headers["Cache-Control"] == "no-store"
    after = ada.site.client.get_cookie("dibs_refresh", path="/refresh")
    assert before
    assert after
    assert before.value != after.value
    assert ada.ask("POST", "/logout", **csrf(ada)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/logout", None),
        ("POST", "/logout/all", None),
        ("DELETE", "/users/me", None),
        (
            "PATCH",
            "/users/me",
            {"password": "another good one", "current_password": "correct horse battery"},
        ),
    ],
)
def test_the_end_takes_the_cookies(ada, method, path, body):
    answer = ada.ask(method, path, body, **csrf(ada))
    assert answer.status_code in (200, 204)
    assert {cookie["Max-Age"] for cookie in set_cookies(answer).values()} == {"0"}
    assert ada.site.client.get_cookie("dibs_access") is None
    assert ada.site.client.get_cookie("dibs_refresh", path="/refresh") is None


def test_cookies_of_an_ended_session_are_nobodys(ada):
    """A browser sends them unasked: public pages stay open, the rest asks for a login."""
    ada.site.parts.accounts.logins.logout_all(ada.id, deadline=ada.site.parts.budget.start())
    assert ada.ask("GET", "/users").status_code == 200
    problem(ada.ask("GET", "/users/me"), 401, "unauthenticated")
    assert ada.login(cookies=True).status_code == 200
    assert ada.ask("GET", "/users/me").status_code == 200


@pytest.mark.parametrize("value", ["", "x", "a.b.c", '"\\303\\251"', "\xff", "x" * 100_000])
def test_a_cookie_of_rubbish(ada, value):
    client = ada.site.app.test_client(use_cookies=False)
    sent = {"Cookie": f"dibs_access={value}; dibs_refresh={value}"}
    problem(client.get("/users/me", headers=sent), 401, "unauthenticated")
    problem(client.post("/refresh", headers=sent), 403, "csrf")
