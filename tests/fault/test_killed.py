"""A worker is killed between COMMIT and its reply: who asks again is told what is so."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import pytest

from dibs.names import parse
from dibs.registry.holds import Held
from dibs.store.database.runs import DriverRun
from dibs.store.names.store import NameStore
from tests.histories import assert_history
from tests.race.harness import in_new_process
from tests.race.lives import Worker
from tests.support.contract import AN_HOUR_MS, a_claim, soon, win

pytestmark = pytest.mark.fault

TOKEN, OWNER = "t" * 32, "o" * 36
REQUEST = (b"the same", b"request")


def hold(worker: Worker) -> object:
    return worker.parts.holds.hold(
        "ada", source="198.51.100.7", request=REQUEST, repeatable=True, deadline=soon()
    )


def register(worker: Worker) -> object:
    return win(worker.store, a_claim(parse("ada"), owner=OWNER, token=TOKEN, user=True)).owner


def redeem(worker: Worker) -> object:
    claim = a_claim(parse("ada"), owner=OWNER, token=TOKEN, user=True, hold="the hold")
    return win(worker.store, claim).owner


def rename(worker: Worker) -> object:
    return worker.parts.renames.rename("grace", user_id=OWNER, deadline=soon()).became


def release(worker: Worker) -> object:
    return worker.parts.registry.release("ada", owner=OWNER, deadline=soon())


def delete(worker: Worker) -> object:
    return worker.users.delete(OWNER, quarantine=AN_HOUR_MS, deadline=soon())


def nothing(store: NameStore) -> None:
    del store


def a_user(store: NameStore) -> None:
    win(store, a_claim(parse("ada"), owner=OWNER, user=True))


def a_hold(store: NameStore) -> None:
    win(store, a_claim(parse("ada"), token="the hold", lasts=AN_HOUR_MS))


# What is there before, what is done, what the history says of it, and what the retry is told.
CASES: Mapping[str, tuple[Callable[..., None], Callable[..., object], list[str], object]] = {
    "hold": (nothing, hold, ["held"], Held),
    "register": (nothing, register, ["claimed"], OWNER),
    "redeem": (a_hold, redeem, ["claimed"], OWNER),
    "rename": (a_user, rename, ["left", "renamed"], "grace"),
    "release": (a_user, release, ["released"], False),  # it is hers no more
    "delete": (a_user, delete, ["released"], False),  # there is no such user
}


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[Callable[..., None], ...]:
    found: tuple[Callable[..., None], ...] = request.param
    return found


@pytest.fixture
def store(own_url: str) -> Iterator[NameStore]:
    """Of a database of its own: the sessions of who was killed outlive it for a while."""
    with Worker(own_url) as worker:
        yield worker.store


def die_after_commit(url: str, do: Callable[[Worker], object]) -> None:
    """Changes something; nobody hears of it."""
    execute = DriverRun._execute

    def dying(self: DriverRun, sql: str, params: Mapping[str, object]) -> None:
        execute(self, sql, params)
        if sql == "COMMIT":
            os.kill(os.getpid(), signal.SIGKILL)

    DriverRun._execute = dying  # type: ignore[method-assign]  # in a process of its own
    do(Worker(url))


def test_the_retry_is_told_the_truth(own_url: str, store: NameStore, case) -> None:
    """On another worker; and it changes nothing a second time."""
    prepare, do, leads, answer = case
    prepare(store)
    before = assert_history(store)
    assert in_new_process(partial(die_after_commit, own_url, do)) == -signal.SIGKILL
    after = assert_history(store)
    assert sorted(one.action for one in after if one not in before) == leads
    with Worker(own_url) as worker:
        for _ in range(2):
            told = do(worker)
            assert told == answer or type(told) is answer
    assert assert_history(store) == after
