"""Who may do what: every route, asked by everybody, cell by cell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.backends import SQLITE
from tests.web.people import Person, newcomer, nobody
from tests.web.site import PASSWORD, Site

WHO = ("anonymous", "user", "other", "owner", "member", "staff")

# `all` and `names` are 200, with everything or with ids and names only. {user}, {team} and
# {session} are the user's, the owner's and the user's; {mate} is one more member.
TABLE = """
POST   /register                        201   201   201   201   201   201
GET    /usernames/{name}                200   200   200   200   200   200
POST   /holds                           201   201   201   201   201   201
DELETE /holds/{hold}                    204   204   204   204   204   204
GET    /usernames/check                 200   200   200   200   200   200
POST   /usernames/check                 200   200   200   200   200   200
POST   /login                           200   200   200   200   200   200
POST   /refresh                         401   401   401   401   401   401
POST   /logout                          401   200   200   200   200   200
POST   /logout/all                      401   200   200   200   200   200
GET    /sessions                        401   200   200   200   200   200
DELETE /sessions/{session}              401   204   404   404   404   404
GET    /users                           200   200   200   200   200   200
GET    /users/me                        401   all   all   all   all   all
PATCH  /users/me                        401   200   200   200   200   200
GET    /users/me/export                 401   200   200   200   200   200
DELETE /users/me                        401   204   204   409   204   204
POST   /recover/code                    401   401   401   401   401   401
POST   /recover/link                    401   401   401   401   401   401
POST   /recover/request                 404   404   404   404   404   404
POST   /users/me/recovery-codes         401   201   201   201   201   201
POST   /users/{user}/recovery-link      401   403   403   403   403   201
GET    /users/{user}                    names all   names names names all
PATCH  /users/{user}                    401   403   403   403   403   200
DELETE /users/{user}                    401   403   403   403   403   204
DELETE /users/{user}/sessions           401   403   403   403   403   204
GET    /events                          401   403   403   403   403   200
GET    /kept-names                      401   403   403   403   403   200
POST   /invitations                     401   403   403   403   403   201
GET    /invitations                     401   403   403   403   403   200
DELETE /invitations/{invitation}        401   403   403   403   403   204
GET    /users/by-name/{name}            names all   names names names all
POST   /teams                           401   201   201   201   201   201
GET    /teams                           200   200   200   200   200   200
GET    /teams/{team}                    names names names all   all   all
PATCH  /teams/{team}                    401   403   403   all   403   all
DELETE /teams/{team}                    401   403   403   204   403   204
PUT    /teams/{team}/members/{mate}     401   403   403   204   403   204
PUT    /teams/{team}/members/{self}     401   403   403   409   403   204
DELETE /teams/{team}/members/{mate}     401   403   403   204   403   204
DELETE /teams/{team}/members/{self}     401   404   404   409   204   404
GET    /.well-known/jwks.json           200   200   200   200   200   200
GET    /healthz                         200   200   200   200   200   200
GET    /readyz                          200   200   200   200   200   200
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [
    pytest.param(method, path, who, cell, id=f"{method} {path} {who}")
    for method, path, *cells in ROWS
    for who, cell in zip(WHO, cells, strict=True)
]
BODIES: dict[tuple[str, str], dict[str, object]] = {
    ("POST", "/usernames/check"): {"names": ["ada"]},
    ("POST", "/register"): {"username": "somebody-new", "password": PASSWORD},
    ("POST", "/holds"): {"username": "somebody-held"},
    ("POST", "/login"): {"username": "user", "password": PASSWORD},
    ("POST", "/recover/code"): {"username": "the-user", "code": "0", "password": PASSWORD + "!"},
    ("POST", "/recover/link"): {"token": "0", "password": PASSWORD + "!"},
    ("POST", "/recover/request"): {"username": "the-user"},
    ("POST", "/users/me/recovery-codes"): {"password": PASSWORD},
    ("PATCH", "/users/me"): {"password": "another good one", "current_password": PASSWORD},
    ("PATCH", "/users/{user}"): {"disabled": True},
    ("POST", "/invitations"): {"uses": 2},
    ("POST", "/teams"): {"name": "comets"},
    ("PATCH", "/teams/{team}"): {"name": "comets"},
    ("PUT", "/teams/{team}/members/{mate}"): {"role": "owner"},
    ("PUT", "/teams/{team}/members/{self}"): {"role": "member"},
}
SILENT = {"/", "/openapi.json", "/dibs-username.js", "/docs/", "/docs/<path>", "/static/<filename>"}


class World:
    """A site with one person of each kind."""

    def __init__(self) -> None:
        self.url = SQLITE.shared()
        self.site = Site(self.url, password="required", argon2_memory_kib="64")
        self.people = {"anonymous": nobody(self.site)}
        for who in WHO[1:]:
            self.people[who] = newcomer(self.site, f"the-{who}", staff=who == "staff")
        self.mate = newcomer(self.site, "the-mate")
        owner = self.people["owner"]
        self.team = owner.ask("POST", "/teams", {"name": "rockets"}).get_json()["id"]
        for one in (self.people["member"], self.mate):
            self.put(one)

    def put(self, person: Person) -> None:
        path = f"/teams/{self.team}/members/{person.id}"
        assert self.people["owner"].ask("PUT", path, {"role": "member"}).status_code == 204

    def path(self, template: str, who: str) -> str:
        user, asks = self.people["user"], self.people[who]
        session = user.ask("GET", "/sessions").get_json()["items"][0]["id"]
        return template.format(
            name=user.name,
            user=user.id,
            team=self.team,
            mate=self.mate.id,
            self=asks.id or self.mate.id,
            session=session,
            hold=self.hold() if "{hold}" in template else "",
            invitation=self.invitation() if "{invitation}" in template else "",
        )

    def invitation(self) -> str:
        made = self.people["staff"].ask("POST", "/invitations", {"uses": 1})
        return str(made.get_json()["id"])

    def hold(self) -> str:
        held = self.site.client.post("/holds", json={"username": "somebody-held"})
        return str(held.get_json()["hold_token"])

    def close(self) -> None:
        self.site.close()
        SQLITE.drop(self.url)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture(scope="module")
def read_world() -> Iterator[World]:
    """One for all who only read."""
    made = World()
    yield made
    made.close()


@pytest.mark.parametrize(("method", "path", "who", "cell"), CELLS)
def test_cell(request, method, path, who, cell):
    """The status, and of what is shown whether it is all or names alone."""
    world: World = request.getfixturevalue("read_world" if method == "GET" else "world")
    body = BODIES.get((method, path))
    if path == "/login":
        body = {"username": "the-user", "password": PASSWORD}
    answer = world.people[who].ask(method, world.path(path, who), body)
    assert answer.status_code == {"all": 200, "names": 200}.get(cell) or int(cell), answer.text
    if not cell.isdigit():
        assert (len(answer.get_json()) > 2) == (cell == "all")


def test_every_route_has_a_row(read_world):
    """A new one is decided on before it is there."""
    rows = {(method, re.sub(r"\{\w+\}", "<>", path)) for method, path, *_ in ROWS}
    # Pages have a table of their own, in tests/web/pages.
    rules = [
        rule
        for rule in read_world.site.app.url_map.iter_rules()
        if plain(rule.rule) and not rule.endpoint.startswith(("dibs_pages.", "dibs_look."))
    ]
    assert rows == {
        (method, re.sub(r"<[^>]+>", "<>", rule.rule))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def plain(rule: str) -> bool:
    return re.sub(r"<\w+:", "<", rule) not in SILENT


@pytest.mark.parametrize("who", WHO)
def test_names_are_searched_by_staff_alone(read_world, who):
    answer = read_world.people[who].ask("GET", "/users?name=THE-O")
    assert answer.status_code == {"anonymous": 401, "staff": 200}.get(who, 403)
    if who == "staff":
        found = [one["username"] for one in answer.get_json()["items"]]
        assert found == ["the-other", "the-owner"]


def test_lists_show_names_only_to_strangers(read_world):
    """Page by page as one by one: staff see everything, a user herself."""

    def full(who: str) -> set[str]:
        items = read_world.people[who].ask("GET", "/users?limit=100").get_json()["items"]
        return {item["username"] for item in items if len(item) > 2}

    everybody = {f"the-{who}" for who in (*WHO[1:], "mate")}
    assert (full("anonymous"), full("user")) == (set(), {"the-user"})
    assert full("staff") == everybody


JSON = "application/json"
ODD = ["\ud800", "x" * 40 + "\udfff", "\0", "\x7f" * 300, ""]


def test_no_text_of_a_body_is_too_odd(world):
    """Half a surrogate pair, or a NUL, in each field of each route, by who may ask: never a 500."""
    document = world.site.get("/openapi.json").get_json()
    schemas, sent = document["components"]["schemas"], 0
    for (method, path), body in BODIES.items():
        described = document["paths"][as_described(document, path)][method.lower()]
        schema = described["requestBody"]["content"]["application/json"]["schema"]
        fields = schemas[schema["$ref"].rpartition("/")[2]]["properties"]
        for field in [name for name, one in fields.items() if "string" in str(one.get("type"))]:
            for odd in ODD:
                for who in ("anonymous", "owner", "staff"):
                    asked, headers = world.path(path, who), world.people[who].headers
                    text = json.dumps({**body, field: odd})  # which escapes what UTF-8 cannot have
                    answer = world.site.client.open(
                        asked, method=method, data=text, headers=headers, mimetype=JSON
                    )
                    assert answer.status_code < 500, (method, path, field, odd)
                    sent += 1
    assert sent > 300


def as_described(document: dict[str, dict[str, object]], path: str) -> str:
    """The path as the OpenAPI page has it, whatever its parameters are called there."""
    bare = re.sub(r"\{\w+\}", "{}", path)
    return next(one for one in document["paths"] if re.sub(r"\{\w+\}", "{}", one) == bare)
