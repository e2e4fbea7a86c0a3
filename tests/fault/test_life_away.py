"""Holds, renames and old addresses while the database is stopped, and when it is back."""

from __future__ import annotations

import json

import pytest

from tests.fault.helpers import eventually
from tests.load import Answer, get, post, register
from tests.service import Service
from tests.services import Server

pytestmark = pytest.mark.fault

PASSWORD = "correct horse battery"
KEY = json.dumps("0123456789abcdef")


def asked(method: str, path: str, body: object = None, **headers: str) -> bytes:
    return post(path, body or {}, **headers).replace(b"POST", method.encode(), 1)


def away(answer: Answer) -> bool:
    """A problem that says to come again."""
    return (
        answer.status == 503
        and answer.code in ("unavailable", "outcome_unknown")
        and int(answer.headers["retry-after"]) >= 1
    )


def test_nothing_is_a_500(server: Server, url: str) -> None:
    """Each route says 503, and what was there before is there again."""
    with Service(url, password="optional", argon2_memory_kib=64, quarantine="90") as service:
        assert service.one(register("ada", PASSWORD)).status == 201
        login = post("/login", {"username": "ada", "password": PASSWORD})
        who = {"Authorization": f"Bearer {service.one(login).json()['access_token']}"}
        wish = asked("PATCH", "/users/me", {"username": "lovelace"}, **who)
        assert service.one(wish).status == 200
        hold = post("/holds", {"username": "eve"}, Idempotency_Key=KEY)
        token = service.one(hold).json()["hold_token"]
        requests = [
            hold,
            post("/holds", {"username": "grace"}),
            asked("DELETE", f"/holds/{token}"),
            post("/register", {"username": "eve", "hold_token": token}),
            asked("PATCH", "/users/me", {"username": "countess"}, **who),
            asked("DELETE", "/users/me", **who),
            get("/users/by-name/ada"),
            get("/usernames/ada"),
            post("/usernames/check", {"names": ["ada", "eve"]}),
        ]
        server.stop()
        answers = [service.one(request) for request in requests]
        server.start()
        assert [one for one in answers if not away(one)] == []
        assert eventually(lambda: service.one(get("/usernames/ada")).status == 200)
        assert service.one(get("/users/by-name/ada")).status == 308
        again = service.one(hold)
        assert (again.status, again.json()["hold_token"]) == (201, token)
        assert service.one(requests[3]).status == 201
        assert service.one(requests[4]).status == 200
