"""Teams: names like users' names, and members."""

from __future__ import annotations

import uuid

import pytest

from dibs.errors import NotAllowed, TeamNotFound
from tests.web.people import Person, newcomer
from tests.web.site import PASSWORD, problem

KEY = "0123456789abcdef"


@pytest.fixture
def ada(make_site) -> Person:
    return newcomer(make_site(password="required", argon2_memory_kib="64"))


@pytest.fixture
def grace(ada) -> Person:
    return newcomer(ada.site, "grace")


@pytest.fixture
def team(ada) -> str:
    answer = ada.ask("POST", "/teams", {"name": "Rockets"})
    assert answer.status_code == 201
    return str(answer.get_json()["id"])


def members(person: Person, team: str) -> dict[str, str]:
    shown = person.ask("GET", f"/teams/{team}").get_json()
    return {one["username"]: one["role"] for one in shown.get("members", ())}


def test_who_makes_a_team_owns_it(ada):
    answer = ada.ask("POST", "/teams", {"name": "Rockets"})
    shown = answer.get_json()
    assert (answer.status_code, shown["name"]) == (201, "Rockets")
    assert shown["members"] == [{"id": ada.id, "username": "ada", "role": "owner"}]
    assert answer.headers["Location"] == f"/teams/{shown['id']}"
    assert ada.ask("GET", answer.headers["Location"]).get_json() == shown


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ADA", "taken"),
        ("rockets", "taken"),
        ("rocket5", "taken"),
        ("login", "reserved"),
        ("teams", "reserved"),
        ("sessions", "reserved"),
        ("admin", "reserved"),
    ],
)
def test_users_teams_and_routes_share_one_namespace(ada, team, name, code):
    """409, whoever has it."""
    ada.site.register("rocket5", PASSWORD)
    body = problem(ada.ask("POST", "/teams", {"name": name}), 409, code)
    assert body["title"] == "This team name is not available"


def test_a_users_name_cannot_be_a_teams(ada, team):
    body = problem(ada.site.register("ROCKETS", PASSWORD), 409, "taken")
    assert body["suggestions"]
    assert problem(ada.ask("POST", "/teams", {"name": "ada"}), 409, "taken")["suggestions"]


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"name": ""}, 400, "empty", None),
        ({"name": " "}, 400, "empty", None),
        ({}, 422, "invalid", "name"),
        ({"name": None}, 422, "invalid", "name"),
        ({"name": "a b"}, 422, "invalid", "name"),
        ({"name": "x" * 1000}, 422, "invalid", "name"),
        ({"name": "rockets", "members": []}, 422, "invalid", "members"),
        ({"username": "rockets"}, 422, "invalid", "name"),
    ],
)
def test_a_name_that_cannot_be(ada, body, status, code, field):
    found = problem(ada.ask("POST", "/teams", body), status, code)
    if field:
        assert found["reasons"][0]["field"] == field


@pytest.mark.parametrize("name", ["ada", "modem", "login", " ", "a b", "x", "123"])
@pytest.mark.parametrize(
    ("locale", "user", "team_word"),
    [("en", "username", ""), ("zh", "用户名", "团队"), ("ja", "ユーザー名", "チーム")],
)
def test_it_is_called_a_team(ada, name, locale, user, team_word):
    """Every sentence about a team's name, as it is about a user's where that is asked for."""
    ada.site.register("modern", PASSWORD)
    ask = {"Accept_Language": locale}
    said = ada.ask("POST", "/teams", {"name": name}, **ask).get_json()
    text = said["title"] + said["detail"]
    assert user not in text
    assert team_word in text
    told = ada.site.client.post(
        "/register",
        json={"username": name, "password": PASSWORD},
        headers={"Accept-Language": locale},
    )
    assert user in told.get_json()["title"] + told.get_json()["detail"]


def test_a_name_that_somebody_has_may_be_a_users_or_a_teams(ada):
    found = problem(ada.ask("POST", "/teams", {"name": "ada"}), 409, "taken")
    assert found["detail"] == "A user or a team with that name already exists."


def test_a_retry_gets_its_team(ada, grace):
    """And nobody else does, with the same key and body."""
    first, second = (
        ada.ask("POST", "/teams", {"name": "rockets"}, Idempotency_Key=KEY) for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.get_json() == second.get_json()
    answer = grace.ask("POST", "/teams", {"name": "rockets"}, Idempotency_Key=KEY)
    problem(answer, 409, "taken")
    problem(ada.ask("POST", "/teams", {"name": "x"}, Idempotency_Key="short"), 400, "malformed")


def test_pages_of_teams(ada):
    names = [f"team{n}" for n in range(5)]
    for name in names:
        ada.ask("POST", "/teams", {"name": name})
    found, after = [], ""
    while True:
        page = ada.site.get(f"/teams?limit=2{after}").json
        found += [team["name"] for team in page["items"]]
        assert all(team.keys() == {"id", "name"} for team in page["items"])
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert sorted(found) == names
    problem(ada.site.get("/teams?limit=0"), 422, "invalid")
    problem(ada.site.get("/teams?after=x"), 422, "invalid")


def test_members_come_and_go(ada, grace, team):
    """Added, made an owner, and gone by her own will."""
    path = f"/teams/{team}/members/{grace.id}"
    assert members(grace, team) == {}
    assert ada.ask("PUT", path, {"role": "member"}).status_code == 204
    assert members(grace, team) == {"ada": "owner", "grace": "member"}
    problem(grace.ask("PUT", path, {"role": "owner"}), 403, "forbidden")
    assert ada.ask("PUT", path, {"role": "owner"}).status_code == 204
    assert members(ada, team) == {"ada": "owner", "grace": "owner"}
    assert grace.ask("DELETE", path).status_code == 204
    problem(ada.ask("DELETE", path), 404, "not_found")


def test_the_last_owner_is_kept(ada, grace, team):
    """Whoever asks, in whichever way."""
    path = f"/teams/{team}/members/{ada.id}"
    for answer in (ada.ask("DELETE", path), ada.ask("PUT", path, {"role": "member"})):
        assert problem(answer, 409, "last_owner")["title"] == "A team needs an owner"
    assert members(ada, team) == {"ada": "owner"}


def test_a_team_ends(ada, grace, team):
    """By an owner's will, and somebody else has its name at once."""
    path = f"/teams/{team}"
    problem(grace.ask("DELETE", path), 403, "forbidden")
    answer = ada.ask("DELETE", path)
    assert (answer.status_code, answer.data) == (204, b"")
    for method in ("GET", "DELETE"):
        problem(ada.ask(method, path), 404, "not_found")
    assert ada.ask("GET", "/users/me").get_json()["teams"] == []
    assert ada.site.get("/teams").json["items"] == []
    assert ada.site.register("rockets", PASSWORD).status_code == 201
    assert ada.ask("DELETE", "/users/me").status_code == 204


@pytest.mark.parametrize(
    "body",
    [{}, {"role": "boss"}, {"role": None}, {"role": 1}, {"role": ""}, {"role": "owner", "x": 1}],
)
def test_a_role_that_is_none(ada, grace, team, body):
    problem(ada.ask("PUT", f"/teams/{team}/members/{grace.id}", body), 422, "invalid")


@pytest.mark.parametrize("place", ["team", "user"])
@pytest.mark.parametrize("wrong", [str(uuid.UUID(int=4)), "x", "%00", "'", "x" * 10_000])
def test_what_is_not_there(ada, grace, team, place, wrong):
    ids = {"team": team, "user": grace.id, place: wrong}
    path = f"/teams/{ids['team']}/members/{ids['user']}"
    problem(ada.ask("PUT", path, {"role": "member"}), 404, "not_found")
    problem(ada.ask("DELETE", path), 404, "not_found")
    problem(ada.site.get(f"/teams/{wrong}"), 404, "not_found")
    problem(ada.ask("DELETE", f"/teams/{wrong}"), 404, "not_found")


def test_a_team_is_renamed(make_site):
    """The old name rests and leads on; the team may have it again, and nobody else."""
    site = make_site(password="required", argon2_memory_kib="64", quarantine="90")
    ada = newcomer(site, "ada")
    team = ada.ask("POST", "/teams", {"name": "rockets"}).get_json()
    path = f"/teams/{team['id']}"
    renamed = ada.ask("PATCH", path, {"name": "Comets"})
    assert (renamed.status_code, renamed.get_json()["name"]) == (200, "Comets")
    problem(newcomer(site, "grace").ask("POST", "/teams", {"name": "rockets"}), 409, "quarantined")
    assert site.get("/usernames/rockets").get_json()["renamed_to"] == "Comets"
    assert site.client.get("/@rockets").location == "/@Comets?was=rockets"
    assert "rockets</bdi> is now called <bdi>Comets" in site.get("/@Comets?was=rockets").text
    assert "is now called" not in site.get("/@Comets?was=ada").text
    taken = problem(ada.ask("PATCH", path, {"name": "ADA"}), 409, "taken")
    assert taken["suggestions"]
    assert "team name" in problem(ada.ask("PATCH", path, {"name": "a b"}), 422, "invalid")["detail"]
    assert ada.ask("PATCH", path, {"name": "rockets"}).status_code == 200


def test_an_owner_who_is_removed_renames_nothing(make_site):
    """That they own it is seen in the transaction that renames it."""
    site = make_site(password="required", argon2_memory_kib="64")
    ada, grace = newcomer(site, "ada"), newcomer(site, "grace")
    team = ada.ask("POST", "/teams", {"name": "rockets"}).get_json()["id"]
    ends = site.parts.budget.start()
    with pytest.raises(NotAllowed):
        site.parts.renames.rename_team("comets", team_id=team, by=grace.id, deadline=ends)
    with pytest.raises(TeamNotFound):
        site.parts.renames.rename_team("comets", team_id=str(uuid.uuid4()), by=None, deadline=ends)
    assert ada.ask("GET", f"/teams/{team}").get_json()["name"] == "rockets"
