"""A service to be driven over HTTP, by people who register, log in and delete themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from dibs.checker import Answer, Operation
from tests.load import Answer as Reply
from tests.load import Client, get, post, register

PASSWORD = "correct horse battery"
SETTINGS: dict[str, Any] = {"password": "required", "argon2_memory_kib": 8, "argon2_passes": 1}
"""For the service: hashes that cost next to nothing."""


@dataclass(slots=True)
class HttpClient:
    """One connection, for one thread; `POST /holds` and `PATCH /users/me` are a method more each.

    The service chooses who is who, so an operation is noted with the id that it has told.
    """

    _link: Client
    _names: dict[str, str] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    def claim(self, name: str, *, owner: str, request: str, hold: str) -> Answer:
        sent = register(name, PASSWORD, Idempotency_Key=json.dumps(request))
        reply = self._link.one(sent)
        if reply.status != 201:
            return refusal(reply)
        self._names[owner], self._ids[owner] = name, reply.json()["id"]
        return Answer(owner=self._ids[owner])

    def release(self, name: str, *, owner: str) -> Answer:
        user = self._ids.get(owner, owner)
        if owner not in self._tokens:
            reply = self._link.one(
                post("/login", {"username": self._names[owner], "password": PASSWORD})
            )
            assert reply.status == 200, reply
            self._tokens[owner] = reply.json()["access_token"]
        reply = self._link.one(_delete("/users/me", self._tokens[owner]))
        if reply.status == 401:  # who has deleted herself is nobody
            return Answer("refused", "not_owner", owner=user)
        assert reply.status in (204, 503), reply
        return Answer("done" if reply.status == 204 else "unknown", owner=user)

    def look(self, name: str) -> Answer:
        reply = self._link.one(get(f"/users/by-name/{quote(name)}"))
        if reply.status == 503:
            return Answer("unchanged")
        return Answer(owner=reply.json()["id"] if reply.status == 200 else "")


@contextmanager
def people(port: int, number: int) -> Iterator[list[HttpClient]]:
    """So many, each with a connection of its own."""
    with ExitStack() as links:
        yield [HttpClient(links.enter_context(Client(port))) for _ in range(number)]


def refusal(reply: Reply) -> Answer:
    """What it means that a registration was not answered 201."""
    if reply.status == 503:
        return Answer("unknown" if reply.code == "outcome_unknown" else "unchanged")
    assert reply.status == 409, reply
    return Answer("refused", reply.code)


def with_ids(history: Sequence[Operation]) -> list[Operation]:
    """Every copy of a request under the id that one of its copies was told."""
    known = {one.request: one.owner for one in history if one.request and one.outcome == "done"}
    return [replace(one, owner=known.get(one.request, one.owner)) for one in history]


def _delete(path: str, token: str) -> bytes:
    head = f"DELETE {path} HTTP/1.1\r\nHost: localhost\r\n"
    return f"{head}Authorization: Bearer {token}\r\n\r\n".encode()
