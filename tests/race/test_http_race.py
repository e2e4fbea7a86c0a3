"""Sixty-four requests for one name at the same moment, at a service with two workers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any

import pytest

from dibs.names import parse
from dibs.strategies import STRATEGIES
from tests.backends import BACKENDS, POSTGRESQL, Backend, open_store
from tests.conftest import missing
from tests.load import Answer, Client, register
from tests.service import Service
from tests.services import ServiceMissing
from tests.support.contract import soon

pytestmark = pytest.mark.race

REQUESTS = 64
# Each is a race of its own: more of them find what is rare, at 0.5 s of processor time each.
NAMES = int(os.environ.get("RACE_NAMES", "10"))
SOME = max(1, NAMES // 2)
IN_FRONT = ("cache_aside", "membership_filter")
# A disk that others keep busy for two seconds would be told as a database that is
# away, rightly, and that is not what is counted here.
DEADLINE_S = 20.0
TRIES = 5
CELLS = [(backend, strategy) for backend in BACKENDS for strategy in STRATEGIES]
# Composed, decomposed, fullwidth, each in three cases: nine ways to write one name.
SPELLINGS = [
    case(form)
    for form in ("Åsaß", "A\u030asass", "Å\uff53\uff41ß")
    for case in (str.lower, str.upper, str.title)
]
assert len(set(SPELLINGS)) == 9
assert len({parse(spelling).key for spelling in SPELLINGS}) == 1


class Cell:
    """A service and the database behind it."""

    def __init__(self, service: Service, backend: Backend, url: str) -> None:
        self.service, self._backend, self._url = service, backend, url

    def accounts(self) -> dict[str, str]:
        """Every user's id and name; fails if a row of either table is nobody's."""
        store = open_store(self._url)
        users = {u.id: u.username for u in store.users(limit=10_000, after=None, deadline=soon())}
        store.close()
        rows = self._backend.execute("SELECT COUNT(*) FROM dibs_names", self._url)
        assert rows == [(len(users),)]
        nobodys = "SELECT id FROM dibs_users WHERE id NOT IN (SELECT owner FROM dibs_names)"
        assert self._backend.execute(nobodys, self._url) == []
        return users


@contextmanager
def cell(
    backend: Backend, *, first: str = "", deadline: float = DEADLINE_S, **settings: Any
) -> Iterator[Cell]:
    """A service on a new database, in which a statement may be run first."""
    try:
        url = backend.migrated()
    except ServiceMissing as error:
        missing(error)
        raise
    if first:
        backend.execute(first.format(url.rpartition("/")[2]), url)
    with Service(url, deadline=deadline, **settings) as service:
        yield Cell(service, backend, url)
    backend.drop(url)


@pytest.fixture(scope="module", params=CELLS, ids=lambda cell: f"{cell[0]}-{cell[1]}")
def place(request: pytest.FixtureRequest) -> Iterator[Cell]:
    """Every database with every strategy; what one test registers, the next one finds."""
    backend, strategy = request.param
    with cell(backend, strategy=strategy) as made:
        yield made


def race(client: Client, spellings: list[str], password: str | None = None) -> tuple[str, str]:
    """Sends a registration for each spelling, all at once.

    Exactly one is answered 201, and every other one 409 `taken`. Where passwords are hashed, who is
    told that too many wait asks again.

    Returns:
        The winner's id and name.
    """
    requests = [register(name, password) for name in spellings]
    answers = client.send(requests)
    for _ in range(TRIES):
        busy = [i for i, answer in enumerate(answers) if answer.status == 503 and password]
        for i, answer in zip(busy, client.send([requests[i] for i in busy]), strict=True):
            answers[i] = answer
    winners = [(a, name) for a, name in zip(answers, spellings, strict=True) if a.status == 201]
    losers = [answer for answer in answers if answer.status != 201]
    assert [(a.status, a.code) for a in losers] == [(409, "taken")] * (len(spellings) - 1)
    ((winner, name),) = winners
    return check_winner(winner, name), name


def check_winner(winner: Answer, name: str) -> str:
    user = winner.json()
    assert user == {"message": "Registration successful.", "id": user["id"], "username": name}
    assert winner.headers["location"] == f"/users/{user['id']}"
    return str(user["id"])


def test_one_of_64_requests_wins(place: Cell) -> None:
    """For each of many names: one 201, 63 x 409, one account."""
    # What is in front of the insert has races of its own: tests/cache.
    count = SOME if place.service.settings["strategy"] in IN_FRONT else NAMES
    before = place.accounts()
    with place.service.client(REQUESTS) as client:
        won = dict(race(client, [f"name{i}"] * REQUESTS) for i in range(count))
    assert place.accounts() == before | won
    assert len(won) == count


def test_one_of_64_spellings_wins(place: Cell) -> None:
    """However a name is written, it is one name, and its owner's spelling is kept."""
    before = place.accounts()
    with place.service.client(REQUESTS) as client:
        won = dict(
            race(client, [f"{spelling}{i}" for spelling in islice(cycle(SPELLINGS), REQUESTS)])
            for i in range(SOME)
        )
    assert place.accounts() == before | won
    assert len(won) == SOME


def test_one_of_64_passwords_wins() -> None:
    """Hashing, which takes longer than all the rest, opens no gap.

    All 64 may find the name free and hash, which on a busy machine takes longer than the others'
    deadline.
    """
    with cell(POSTGRESQL, password="required", deadline=57) as place:
        with place.service.client(REQUESTS) as client:
            won = dict(race(client, [f"name{i}"] * REQUESTS, "correct horse") for i in range(2))
        assert place.accounts() == won


def test_one_wins_under_serializable() -> None:
    """Where PostgreSQL tells losers 40001, nobody but the service notices."""
    isolation = "ALTER DATABASE {} SET default_transaction_isolation = 'serializable'"
    with (
        cell(POSTGRESQL, first=isolation) as place,
        place.service.client(REQUESTS) as client,
    ):
        won = dict(race(client, [f"name{i}"] * REQUESTS) for i in range(SOME))
        assert place.accounts() == won
