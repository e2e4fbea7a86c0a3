"""What a new name costs where an app has a captcha: one that is solved, and only one."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Request
from werkzeug.test import TestResponse

from dibs.state import state_of
from dibs.web.http import auth
from tests.web.pages.browser import Browser
from tests.web.people import Person
from tests.web.site import PASSWORD, Site, problem
from tests.web.test_holds import expire, hold

SOLVED = {"Captcha": "solved"}
KEY = {"Idempotency-Key": "0123456789abcdef"}


class Captcha:
    """An app's own, which counts how often it is asked."""

    def __init__(self, site: Site) -> None:
        self.asked = 0
        state_of(site.app).check_token = self

    def __call__(self, request: Request) -> bool:
        self.asked += 1
        return request.headers.get("Captcha") == "solved"


@pytest.fixture
def site(make_site) -> Site:
    made: Site = make_site(check="token", password="optional")
    return made


@pytest.fixture
def captcha(site) -> Captcha:
    return Captcha(site)


def register(site: Site, body: dict[str, Any], **headers: str) -> TestResponse:
    answer: TestResponse = site.client.post("/register", json=body, headers=headers)
    return answer


@pytest.mark.parametrize("path", ["/register", "/holds"])
@pytest.mark.parametrize("headers", [{}, {"Captcha": "wrong"}, {"Dibs-Hold-Token": "eA.x"}])
def test_without_it_nobody_gets_a_name(site, captcha, path, headers):
    """Nor hears who has one."""
    assert register(site, {"username": "grace"}, **SOLVED).status_code == 201
    for name in ("ada", "grace"):
        answer = site.client.post(path, json={"username": name}, headers=headers)
        assert "suggestions" not in problem(answer, 403, "captcha_needed")
    assert [one["username"] for one in site.users()] == ["grace"]
    answer = site.client.post(path, json={"username": "ada"}, headers=headers | SOLVED)
    assert answer.status_code == 201


def test_a_hold_has_paid_for_its_name(site, captcha):
    """While it goes on; one that is over, or somebody's guess, has not."""
    token = hold(site, "ada", **SOLVED).get_json()["hold_token"]
    other = hold(site, "eve", **SOLVED).get_json()["hold_token"]
    asked = captcha.asked
    assert register(site, {"username": "ada", "hold_token": token}).status_code == 201
    assert captcha.asked == asked
    problem(register(site, {"username": "adele", "hold_token": other}), 422, "hold_mismatch")
    expire(site)
    for wrong in (other, other[:-1] + ("1" if other[-1] == "0" else "0"), "x"):
        body = {"username": "eve", "hold_token": wrong}
        problem(register(site, body), 403, "captcha_needed")


def test_an_account_is_no_proof(site, captcha):
    """Or one captcha would make any number of them."""
    assert register(site, {"username": "ada", "password": PASSWORD}, **SOLVED).status_code == 201
    ada = Person(site, "ada")
    assert ada.login().status_code == 200
    for path in ("/register", "/holds"):
        problem(ada.ask("POST", path, {"username": "eve"}), 403, "captcha_needed")
    assert ada.ask("GET", "/usernames/eve").status_code == 200


def test_the_same_request_again_costs_nothing(site, captcha):
    """A captcha is good once, and whoever lost the answer is not to solve another."""
    body = {"username": "ada"}
    problem(register(site, body, **KEY), 403, "captcha_needed")
    first = register(site, body, **KEY, **SOLVED)
    asked = captcha.asked
    again = register(site, body, **KEY)
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert captcha.asked == asked


@pytest.mark.parametrize("body", [{}, {"username": 1}, {"username": "ada", "captcha": "solved"}])
@pytest.mark.parametrize("path", ["/register", "/holds"])
def test_what_cannot_be_read_costs_nothing(site, captcha, path, body):
    assert site.client.post(path, json=body).status_code in (400, 422)
    assert captcha.asked == 0


def test_the_form_is_no_way_round(site, captcha):
    """The page says so, and the name is still there to be had."""
    browser = Browser(site)
    typed = {"username": "ada", "password": PASSWORD}
    page = browser.send("/sign-up", "/sign-up", typed)
    assert (page.status_code, site.users()) == (403, [])
    assert "Please solve the captcha" in page.text


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/register"), ("POST", "/holds"), ("GET", "/usernames/ada")]
)
def test_a_captcha_whose_service_is_away(site, monkeypatch, caplog, method, path):
    """Nobody is let in, and everybody is told to come again; with the same key, too."""

    def away(request: Request) -> bool:
        raise ConnectionError("siteverify does not answer")

    monkeypatch.setattr(auth.log, "filters", [])  # such lines are sparse
    monkeypatch.setattr(state_of(site.app), "check_token", away)
    body = None if method == "GET" else {"username": "ada"}
    for _ in range(2):
        answer = site.client.open(path, method=method, json=body, headers=KEY)
        problem(answer, 503, "unavailable")
        assert answer.headers["Retry-After"] == "1"
    assert "siteverify does not answer" in caplog.text
    assert site.users() == []


@pytest.mark.parametrize("mode", ["open", "blind", "staff"])
def test_other_modes_ask_for_none(make_site, mode):
    site = make_site(check=mode)
    captcha = Captcha(site)
    assert site.register("ada").status_code == 201
    assert hold(site, "eve").status_code == 201
    assert captcha.asked == 0


def test_without_a_captcha_the_mode_closes_no_registration(make_site):
    """Nobody could ever sign up."""
    site = make_site(check="token")
    assert site.register("ada").status_code == 201
    assert hold(site, "eve").status_code == 201


def test_an_invitation_is_no_captcha_nor_the_other_way(make_site):
    """Who was invited solves one, too; and one that is not solved uses no invitation up."""
    site = make_site(check="token", password="optional", registration="invite")
    captcha = Captcha(site)
    ends = site.parts.budget.start()
    _, token = site.parts.registration.invite(1, 1, deadline=ends)
    body = {"username": "ada", "invitation": token}
    problem(register(site, body), 403, "captcha_needed")
    problem(register(site, {"username": "ada"}, **SOLVED), 403, "invitation_needed")
    problem(register(site, {**body, "invitation": "made-up"}, **SOLVED), 403, "invitation_refused")
    assert register(site, body, **SOLVED).status_code == 201
    problem(register(site, {**body, "username": "eve"}, **SOLVED), 403, "invitation_refused")
    assert captcha.asked > 3
