"""One worker's clock is 90 seconds ahead: what is over is decided by the database's.

SQLite has no clock of its own, but that of the process that asks: see docs/life.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from tests.backends import SERVED, Served
from tests.conftest import missing
from tests.load import Answer, get, post, register
from tests.service import Service, ServiceFailed
from tests.services import ServiceMissing

AHEAD_S = 90
LASTS_S = 60
"""Less than that: by the wrong clock all of it would be over at once."""

DAY_MS = 86_400_000
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.race


@dataclass(frozen=True, slots=True)
class Pair:
    """Two servers on one database.

    Attributes:
        right: The one whose clock is right.
        ahead: The other one.
    """

    right: Service
    ahead: Service
    backend: Served
    url: str

    def ways(self) -> list[tuple[Service, Service]]:
        """Who does, and who judges: once each."""
        return [(self.right, self.ahead), (self.ahead, self.right)]

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        return self.backend.execute(statement, self.url)


@contextmanager
def served_ahead(url: str, settings: dict[str, Any]) -> Iterator[Service]:
    """A server whose clock is wrong."""
    service = Service(url, clock=f"+{AHEAD_S}s", **settings).start()
    try:
        yield service
    finally:
        # libfaketime refuses to sleep until a moment that has just gone by, as it ends.
        with suppress(ServiceFailed):
            service.stop()


@pytest.fixture(scope="module", params=SERVED, ids=str)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    backend: Served = request.param
    settings: dict[str, Any] = {
        "workers": 1,
        "password": "optional",
        "argon2_memory_kib": 64,
        "hold_seconds": LASTS_S,
        "quarantine": f"{LASTS_S / 86_400:.10f}",
        "rename_pause": LASTS_S,
        "refresh_seconds": LASTS_S,
        "deadline": 20,
        "keys_file": tmp_path_factory.mktemp("clock") / "keys.json",
    }
    try:
        url = backend.migrated()
        with Service(url, **settings) as right, served_ahead(url, settings) as ahead:
            yield Pair(right, ahead, backend, url)
    except ServiceMissing as error:
        missing(error)
        raise
    backend.drop(url)


def asked(method: str, path: str, token: str, body: object = None) -> bytes:
    """A request of somebody who is logged in."""
    request = post(path, body, Authorization=f"Bearer {token}")
    return request.replace(b"POST", method.encode(), 1)


def log_in(service: Service, name: str) -> dict[str, Any]:
    answer = service.one(post("/login", {"username": name, "password": PASSWORD}))
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: Answer, code: str) -> None:
    assert (answer.status, answer.code) == (409, code), answer


def test_the_clock_is_wrong(pair: Pair) -> None:
    """Or nothing else here would say anything."""
    dates = [service.one(get("/healthz")).headers["date"] for service, _ in pair.ways()]
    assert dates[0] != dates[1]


def test_a_hold_ends_when_it_should(pair: Pair) -> None:
    for number, (here, there) in enumerate(pair.ways()):
        name = f"held{number}"
        held = here.one(post("/holds", {"username": name})).json()
        assert LASTS_S - 30 < held["expires_in"] <= LASTS_S
        for service in (here, there):
            answer = service.one(register(name))
            refused(answer, "held")
            assert 0 < int(answer.headers["retry-after"]) <= LASTS_S
        body = {"username": name, "hold_token": held["hold_token"]}
        assert there.one(post("/register", body)).status == 201


def test_a_quarantine_ends_when_it_should(pair: Pair) -> None:
    """And so does the time in which its last owner may have it back."""
    for number, (here, there) in enumerate(pair.ways()):
        old, new = f"old{number}", f"new{number}"
        here.one(register(old, PASSWORD))
        token = log_in(here, old)["access_token"]
        answer = here.one(asked("PATCH", "/users/me", token, {"username": new}))
        assert answer.status == 200, answer
        for service in (here, there):
            refused(service.one(register(old, PASSWORD)), "quarantined")
            assert service.one(get(f"/users/by-name/{old}")).status == 308


def test_a_pause_ends_when_it_should(pair: Pair) -> None:
    """The token was made by the right one: of the other see below."""
    pair.right.one(register("grace", PASSWORD))
    token = log_in(pair.right, "grace")["access_token"]
    first = asked("PATCH", "/users/me", token, {"username": "hopper"})
    assert pair.right.one(first).status == 200
    for service in (pair.ahead, pair.right):
        answer = service.one(asked("PATCH", "/users/me", token, {"username": "murray"}))
        assert (answer.status, answer.code) == (429, "renamed_too_often")
        assert 0 < int(answer.headers["retry-after"]) <= LASTS_S


def test_a_stored_answer_is_kept_as_long_as_it_should(pair: Pair) -> None:
    """24 hours: a minute before that, one worker's clock says that it is over."""
    for number, (here, there) in enumerate(pair.ways()):
        request = register(f"kept{number}", PASSWORD, Idempotency_Key=f'"{number:016}"')
        first = here.one(request)
        assert first.status == 201
        pair.sql(f"UPDATE dibs_requests SET created_at = created_at - {DAY_MS - 1000 * LASTS_S}")
        again = there.one(request)
        assert (again.status, again.body) == (201, first.body)
        assert again.headers["idempotency-replayed"] == "true"


def test_a_running_request_is_not_taken_for_dead(pair: Pair) -> None:
    """Its deadline and two seconds are not over because a clock says so."""
    for number, (here, there) in enumerate(pair.ways()):
        request = register(f"busy{number}", PASSWORD, Idempotency_Key=f'"{number:020}"')
        here.one(request)
        # As if the first server were still at it.
        pair.sql("UPDATE dibs_requests SET state = 'running'")
        answer = there.one(request)
        refused(answer, "request_in_progress")
        assert 0 < int(answer.headers["retry-after"]) <= 22


def test_a_session_ends_when_it_should(pair: Pair) -> None:
    for number, (here, there) in enumerate(pair.ways()):
        here.one(register(f"name{number}", PASSWORD))
        tokens = log_in(here, f"name{number}")
        for service in (there, here):
            answer = service.one(post("/refresh", {"refresh_token": tokens["refresh_token"]}))
            assert answer.status == 200, answer
            tokens = answer.json()


def test_an_access_token_knows_no_clock_but_its_makers(pair: Pair) -> None:
    """It is read without the database: what that means is in docs/accounts.md."""
    pair.right.one(register("ada", PASSWORD))
    theirs, early = (log_in(service, "ada")["access_token"] for service, _ in pair.ways())
    assert pair.ahead.one(asked("GET", "/users/me", theirs)).status == 200
    answer = pair.right.one(asked("GET", "/users/me", early))
    assert (answer.status, answer.code) == (401, "token_invalid")
