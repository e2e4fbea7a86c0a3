"""Registration by invitation: by the API, by pages and by the command."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.backends import SQLITE
from tests.cli.terminal import Terminal
from tests.web.pages.browser import Browser
from tests.web.people import Person, newcomer
from tests.web.site import PASSWORD, Site, problem

GUESSED = "a-token-that-nobody-made"


@pytest.fixture
def site(make_site) -> Site:
    made: Site = make_site(password="required", registration="invite")
    return made


@pytest.fixture
def boss(site) -> Person:
    """Staff, who was made by the command."""
    made = site.parts.registration.register(
        "boss", PASSWORD, request=(b"before",), by_command=True, deadline=site.parts.budget.start()
    )
    site.parts.store.set_role(made.id, "staff", deadline=site.parts.budget.start())
    person = Person(site, "boss", made.id)
    assert person.login().status_code == 200
    return person


def invited(boss: Person, **body: int) -> dict[str, str]:
    answer = boss.ask("POST", "/invitations", {"uses": 1, **body})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    found: dict[str, str] = answer.get_json()
    return found


def join(site: Site, name: str, token: str, key: str | None = None):
    body = {"username": name, "password": PASSWORD, "invitation": token}
    headers = {"Idempotency-Key": key} if key else {}
    return site.client.post("/register", json=body, headers=headers)


def change(site: Site, sql: str) -> None:
    SQLITE.execute(sql, site.parts.settings.database_url)


def items(boss: Person) -> list[dict[str, object]]:
    found: list[dict[str, object]] = boss.ask("GET", "/invitations").get_json()["items"]
    return found


def test_who_was_not_invited(site, boss):
    """Is told so whatever they want to be called, and may hold nothing."""
    for name in ("grace", "boss"):
        said = problem(site.register(name, PASSWORD), 403, "invitation_needed")
        assert "suggestions" not in said
    problem(site.client.post("/holds", json={"username": "eve"}), 403, "invitation_needed")
    assert boss.ask("POST", "/holds", {"username": "eve"}).status_code == 201


def test_good_for_so_many(site, boss):
    token = invited(boss, uses=2)["token"]
    hold = site.client.post("/holds", json={"username": "ada", "invitation": token})
    assert hold.status_code == 201
    assert join(site, "grace", token).status_code == 201
    problem(join(site, "GRACE", token), 409, "taken")  # and uses nothing up
    problem(join(site, "a b", token), 422, "invalid")
    (one,) = items(boss)
    assert (one["uses"], one["used"], one["good"]) == (2, 1, True)
    body = {"username": "ada", "password": PASSWORD, "invitation": token}
    held = hold.get_json()["hold_token"]
    assert site.client.post("/register", json={**body, "hold_token": held}).status_code == 201
    problem(join(site, "eve", token), 403, "invitation_refused")
    hold = site.client.post("/holds", json={"username": "eve", "invitation": token})
    problem(hold, 403, "invitation_refused")
    (one,) = items(boss)
    assert (one["used"], one["good"], one["actor"]) == (2, False, boss.id)
    events = boss.ask("GET", "/events").get_json()["items"]
    names = {one["id"]: one["username"] for one in site.users()}
    told = {names[one["user"]]: one["actor"] for one in events if one["kind"] == "invited"}
    assert told == {"grace": boss.id, "ada": boss.id}


def test_whatever_is_wrong_with_it_the_answer_is_the_same(site, boss):
    used, ended, late = (invited(boss) for _ in range(3))
    assert join(site, "grace", used["token"]).status_code == 201
    assert boss.ask("DELETE", f"/invitations/{ended['id']}").status_code == 204
    problem(boss.ask("DELETE", f"/invitations/{ended['id']}"), 404, "not_found")
    change(site, f"UPDATE dibs_invitations SET expires_at = created_at WHERE id = '{late['id']}'")
    tokens = [used["token"], ended["token"], late["token"], used["id"], GUESSED, "\0", "x" * 5000]
    said = [problem(join(site, "eve", one), 403, "invitation_refused") for one in tokens]
    odd = rb'{"username": "eve", "password": "correct horse battery", "invitation": "\ud800"}'
    answer = site.client.post("/register", data=odd, content_type="application/json")
    said.append(problem(answer, 403, "invitation_refused"))
    assert len({one["detail"] for one in said}) == 1


def test_the_same_request_again(site, boss):
    """Also once it has used up the invitation, and its answer was lost."""
    token, key = invited(boss)["token"], "0123456789abcdef"
    first = join(site, "grace", token, key)
    change(site, "DELETE FROM dibs_requests")
    again = join(site, "grace", token, key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json()["id"] == first.get_json()["id"]
    problem(join(site, "grace", token), 403, "invitation_refused")


@pytest.mark.parametrize("wrong", [0, 101, -1, "two", 1.5, None, True])
@pytest.mark.parametrize("field", ["uses", "days"])
def test_numbers(boss, field, wrong):
    problem(boss.ask("POST", "/invitations", {"uses": 1, field: wrong}), 422, "invalid")


def test_a_number_is_needed(boss):
    problem(boss.ask("POST", "/invitations", {"days": 7}), 422, "invalid")
    assert boss.ask("POST", "/invitations", {"uses": 14.0}).status_code == 201


def test_they_end_by_themselves(boss):
    invited(boss, days=100)
    (one,) = items(boss)
    made, ends = (datetime.fromisoformat(str(one[at])) for at in ("created_at", "expires_at"))
    assert ends - made == timedelta(days=100)
    assert made - datetime.now(UTC) < timedelta(minutes=1)


def test_pages(site, boss):
    staff, anybody = Browser(site), Browser(site)
    assert staff.sign_in("boss").status_code == 303
    at = "/staff/invitations"
    wrong = staff.send(at, at, {"uses": "many", "days": "\u0663"})
    assert (wrong.status_code, wrong.text.count("give a whole number")) == (422, 2)
    made = staff.send(at, at, {"uses": "1", "days": "3"})
    (link,) = re.findall(r"http://localhost(/join/[\w-]+)", made.text)
    assert made.headers["Cache-Control"] == "no-store"
    for path in ("/", "/sign-up"):
        page = anybody.get(path).text
        assert "Registration is by invitation here." in page
        assert 'name="username"' not in page
    problem_page = anybody.get(f"/join/{GUESSED}")
    assert (problem_page.status_code, "not valid" in problem_page.text) == (403, True)
    assert 'name="username"' not in problem_page.text
    form = anybody.form(link, "/sign-up")
    taken = anybody.post(form.action, {**form.fields, "username": "boss", "password": PASSWORD})
    assert (taken.status_code, f'href="{link}?username=' in taken.text) == (409, True)
    joined = anybody.send(link, "/sign-up", {"username": "grace", "password": PASSWORD})
    assert (joined.status_code, joined.location) == (303, "/account")
    late = Browser(site).post("/sign-up", form.fields)
    assert late.status_code == 403
    assert "1 of 1 registered." in staff.get(at).text
    assert "Registered by an invitation" in staff.get("/staff/log").text
    staff.send(at, at, {"uses": "5", "days": "3"})
    ended = staff.send(at, f"{at}/end", {})
    assert (ended.status_code, ended.location) == (303, at)
    assert "Nobody else can register by that invitation." in staff.get(at).text


@pytest.mark.parametrize("number", ["0000000011", "000000001" + "9" * 5000, "0", "-1", ""])
def test_no_more_than_the_api_takes(site, boss, number):
    staff = Browser(site)
    staff.sign_in("boss")
    at = "/staff/invitations"
    assert staff.send(at, at, {"uses": number, "days": "1"}).status_code == 422
    assert staff.send(at, at, {"uses": "1", "days": number}).status_code == 422
    assert items(boss) == []


def test_nothing_of_a_token_is_shown(site):
    """Markup in one is text."""
    page = Browser(site).get("/join/%22%3E%3Cscript%3E")
    assert (page.status_code, "<script>" in page.text.partition("<main")[2]) == (403, False)


def test_while_anybody_may_register(make_site):
    """None is needed, and none is used up."""
    site = make_site(password="required")
    staff = newcomer(site, "boss", staff=True)
    token = invited(staff)["token"]
    assert join(site, "grace", token).status_code == 201
    assert join(site, "ada", GUESSED).status_code == 201
    assert items(staff)[0]["used"] == 0
    assert Browser(site).get(f"/join/{token}").status_code == 200


def test_the_command(tmp_path, monkeypatch, capsys):
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    terminal.set(argon2_memory_kib="8", argon2_passes="1")
    terminal.dibs("db", "upgrade")
    made = terminal.dibs("invite", "--uses", "3")
    assert re.fullmatch(r"/join/[\w-]{43}\n", made.out)
    assert "counts once DIBS_REGISTRATION is invite" in made.err
    assert terminal.dibs("invite", "--uses", "0").status == 2
    (one,) = terminal.dibs("invite", "list", "--json").out.splitlines()
    found = json.loads(one)
    assert (found["uses"], found["used"], found["actor"]) == (3, 0, "dibs invite")
    assert "0 of 3" in terminal.dibs("invite", "list").out
    assert terminal.dibs("invite", "revoke", found["id"]).status == 0
    again = terminal.dibs("invite", "revoke", found["id"])
    assert (again.status, "no invitation" in again.err) == (1, True)
    assert "ended" in terminal.dibs("invite", "list").out
