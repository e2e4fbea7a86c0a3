"""Random traffic on every database, recorded and judged: nothing that cannot be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dibs.checker import Answer, Recorder, Verdict, drive, judge, load
from dibs.store.sql import SqlStore
from dibs.strategies import STRATEGIES
from tests.backends import open_store
from tests.checker.clients import WANTED, RegistryClient, client_of, key_of
from tests.race.harness import in_processes

pytestmark = pytest.mark.race

CLIENTS, PROCESSES = 16, 4
SECONDS = float(os.environ.get("CHECKER_SECONDS", "3"))


@pytest.fixture
def stores(url: str) -> Iterator[list[SqlStore]]:
    """Two workers of a service."""
    stores = [open_store(url, pool_size=CLIENTS // 2) for _ in range(2)]
    yield stores
    for store in stores:
        store.close()


def assert_right(verdict: Verdict) -> None:
    """Nothing wrong, nothing left open, and there was something to be judged."""
    assert (verdict.violations, verdict.undecided) == ((), ()), str(verdict)
    for seen in (("claim", "done"), ("claim", "refused"), ("release", "done")):
        assert verdict.counts[seen] > 0
    assert verdict.counts["release", "refused"] > 0


def test_sixteen_threads(stores: list[SqlStore]) -> None:
    recorder = Recorder()
    clients = [client_of(store) for store in stores]
    drive(clients, recorder, wanted=WANTED, seed=6, seconds=SECONDS, key=key_of)
    assert_right(judge(recorder.operations))


def _traffic(url: str, folder: Path) -> None:
    store = open_store(url, pool_size=CLIENTS // PROCESSES)
    recorder = Recorder(folder / f"{os.getpid()}.jsonl")
    drive(
        [client_of(store)],
        recorder,
        wanted=WANTED,
        seed=os.getpid(),
        threads=CLIENTS // PROCESSES,
        seconds=SECONDS,
        key=key_of,
        label=f"process {os.getpid()} client",
    )
    recorder.close()
    store.close()


def test_four_processes(url: str, store: SqlStore, tmp_path: Path) -> None:
    """Each writes a file of its own; together they are one history."""
    in_processes(partial(_traffic, url, tmp_path), PROCESSES)
    history = load(sorted(tmp_path.iterdir()))
    last = Recorder()
    drive([client_of(store)], last, wanted=WANTED, seed=0, threads=1, rounds=0, key=key_of)
    assert len({one.client for one in history}) == CLIENTS
    assert_right(judge([*history, *last.operations]))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy(strategy: str) -> None:
    """In memory, where more of it fits into a second."""
    recorder = Recorder()
    drive([client_of(strategy=strategy)], recorder, wanted=WANTED, seed=1, rounds=30, key=key_of)
    assert_right(judge(recorder.operations))


class Broken(RegistryClient):
    """Fails in the midst of it."""

    def claim(self, name: str, **others: str) -> Answer:
        raise ZeroDivisionError


def test_a_client_that_fails_ends_the_run() -> None:
    """With its own error, and without the others waiting for it."""
    with pytest.raises(ZeroDivisionError):
        drive(
            [client_of(), Broken(client_of().registry)],
            Recorder(),
            wanted=WANTED,
            seed=1,
            rounds=30,
        )
