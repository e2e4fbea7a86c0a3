"""A registration that is closed: for everybody without an account, and for nothing else."""

from __future__ import annotations

import pytest

from tests.cli.terminal import Terminal
from tests.web.pages.browser import Browser
from tests.web.people import Person
from tests.web.site import PASSWORD, Site, problem


@pytest.fixture
def site(make_site) -> Site:
    """Whoever is there registered before."""
    made: Site = make_site(password="required", registration="closed")
    made.parts.registration.register(
        "Ada", PASSWORD, request=(b"before",), by_command=True, deadline=made.parts.budget.start()
    )
    return made


@pytest.fixture
def ada(site) -> Person:
    person = Person(site, "Ada")
    assert person.login().status_code == 200
    return person


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "0123456789abcdef"}])
def test_nobody_registers(site, headers):
    """By either door, and of no name anything is said."""
    for name in ("grace", "ada"):
        said = problem(site.register(name, PASSWORD, **headers), 403, "registration_closed")
        assert "suggestions" not in said
    assert [one["username"] for one in site.users()] == ["Ada"]


def test_whoever_has_an_account_goes_on(site, ada):
    problem(site.client.post("/holds", json={"username": "eve"}), 403, "registration_closed")
    assert ada.ask("POST", "/holds", {"username": "lovelace"}).status_code == 201
    assert ada.ask("POST", "/teams", {"name": "rockets"}).status_code == 201
    assert ada.ask("PATCH", "/users/me", {"username": "countess"}).status_code == 200


def test_pages_say_so(site):
    """And offer no form."""
    browser = Browser(site)
    for path, status in (("/", 200), ("/sign-up", 403), ("/sign-up?username=eve", 403)):
        page = browser.get(path)
        assert (page.status_code, "Registration is closed here." in page.text) == (status, True)
        assert 'name="username"' not in page.text
        assert "/sign-up" not in page.text.partition("<body>")[2].partition("<footer")[0]
    assert "No account yet?" not in browser.get("/sign-in").text
    token = browser.form("/sign-in", "/sign-in").fields["csrf_token"]
    typed = {"csrf_token": token, "username": "eve", "password": PASSWORD}
    assert browser.post("/sign-up", typed).status_code == 403
    assert browser.sign_in("ada").location == "/account"
    gone = browser.send("/account/delete", "/account/delete", {"username": "ada"})
    assert (gone.location, site.users()) == ("/sign-in", [])


def test_the_command_goes_on(tmp_path, monkeypatch, capsys):
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    terminal.set(registration="closed", argon2_memory_kib="8", argon2_passes="1")
    terminal.dibs("db", "upgrade")
    assert terminal.dibs("register", "ada", "--password", PASSWORD).status == 0
