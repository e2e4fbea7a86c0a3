"""A file that is locked, full or not to be written."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import event

from dibs.store import Won
from dibs.store.names.store import NameStore
from dibs.store.schema import upgrade
from tests.backends import SQLITE, open_store, path_of
from tests.fault.helpers import BUDGET, ask, ask_all, is_unavailable, within
from tests.support.contract import a_claim, kinds, look_up, soon

pytestmark = pytest.mark.fault


@pytest.fixture
def url() -> Iterator[str]:
    url = SQLITE.migrated()
    yield url
    SQLITE.drop(url)


@pytest.fixture
def store(url: str) -> Iterator[NameStore]:
    store = open_store(url, budget=BUDGET)
    yield store
    store.close()


def test_a_locked_file_is_unavailable(url: str, store: NameStore) -> None:
    """Within the deadline, for all who wait, and nothing is written afterwards."""
    with closing(sqlite3.connect(path_of(url), isolation_level=None)) as other:
        assert isinstance(ask(store, a_claim("before")), Won)
        other.execute("BEGIN IMMEDIATE")
        with within(BUDGET.deadline):
            outcomes = ask_all(store, [f"n{i}" for i in range(8)])
        assert all(is_unavailable(outcome) for outcome in outcomes)
        assert store.find(["n0"], deadline=soon()) == {}
    assert isinstance(ask(store, a_claim("first")), Won)
    assert store.find([f"n{i}" for i in range(8)], deadline=soon()) == {}


def test_a_read_only_file_is_unavailable(url: str, store: NameStore) -> None:
    """Reads go on."""
    assert isinstance(ask(store, a_claim("before")), Won)
    reader = open_store(f"sqlite:///file:{path_of(url)}?mode=ro&uri=true", budget=BUDGET)
    assert is_unavailable(ask(reader, a_claim("ada")))
    assert look_up(reader, "before") is not None
    assert look_up(reader, "ada") is None
    reader.close()


def test_a_full_disk_is_unavailable(store: NameStore) -> None:
    """What was won before stays, what was refused is not there."""
    full = "PRAGMA max_page_count = 40"
    event.listen(store.engine, "connect", lambda connection, _: connection.execute(full).close())
    names = [f"{i:0>800}" for i in range(100)]
    outcomes = {name: ask(store, a_claim(name)) for name in names}
    won = {name for name, outcome in outcomes.items() if isinstance(outcome, Won)}
    assert won
    assert all(is_unavailable(o) for name, o in outcomes.items() if name not in won)
    assert won < set(names)
    assert set(store.find(names, deadline=soon())) == won


def test_a_file_that_is_no_database_is_unavailable(url: str) -> None:
    """Nor is it 'taken'."""
    with open(path_of(url), "wb") as file:
        file.write(b"this is not a database, and long enough to tell " * 100)
    store = open_store(url, budget=BUDGET)
    assert is_unavailable(ask(store, a_claim("ada")))
    store.close()


KILLED = """
import itertools, os, sys
from tests.support.contract import a_claim, win
from tests.backends import open_store
store = open_store(sys.argv[1])
for i in itertools.count():
    win(store, a_claim(f"n{i}", user=True))
    print(i, flush=True)
"""


def test_what_was_won_outlives_the_process(url: str, store: NameStore) -> None:
    """A worker killed in the middle of its work had told no lie."""
    command = [sys.executable, "-c", KILLED, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        lines = [worker.stdout.readline() for _ in range(50)]
        worker.kill()
        lines += worker.stdout.readlines()
    told = [f"n{int(line)}" for line in lines if line.endswith("\n")]
    found = store.find([*told, f"n{len(told)}"], deadline=soon())
    assert set(told) <= set(found)
    assert {row.owner for row in found.values()} == {
        user.id for user in store.users(limit=10_000, after=None, deadline=soon())
    }


def test_many_wait_their_turn(store: NameStore) -> None:
    """One writer at a time does not mean one winner at a time."""
    assert kinds(ask_all(store, [f"n{i}" for i in range(32)])) == [Won] * 32


def test_nobody_else_reads_a_new_file(tmp_path):
    """Wherever its address says that it is: it holds hashes and a secret."""
    upgrade(f"sqlite:///{tmp_path}/own.db")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_the_mode_of_a_file_that_is_there_is_its_owners(tmp_path):
    (tmp_path / "own.db").touch(mode=0o640)
    upgrade(f"sqlite:///{tmp_path}/own.db")
    assert (tmp_path / "own.db").stat().st_mode & 0o777 == 0o640
