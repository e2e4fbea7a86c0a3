"""What cannot be done is a page in words, with the status and the headers of the API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.backends import path_of
from tests.web.pages.browser import Browser, member
from tests.web.site import Site

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROME = f"{HTML.replace('*/*', 'image/avif,*/*')},application/signed-exchange;v=b3;q=0.7"


@pytest.mark.parametrize(
    ("method", "path", "accept", "status", "is_page"),
    [
        ("GET", "/@nobody", "*/*", 404, True),
        ("GET", "/account/nowhere", "*/*", 404, True),
        ("DELETE", "/sign-in", "application/json", 405, True),
        ("PUT", "/", "*/*", 405, True),
        ("PATCH", "/account/teams", HTML, 405, True),
        ("GET", "/nowhere", HTML, 404, True),
        ("GET", "/nowhere", CHROME, 404, True),
        ("GET", "/nowhere", "*/*", 404, False),
        ("GET", "/nowhere", "application/json, text/html;q=0.9", 404, False),
        ("GET", "/users/nobody", HTML, 404, False),
        ("GET", "/users/by-name/nobody", HTML, 404, False),
        ("GET", "/register", HTML, 405, False),
        ("PUT", "/users/me", HTML, 405, False),
        ("GET", "/users/me", HTML, 401, False),
    ],
)
def test_by_the_address_and_not_by_what_is_accepted(paged, method, path, accept, status, is_page):
    answer = paged.client.open(path, method=method, headers={"Accept": accept})
    assert answer.status_code == status
    assert answer.mimetype == ("text/html" if is_page else "application/problem+json")
    assert ("Allow" in answer.headers) == (status == 405)
    if is_page:
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "<h1>" in answer.text


@pytest.mark.parametrize(
    ("opened", "form"),
    [
        ("/account/teams", "/account"),
        ("/account/password", "/account"),
        ("/account/teams/ada/members/bob", "/account"),
        ("/sign-out", "/"),
    ],
)
def test_where_only_a_form_goes_its_page_is_opened(paged, opened, form):
    """It stands in the browser's bar after a form was refused."""
    answer = paged.get(opened, Accept=CHROME)
    assert (answer.status_code, answer.location) == (303, form)


@pytest.mark.parametrize("host", ["..", "a" * 300])
@pytest.mark.parametrize("path", ["/", "/sign-in", "/@ada", "/nowhere"])
def test_a_host_that_is_none(paged, host, path):
    """Without one no page can link to another: so it is said as the API says it."""
    answer = paged.get(path, Accept=HTML, Host=host)
    assert answer.status_code == 400
    assert answer.get_json()["code"] == "malformed"


def test_an_address_that_is_nobodys_knows_who_reads(ada):
    assert "Sign out" in ada.get("/nowhere", Accept=HTML).text


@pytest.mark.parametrize("locale", ["en", "zh", "ja"])
def test_in_the_reader_s_language(paged, locale):
    page = paged.get("/@nobody", Accept_Language=locale)
    api = paged.get("/users/nobody", Accept_Language=locale).get_json()
    assert api["title"] in page.text
    assert f'<html lang="{locale}"' in page.text
    assert page.headers["Content-Language"] == locale


def test_too_many(make_site):
    """429 with Retry-After; the form comes back with what was typed."""
    site = make_site(password="required", argon2_memory_kib="64", rate_limits="login=1/minute")
    browser = Browser(site)
    assert browser.sign_in("ada").status_code == 401
    answer = browser.sign_in("ada")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert "Too many requests." in answer.text
    assert 'value="ada"' in answer.text


def test_wrong_passwords_are_counted_as_those_of_the_api(make_site):
    """By account; and pages and API count together."""
    site = make_site(
        password="required", argon2_memory_kib="64", rate_limits="account_source=3/hour"
    )
    browser = member(site, "ada")
    other = Browser(site)
    assert [other.sign_in(name, "x").status_code for name in ("ada", "ADA")] == [401, 401]
    body = {"username": "ada", "password": "x"}
    assert site.client.post("/login", json=body).status_code == 401
    assert other.sign_in("ada").status_code == 429
    typed = {"current_password": "x", "new_password": "another good one"}
    found = [browser.send("/account", "/account/password", typed).status_code for _ in range(4)]
    assert found == [403, 403, 403, 429]


@contextmanager
def unplugged(site: Site) -> Iterator[None]:
    """A folder stands where the database was."""
    place = Path(path_of(site.parts.settings.database_url))
    aside = place.with_suffix(".aside")
    site.parts.store.engine.dispose()
    place.rename(aside)
    place.mkdir()
    try:
        yield
    finally:
        place.rmdir()
        aside.rename(place)


@pytest.mark.parametrize("path", ["/account", "/@Ada", "/sign-up?username=ada"])
def test_the_database_is_away(ada, path):
    """503 with Retry-After, in words; a form keeps what was typed."""
    form = ada.form("/account", "/account/teams")
    anybody = Browser(ada.site)
    reader = anybody if path.startswith("/sign-up") else ada
    token = anybody.form("/sign-up", "/sign-up").fields
    with unplugged(ada.site):
        answer = reader.get(path)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert "Please try again shortly" in answer.text
        assert ada.post(form.action, {**form.fields, "name": "rockets"}).status_code == 503
        typed = {**token, "username": "grace", "password": "correct horse battery"}
        answer = anybody.post("/sign-up", typed)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert 'value="grace"' in answer.text
    assert reader.get(path).status_code == 200


def test_a_bug_is_a_page_too(paged, monkeypatch):
    """500 without a trace of what went wrong."""

    def broken() -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setitem(paged.app.view_functions, "dibs_pages.sign_in", broken)
    answer = paged.get("/sign-in")
    assert answer.status_code == 500
    assert answer.mimetype == "text/html"
    assert "Something went wrong" in answer.text
    assert "secret" not in answer.text
