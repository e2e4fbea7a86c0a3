"""A service to be driven over HTTP, by people who register, rename and delete themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from dibs.checker import Answer, Operation
from tests.checker.clients import HOLD_S, key_of
from tests.load import Answer as Reply
from tests.load import Client, get, post

PASSWORD = "correct horse battery"
SETTINGS: dict[str, Any] = {
    "password": "required",
    "argon2_memory_kib": 8,
    "argon2_passes": 1,
    "hold_seconds": HOLD_S,
    "holds": 1_000_000,
    "renames": 1_000_000,
}
"""For the service: hashes that cost next to nothing, and no limits."""

DAY_S = 86_400


@dataclass(slots=True)
class HttpClient:
    """One connection, for one thread.

    The service chooses who is who, so an operation is noted with the id that it has told.

    Attributes:
        rests: For how many seconds a name rests that was given up.
    """

    _link: Client
    rests: float = 0.0
    _names: dict[str, str] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    def claim(self, name: str, *, owner: str, request: str, hold: str) -> Answer:
        body = {"username": name, "password": PASSWORD} | ({"hold_token": hold} if hold else {})
        reply = self._link.one(post("/register", body, Idempotency_Key=json.dumps(request)))
        if reply.status != 201:
            return refusal(reply)
        self._names[owner], self._ids[owner] = name, reply.json()["id"]
        return Answer(owner=self._ids[owner])

    def release(self, name: str, *, owner: str) -> Answer:
        return replace(self._release(name, owner), owner=self._id(owner), seconds=self.rests)

    def _release(self, name: str, owner: str) -> Answer:
        """Who deletes herself gives up what she is called now, which must be this name."""
        headers = self._logged_in(owner)
        reply = self._link.one(_ask("GET", "/users/me", headers))
        if reply.status == 503:
            return Answer("unchanged")
        if reply.status == 401 or key_of(reply.json()["username"]) != key_of(name):
            return Answer("refused", "not_owner")
        reply = self._link.one(_ask("DELETE", "/users/me", headers))
        assert reply.status in (204, 503), reply
        return Answer("done" if reply.status == 204 else "unknown")

    def look(self, name: str) -> Answer:
        reply = self._link.one(get(f"/users/by-name/{quote(name)}"))
        if reply.status == 503:
            return Answer("unchanged")
        return Answer(owner=reply.json()["id"] if reply.status == 200 else "")

    def hold(self, name: str, *, owner: str, request: str) -> Answer:
        key = json.dumps(request)
        reply = self._link.one(post("/holds", {"username": name}, Idempotency_Key=key))
        if reply.status != 201:
            return replace(refusal(reply), seconds=HOLD_S)
        return Answer(hold=reply.json()["hold_token"], seconds=HOLD_S)

    def unhold(self, name: str, *, owner: str, hold: str) -> Answer:
        reply = self._link.one(_ask("DELETE", f"/holds/{hold}", {}))
        if reply.status == 404:
            return Answer("refused", reply.code)
        assert reply.status in (204, 503), reply
        return Answer("done" if reply.status == 204 else "unknown")

    def rename(self, old: str, new: str, *, owner: str, request: str) -> Answer:
        reply = self._link.one(
            _ask("PATCH", "/users/me", self._logged_in(owner), {"username": new})
        )
        if reply.status == 401:
            answer = Answer("refused", "not_owner")
        else:
            answer = Answer() if reply.status == 200 else refusal(reply)
        return replace(answer, owner=self._id(owner), seconds=self.rests)

    def _id(self, owner: str) -> str:
        return self._ids.get(owner, owner)

    def _logged_in(self, owner: str) -> dict[str, str]:
        """The header of one who logged in by her first name; her token outlives that."""
        if owner not in self._tokens:
            body = {"username": self._names[owner], "password": PASSWORD}
            while (reply := self._link.one(post("/login", body))).status == 503:
                time.sleep(0.1)
            assert reply.status == 200, reply
            self._tokens[owner] = reply.json()["access_token"]
        return {"Authorization": f"Bearer {self._tokens[owner]}"}


@contextmanager
def people(port: int, number: int, rests: float = 0.0) -> Iterator[list[HttpClient]]:
    """So many, each with a connection of its own."""
    with ExitStack() as links:
        yield [HttpClient(links.enter_context(Client(port)), rests) for _ in range(number)]


def refusal(reply: Reply) -> Answer:
    """What it means that a name was not given."""
    if reply.status == 503:
        return Answer("unknown" if reply.code == "outcome_unknown" else "unchanged")
    assert reply.status == 409, reply
    return Answer("refused", reply.code)


def with_ids(history: Sequence[Operation]) -> list[Operation]:
    """Every copy of a request under the id that one of its copies was told."""
    known = {one.request: one.owner for one in history if one.request and one.outcome == "done"}
    return [replace(one, owner=known.get(one.request, one.owner)) for one in history]


def bearing(token: str, method: str, path: str, body: Mapping[str, str] | None = None) -> bytes:
    """A request of whom this token is."""
    return _ask(method, path, {"Authorization": f"Bearer {token}"}, body)


def _ask(
    method: str, path: str, headers: Mapping[str, str], body: Mapping[str, str] | None = None
) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    kind = {} if body is None else {"Content-Type": "application/json"}
    head = {"Host": "localhost", **kind, **headers, "Content-Length": str(len(data))}
    lines = [f"{name}: {value}" for name, value in head.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + data
