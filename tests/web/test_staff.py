"""What staff do with other people's accounts by the API, and that it is written down."""

from __future__ import annotations

import pytest

from tests.web.pages.browser import Browser
from tests.web.people import Person, newcomer
from tests.web.site import PASSWORD, Site, problem
from tests.web.test_holds import hold, sql


@pytest.fixture
def site(make_site) -> Site:
    made: Site = make_site(password="required", quarantine="90")
    return made


@pytest.fixture
def chief(site) -> Person:
    return newcomer(site, "Chief", staff=True)


def kinds(chief: Person, query: str = "") -> list[str]:
    return [one["kind"] for one in chief.ask("GET", f"/events{query}").get_json()["items"]]


def test_what_staff_see_of_a_user(site, chief):
    ada = newcomer(site, "Ada")
    seen = chief.ask("GET", f"/users/{ada.id}").get_json()
    assert (seen["sessions"], seen["disabled_at"]) == (1, None)
    assert seen["last_sign_in"] >= seen["created_at"]
    assert (
        not {"sessions", "disabled_at", "last_sign_in"}
        & ada.ask("GET", "/users/me").get_json().keys()
    )
    assert ada.ask("POST", "/logout").status_code == 200
    later = chief.ask("GET", f"/users/{ada.id}").get_json()
    assert (later["sessions"], later["last_sign_in"]) == (0, seen["last_sign_in"])


def test_all_of_it_in_one_request(site, chief):
    """A name that is reserved for nobody, the role, and keeping them out; each is an event."""
    ada = newcomer(site, "Ada")
    body = {"username": "Admin", "role": "staff", "disabled": True}
    seen = chief.ask("PATCH", f"/users/{ada.id}", body).get_json()
    assert (seen["username"], seen["role"], bool(seen["disabled_at"])) == ("Admin", "staff", True)
    assert problem(ada.login(), 401, "login_failed")
    back = chief.ask("PATCH", f"/users/{ada.id}", {"disabled": False, "role": None}).get_json()
    assert (back["disabled_at"], back["role"]) == (None, None)
    ada.name = "admin"
    assert ada.login().status_code == 200
    assert kinds(chief, f"?user={ada.id}") == [
        *("enabled", "staff_revoked", "disabled", "staff_granted", "renamed")
    ]
    events = chief.ask("GET", f"/events?user={ada.id}").get_json()["items"]
    assert {one["actor"] for one in events} == {chief.id}


def test_a_disabled_user_is_renamed_by_staff(site, chief):
    ada = newcomer(site, "Ada")
    body = {"username": "lovelace"}
    chief.ask("PATCH", f"/users/{ada.id}", {"disabled": True})
    assert chief.ask("PATCH", f"/users/{ada.id}", body).get_json()["username"] == "lovelace"


def test_signed_out_and_deleted(site, chief):
    ada = newcomer(site, "Ada")
    assert chief.ask("DELETE", f"/users/{ada.id}/sessions").status_code == 204
    problem(ada.ask("GET", "/users/me"), 401, "session_ended")
    assert chief.ask("DELETE", f"/users/{ada.id}").status_code == 204
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("DELETE", "/sessions")):
        body = {"disabled": True} if method == "PATCH" else None
        problem(chief.ask(method, f"/users/{ada.id}{path}", body), 404, "not_found")
    problem(site.register("ada", PASSWORD), 409, "quarantined")
    assert kinds(chief, f"?user={ada.id}") == ["deleted", "signed_out"]


def test_the_last_staff_member_stays(site, chief):
    """Whatever takes them away; two of them may, and one who is disabled does not count."""
    ways = [("PATCH", {"role": None}), ("PATCH", {"disabled": True}), ("DELETE", None)]
    idle = newcomer(site, "Idle", staff=True)
    assert chief.ask("PATCH", f"/users/{idle.id}", {"disabled": True}).status_code == 200
    for method, body in ways:
        problem(chief.ask(method, f"/users/{chief.id}", body), 409, "last_staff")
    assert chief.ask("PATCH", f"/users/{idle.id}", {"disabled": False}).status_code == 200
    assert chief.ask("PATCH", f"/users/{chief.id}", {"role": None}).status_code == 200
    problem(chief.ask("GET", "/events"), 403, "forbidden")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "no_change"),
        ({"role": "owner"}, "not_staff"),
        ({"role": 1}, "not_staff"),
        ({"disabled": None}, "not_a_boolean"),
        ({"disabled": "yes"}, "not_a_boolean"),
        ({"password": PASSWORD}, "unknown"),
    ],
)
def test_bodies_that_say_nothing(chief, body, code):
    said = problem(chief.ask("PATCH", f"/users/{chief.id}", body), 422, "invalid")
    assert [one["code"] for one in said["reasons"]] == [code]


def test_a_name_that_cannot_be_had_changes_nothing(site, chief):
    ada = newcomer(site, "Ada")
    body = {"username": "chief", "disabled": True}
    problem(chief.ask("PATCH", f"/users/{ada.id}", body), 409, "taken")
    problem(chief.ask("PATCH", f"/users/{ada.id}", {"username": ""}), 400, "empty")
    assert kinds(chief, f"?user={ada.id}") == []


def test_page_by_page(site, chief):
    """Each once: users whose names begin alike, and events."""
    people = [newcomer(site, f"mor-{letter}") for letter in "cabd"]
    for one in people:
        chief.ask("DELETE", f"/users/{one.id}/sessions")
    for path, field in (("/users?name=MOR&", "username"), ("/events?", "user")):
        found, after = [], ""
        while after is not None:
            page = chief.ask("GET", f"{path}limit=3{after and f'&after={after}'}").get_json()
            found += [one[field] for one in page["items"]]
            after = page["next"]
        names = {one.id: one.name for one in people}
        wanted = ["mor-a", "mor-b", "mor-c", "mor-d"] if field == "username" else names.keys()
        assert [one for one in found if one != chief.id] == [*wanted][
            :: 1 if field == "username" else -1
        ]
    nobody = "00000000-0000-4000-8000-000000000000"
    assert kinds(chief, f"?after={nobody}") == []


def test_names_that_are_kept_back(site, chief):
    """Reserved ones page by page with their reasons, and holds that go on; the same three ways."""
    registry = site.parts.registry
    for i, reason in zip("abc", ("A brand", "A celebrity", "<b>bold</b>"), strict=True):
        registry.reserve(f"kept-{i}", reason=reason, deadline=site.parts.budget.start())
    hold(site, "newest")
    over = hold(site, "overdue")
    assert over.status_code == 201
    sql(site, "UPDATE dibs_names SET expires_at = 1 WHERE name_key = 'overdue'")

    first = chief.ask("GET", "/kept-names?limit=2").get_json()
    assert [(one["name"], one["reason"]) for one in first["items"]] == [
        ("kept-a", "A brand"),
        ("kept-b", "A celebrity"),
    ]
    rest = chief.ask("GET", f"/kept-names?limit=2&after={first['next']}").get_json()
    assert [one["name"] for one in rest["items"]] == ["kept-c"]
    assert rest["next"] is None
    (held,) = chief.ask("GET", "/kept-names?state=held").get_json()["items"]
    assert (held["name"], held["state"], held["reason"]) == ("newest", "held", None)
    assert 500 < held["expires_in"] <= 600

    browser = Browser(site)
    assert browser.sign_in("chief").status_code == 303
    page = browser.get("/staff/names").text
    assert "A celebrity" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert ("newest" in page, "overdue" in page) == (True, False)


def test_a_name_that_was_free_again_is_held(site, chief):
    """Its row is older than the hold, which then is in the history."""
    end = f"/holds/{hold(site, 'twice').get_json()['hold_token']}"
    assert site.client.delete(end).status_code == 204
    sql(site, "UPDATE dibs_names SET created_at = 1, updated_at = 1 WHERE name_key = 'twice'")
    assert chief.ask("GET", "/kept-names?state=held").get_json()["items"] == []
    assert hold(site, "twice").status_code == 201
    (held,) = chief.ask("GET", "/kept-names?state=held").get_json()["items"]
    assert held["name"] == "twice"


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("state=owned", "state", "not_kept"),
        ("limit=0", "limit", "not_a_number"),
        ("name=x", "name", "unknown"),
    ],
)
def test_names_kept_back_of_no_kind(chief, query, field, code):
    said = problem(chief.ask("GET", f"/kept-names?{query}"), 422, "invalid")
    assert [(one["field"], one["code"]) for one in said["reasons"]] == [(field, code)]
