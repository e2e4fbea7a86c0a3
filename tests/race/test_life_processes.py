"""The same from two processes: nothing that one of them keeps in memory decides."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dibs.names import parse
from dibs.store import Won
from dibs.store.names.store import NameStore
from tests.contract.rows import expire
from tests.histories import assert_history
from tests.race.harness import at_once, claim_at_once, in_processes
from tests.race.lives import Worker
from tests.support.contract import AN_HOUR_MS, a_claim, settled, soon, win

pytestmark = pytest.mark.race

ROUNDS = 5
PROCESSES = 2


def test_processes_take_an_expired_hold_over_once(store: NameStore, tmp_path: Path) -> None:
    """Two of them with sixteen threads each: nothing that one keeps in memory decides."""
    url = store.engine.url.render_as_string(hide_password=False)
    keys = [f"name{i}" for i in range(2)]
    for key in keys:
        win(store, a_claim(key, lasts=AN_HOUR_MS))
    expire(store, *keys)
    in_processes(partial(take_over, url, keys, tmp_path), PROCESSES)
    owners = [line for path in tmp_path.iterdir() for line in path.read_text().split()]
    rows = store.find(keys, deadline=soon())
    assert sorted(owners) == sorted(str(row.owner) for row in rows.values())
    assert [row.version for row in rows.values()] == [2, 2]
    assert_history(store)


def take_over(url: str, keys: list[str], folder: Path) -> None:
    """Writes down for whom it won."""
    with Worker(url) as worker:
        claims = [a_claim(key) for key in keys for _ in range(16)]
        outcomes = settled(claim_at_once([worker.store], claims))
        won = [str(outcome.row.owner) for outcome in outcomes if isinstance(outcome, Won)]
    (folder / str(os.getpid())).write_text("\n".join(won))


def test_processes_rename_each_other(store: NameStore) -> None:
    """Who wants the others' names from two processes at once is refused or served, never lost."""
    url = store.engine.url.render_as_string(hide_password=False)
    for i in range(3):
        win(store, a_claim(parse(f"name{i}"), owner=f"user{i}", user=True))
    in_processes(partial(rename_about, url), PROCESSES)
    rows = [store.names_of("user", f"user{i}", deadline=soon()) for i in range(3)]
    assert [len(one) for one in rows] == [1] * 3
    assert_history(store)


def rename_about(url: str) -> None:
    """Every answer is one of those that are true."""
    dice = random.Random(os.getpid())
    with Worker(url) as worker:
        row = worker.row("name0")
        assert row is not None
        for _ in range(ROUNDS):
            jobs = [
                partial(worker.rename, replace(row, owner=f"user{i}"), f"name{dice.randrange(5)}")
                for i in range(3)
            ]
            assert set(at_once(jobs)) <= {"done", "taken", "quarantined"}
