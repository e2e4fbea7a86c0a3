"""Forgotten passwords, by pages and by the API."""

from __future__ import annotations

import re
import time

import pytest

from dibs.signals import ResetRequest, reset_requested
from tests.web.limiting import ask
from tests.web.pages.browser import Browser, member
from tests.web.people import newcomer
from tests.web.site import PASSWORD, Site, problem

NEW = "another good one"
PATIENCE_S = 30.0


def codes_of(browser: Browser) -> list[str]:
    answer = browser.send("/account", "/account/codes", {"current_password": PASSWORD})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    return re.findall(r"<code>([0-9a-z-]{19})</code>", answer.text)


def recover(browser: Browser, name: str, code: str, new: str = NEW):
    typed = {"username": name, "code": code, "new_password": new}
    return browser.send("/forgot-password", "/forgot-password", typed)


def test_by_a_code(ada, anybody):
    """Ten are shown once; the account page says how many are left."""
    assert "You have none." in ada.get("/account").text
    codes = codes_of(ada)
    assert len(set(codes)) == 10
    assert "not used: 10" in ada.get("/account").text
    assert codes[0] not in ada.get("/account").text
    assert ada.get("/account").status_code == 200
    assert "/forgot-password" in anybody.get("/sign-in").text
    answer = recover(anybody, "ada", codes[3])
    assert (answer.status_code, answer.location) == (303, "/sign-in?username=ada")
    assert "The password was changed." in anybody.get("/sign-in").text
    assert not ada.is_signed_in()
    assert anybody.sign_in("ada", NEW).status_code == 303
    assert "not used: 9" in anybody.get("/account").text


def test_a_wrong_code_says_no_more_than_that(ada, anybody):
    """The same for a name that nobody has; and neither code nor password comes back."""
    codes_of(ada)
    pages = [recover(anybody, name, "0000-0000-0000-0000") for name in ("ada", "nobody")]
    assert [page.status_code for page in pages] == [401, 401]
    said = [re.sub(r'value="[^"]*"', "", page.text) for page in pages]
    assert said[0] == said[1]
    assert "0000-0000" not in pages[0].text
    assert NEW not in pages[0].text


def test_codes_need_the_password(ada):
    answer = ada.send("/account", "/account/codes", {"current_password": "a wrong one"})
    assert answer.status_code == 403
    assert "The current password is wrong" in answer.text


def test_staff_s_link(paged, anybody):
    """Is shown once, opened without signing in, and used once."""
    ada = member(paged, "Ada")
    staff = newcomer(paged, "Chief", staff=True)
    browser = Browser(paged)
    browser.sign_in(staff.name)
    answer = browser.send("/staff?name=ada", "/staff/link", {})
    (link,) = re.findall(r"http://localhost(/new-password/[\w-]{43})", answer.text)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    weak = anybody.send(link, link, {"new_password": "short"})
    assert weak.status_code == 422
    assert anybody.send(link, link, {"new_password": NEW}).location == "/sign-in"
    assert anybody.send(link, link, {"new_password": NEW}).status_code == 401
    assert not ada.is_signed_in()
    assert anybody.sign_in("ada", NEW).status_code == 303


def test_by_the_api(paged):
    """Codes for oneself, a link by staff, and each used once."""
    ada, chief = newcomer(paged, "Ada"), newcomer(paged, "Chief", staff=True)
    codes = ada.ask("POST", "/users/me/recovery-codes", {"password": PASSWORD}).get_json()["codes"]
    body = {"username": "ada", "code": codes[0], "password": NEW}
    assert paged.client.post("/recover/code", json=body).status_code == 200
    problem(paged.client.post("/recover/code", json=body), 401, "recovery_failed")
    made = chief.ask("POST", f"/users/{ada.id}/recovery-link")
    assert (made.status_code, made.get_json()["expires_in"]) == (201, 86_400)
    link = {"token": made.get_json()["token"], "password": NEW + "!"}
    assert paged.client.post("/recover/link", json=link).status_code == 200
    problem(paged.client.post("/recover/link", json=link), 401, "recovery_failed")
    other = chief.ask("POST", "/users/00000000-0000-4000-8000-000000000000/recovery-link")
    problem(other, 404, "not_found")
    login = {"username": "ada", "password": NEW + "!"}
    assert paged.client.post("/login", json=login).status_code == 200


def test_wrong_codes_count_as_wrong_passwords(make_site):
    """By account, whatever its spelling; links, which nobody guesses, by source alone."""
    limits = "account=3/hour; account_source=off; login=8/hour"
    site = make_site(password="required", rate_limits=limits)
    assert site.register("ada", PASSWORD).status_code == 201

    def tried(path: str, **body: str) -> int:
        return ask(site, "POST", path, json={**body, "password": NEW}).status_code

    codes = [tried("/recover/code", username=name, code="x") for name in ("ada", "Ada", "ＡＤＡ")]
    assert codes == [401] * 3
    assert tried("/recover/code", username="ada", code="x") == 429
    assert tried("/login", username="ada") == 429
    assert [tried("/recover/link", token="x") for _ in range(4)] == [401, 401, 401, 429]


@pytest.fixture
def sent():
    """What an app would send."""
    found: list[ResetRequest] = []
    with reset_requested.connected_to(found.append):
        yield found


def test_asking_for_a_link(ada, anybody, sent):
    """The answer is the same for everybody; who has an account gets a link that works."""
    answers = [
        anybody.send("/forgot-password", "/forgot-password/link", {"username": name})
        for name in ("nobody", "no such name", "ADA")
    ]
    assert {(one.status_code, one.location) for one in answers} == {(303, "/sign-in")}
    ends = time.monotonic() + PATIENCE_S
    while not sent and time.monotonic() < ends:
        time.sleep(0.02)
    (request,) = sent
    assert (request.username, request.expires_in) == ("Ada", 86_400)
    link = f"/new-password/{request.token}"
    assert anybody.send(link, link, {"new_password": NEW}).status_code == 303
    assert anybody.sign_in("ada", NEW).status_code == 303


def test_an_app_that_sends_no_links_says_so(paged: Site, anybody):
    """On the page it is not offered."""
    problem(paged.client.post("/recover/request", json={"username": "ada"}), 404, "not_found")
    assert "/forgot-password/link" not in anybody.get("/forgot-password").text


def test_without_passwords_there_is_none_to_lose(make_site):
    site = make_site(password="off")
    browser = Browser(site)
    assert browser.get("/forgot-password").status_code == 404
    assert site.client.post("/recover/code", json={}).status_code == 404
