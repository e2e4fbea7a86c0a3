"""A database that answers and takes no writes: `/readyz` and `dibs check` say so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from dibs.app import create_app
from dibs.errors import NotWritable
from dibs.state import parts_of
from dibs.store import Won
from dibs.store.names import store as stores
from dibs.store.names.store import NameStore
from tests.backends import SQLITE, open_store, path_of
from tests.cli.terminal import Terminal
from tests.fault.helpers import BUDGET, ask, eventually, read_only
from tests.services import PostgresServer, Server
from tests.services.postgres import Standby
from tests.support.contract import a_claim, soon

pytestmark = pytest.mark.fault

SENTENCE = "The database answers, but nothing can be written to it"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "TRIED", 0.0)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: Any, capsys: Any) -> Terminal:
    return Terminal(tmp_path, monkeypatch, capsys)


@pytest.fixture
def file() -> Iterator[str]:
    url = SQLITE.migrated()
    yield url
    SQLITE.drop(url)


def is_writable(store: NameStore) -> bool:
    store.engine.dispose()  # a session keeps what it began with
    try:
        store.verify_writable(deadline=soon())
    except NotWritable:
        return False
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT 1 FROM dibs_names WHERE state = 'x'")).all() == []
    return True


def said_of(url: str, terminal: Terminal) -> None:
    """That `/readyz` and `dibs check` say it."""
    app = create_app({"DIBS_DATABASE_URL": url, "DIBS_PASSWORD": "off"})
    answer = app.test_client().get("/readyz")
    said: Any = answer.json
    assert (answer.status_code, said["code"]) == (503, "unavailable")
    assert said["detail"].startswith(SENTENCE)
    parts_of(app).close()
    terminal.set(database_url=url, password="off")
    check = terminal.dibs("check")
    assert (check.status, SENTENCE in check.err) == (1, True), check


def test_a_read_only_server(server: Server, url: str, store: NameStore, terminal: Terminal) -> None:
    """From one moment to the next, and back; nothing of a trial stays."""
    off, on = read_only(server, url)
    assert is_writable(store)
    server.execute(on)
    try:
        assert not is_writable(store)
        said_of(url, terminal)
    finally:
        server.execute(off)
    assert is_writable(store)
    assert isinstance(ask(store, a_claim("ada")), Won)
    assert terminal.dibs("check").status == 0


def test_a_standby(server: Server, url: str, terminal: Terminal) -> None:
    """Its address by mistake, or after a failover; promoted, it is as good as any."""
    if not isinstance(server, PostgresServer):
        pytest.skip("the others have no standby of this kind")
    with Standby(server) as standby:
        there = url.replace(f":{server.port}/", f":{standby.port}/")
        store = open_store(there, budget=BUDGET)
        assert not is_writable(store)
        said_of(there, terminal)
        standby.execute("SELECT pg_promote()")
        assert eventually(lambda: is_writable(store))
        store.close()


FULL = """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON dibs_names EXECUTE FUNCTION full_disk()
"""


def test_a_full_disk_of_a_server(server: Server, url: str, store: NameStore) -> None:
    if not isinstance(server, PostgresServer):
        pytest.skip("no other says this on demand")
    server.execute(FULL, url)
    assert not is_writable(store)
    server.execute("DROP TRIGGER full_disk ON dibs_names", url)
    assert is_writable(store)


def test_a_file(file: str, terminal: Terminal) -> None:
    """Full, or not to be written; afterwards it is as it was."""
    store = open_store(file, budget=BUDGET)
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    full = f"PRAGMA max_page_count = {pages}"
    event.listen(store.engine, "connect", lambda one, _: one.execute(full).close())
    assert not is_writable(store)
    store.close()
    said_of(f"sqlite:///file:{path_of(file)}?mode=ro&uri=true", terminal)
    store = open_store(file, budget=BUDGET)
    assert is_writable(store)
    store.close()


def test_a_trial_a_second_at_most(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often somebody asks; and what was found is said until the next."""
    store, sent = open_store(file, budget=BUDGET), []
    monkeypatch.setattr(stores, "TRIED", 3600.0)
    monkeypatch.setattr(store, "_try", lambda deadline: sent.append(time.monotonic()))
    for _ in range(3):
        store.verify_writable(deadline=soon())
    assert len(sent) == 1
    store.close()
