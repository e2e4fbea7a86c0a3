"""A database that changes under a running service: nothing is granted that it cannot keep."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from dibs.errors import SchemaError
from dibs.store import Failed
from dibs.store.names.store import NameStore
from dibs.store.schema import upgrade
from tests.backends import MARIADB, POSTGRESQL, SQLITE, Backend, open_store
from tests.support.contract import a_claim, soon, win

pytestmark = pytest.mark.fault
LOSE_THE_KEY = {
    "postgresql": "ALTER TABLE dibs_names DROP CONSTRAINT dibs_names_pkey",
    "mariadb": "ALTER TABLE dibs_names DROP PRIMARY KEY, ADD KEY (namespace, name_key)",
}
SERVERS = pytest.mark.parametrize("backend", [POSTGRESQL, MARIADB], ids=str, indirect=True)


@pytest.fixture
def file() -> Iterator[str]:
    url = SQLITE.migrated()
    yield url
    SQLITE.drop(url)


@pytest.fixture
def on_file(file: str) -> Iterator[NameStore]:
    store = open_store(file)
    yield store
    store.close()


def is_refused(store: NameStore, name: str) -> bool:
    (outcome,) = store.claim_many([a_claim(name)], deadline=soon())
    return isinstance(outcome, Failed) and isinstance(outcome.error, SchemaError)


@SERVERS
def test_without_the_constraint_nothing_is_granted(backend: Backend, own_url: str) -> None:
    """A store that starts looks first."""
    backend.execute(LOSE_THE_KEY[backend.name], own_url)
    store = open_store(own_url)
    assert is_refused(store, "ada")
    store.close()


@SERVERS
def test_a_constraint_lost_later_grants_no_name_twice(backend: Backend, own_url: str) -> None:
    """The second row of a name is an error and no second owner."""
    store = open_store(own_url)
    win(store, a_claim("ada"))
    backend.execute(LOSE_THE_KEY[backend.name], own_url)
    assert is_refused(store, "ada")
    store.close()


def test_a_file_that_was_deleted_takes_no_names(file: str, on_file: NameStore) -> None:
    """Rather than names that nobody will ever see again."""
    win(on_file, a_claim("ada"))
    for part in Path(str(make_url(file).database)).parent.glob("*.db*"):
        if part.name.startswith(Path(str(make_url(file).database)).name):
            part.unlink()
    assert is_refused(on_file, "grace")


def test_a_file_that_was_replaced_is_the_one_that_is_used(file: str, on_file: NameStore) -> None:
    """Two workers on two files would each give the name away."""
    win(on_file, a_claim("ada"))
    path, backup = Path(str(make_url(file).database)), SQLITE.migrated()
    for part in (f"{path}-wal", f"{path}-shm"):
        Path(part).unlink(missing_ok=True)
    Path(str(make_url(backup).database)).rename(path)
    win(on_file, a_claim("grace"))
    other = open_store(file)
    assert set(other.find(["ada", "grace"], deadline=soon())) == {"grace"}
    other.close()
    SQLITE.drop(backup)


FULL = """
import resource, signal, sys, time
from dibs.store import Budget, Failed
from tests.support.contract import a_claim, soon
from tests.backends import open_store

store = open_store(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
for i in range(1000):
    started = time.monotonic()
    (outcome,) = store.claim_many([a_claim(f"n{i}", user=True)], deadline=soon())
    if isinstance(outcome, Failed):
        print(outcome.error.code, time.monotonic() - started < 2)
        break
"""


def test_a_full_disk_is_no_doubt(file: str) -> None:
    """What SQLite cannot store at COMMIT it has undone: 503 at once, not "unknown"."""
    said = subprocess.run(
        [sys.executable, "-c", FULL, file], capture_output=True, text=True, timeout=60
    )
    assert said.stdout == "unavailable True\n", said.stderr


def test_a_lost_row_of_rules_is_told_and_put_back(backend: Backend, own_url: str) -> None:
    """`dibs db upgrade` mends what `dibs check` says it does; where there are names, it is lost."""
    before = open_store(own_url)
    win(before, a_claim("grace"))
    before.close()
    backend.execute("DELETE FROM dibs_meta", own_url)
    store = open_store(own_url)
    with pytest.raises(SchemaError, match="dibs db upgrade"):
        store.secret(deadline=soon())
    assert is_refused(store, "ada")
    upgrade(own_url)
    win(store, a_claim("ada"))
    store.close()


@pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)
def test_the_schema_that_an_address_names_is_used(backend: Backend, own_url: str) -> None:
    """Its `options` go before ours."""
    backend.execute("CREATE SCHEMA tenant AUTHORIZATION dibs", own_url)
    url = f"{own_url}?options=-csearch_path%3Dtenant"
    upgrade(url)
    store = open_store(url)
    win(store, a_claim("ada"))
    store.close()
    assert backend.execute("SELECT name_key FROM tenant.dibs_names", own_url) == [("ada",)]
    assert backend.execute("SELECT name_key FROM public.dibs_names", own_url) == []


def test_users_of_another_namespace_are_not_listed(store: NameStore) -> None:
    """Two services on one database know nothing of each other's users."""
    row = win(store, a_claim("ada", namespace="there", user=True))
    assert store.users(limit=10, after=None, deadline=soon()) == []
    assert store.user(str(row.owner), deadline=soon()) is None
    there = store.users(limit=10, after=None, namespace="there", deadline=soon())
    assert [user.username for user in there] == ["ada"]
