"""A database that went back in time is noticed; nothing that people do looks like that."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from dibs.adopt.importing import import_people, undo
from dibs.adopt.people import Person
from dibs.cache import NameFilter, TakenNames
from dibs.cache.redis.address import Address
from dibs.cache.redis.breaker import RedisBreaker
from dibs.cache.redis.confirmed import RedisConfirmed
from dibs.config.namespaces import only
from dibs.names import username
from dibs.observe import Counters
from dibs.registry import restores
from dibs.registry.restores import SENTENCE, Elsewhere, RestoreWatch
from dibs.store import NameStore
from dibs.store.names.quarantine import Quarantine
from dibs.store.names.rekey import Rekey
from dibs.store.schema import upgrade
from tests.backends import BACKENDS, SQLITE, Backend, open_store, path_of
from tests.cli.terminal import Terminal
from tests.conftest import missing
from tests.fault.helpers import BUDGET, eventually
from tests.load import get, register
from tests.service import Service
from tests.services import PostgresServer, RedisServer, ServiceMissing
from tests.services.postgres import _program
from tests.support.contract import a_claim, a_name, soon, win

pytestmark = pytest.mark.fault

WITHIN_S = 5.0
NOISE_S = 10.0


STRICT = 41
"""The rules version of `strict`."""


def watching(store: NameStore, folder: Path, elsewhere: Elsewhere | None = None) -> RestoreWatch:
    return RestoreWatch(
        store,
        TakenNames(),
        NameFilter(),
        budget=BUDGET,
        folder=folder,
        namespaces=only("default"),
        elsewhere=elsewhere,
    )


@pytest.fixture(autouse=True)
def unheld(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test's lines are written, though another had the same."""
    monkeypatch.setattr(restores.log, "filters", [])


@pytest.fixture
def kept() -> Iterator[str]:
    url = SQLITE.migrated()
    yield url
    SQLITE.drop(url)


def found(watch: RestoreWatch) -> bool:
    watch.recall(deadline=soon())
    return watch.went_back(deadline=soon())


def test_a_file_that_was_put_back(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found by the next server from what the last one had written down; once, until accepted."""
    file, backup = path_of(kept), tmp_path / "backup.db"
    store = open_store(kept, budget=BUDGET)
    watch = watching(store, tmp_path)
    watch.recall(deadline=soon())
    win(store, a_claim("ada"))
    store.transactions.rows("PRAGMA wal_checkpoint(TRUNCATE)", {}, deadline=soon())
    shutil.copy(file, backup)
    win(store, a_claim("bob"))
    watch.start()
    watch.close()
    store.close()
    for end in ("-wal", "-shm"):
        Path(file + end).unlink(missing_ok=True)
    shutil.copy(backup, file)
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    terminal.set(database_url=kept, home=str(tmp_path), password="off")
    said = terminal.dibs("check")
    assert (said.status, f"Error: {SENTENCE}\n" in said.err) == (1, True), said
    said = terminal.dibs("check", "--accept-restore")
    assert (said.status, "The database is accepted as it is" in said.out) == (0, True), said
    assert terminal.dibs("check").status == 0
    said = terminal.dibs("check", "--accept-restore")
    assert (said.status, "Nothing is to be accepted" in said.out) == (0, True), said


@pytest.mark.parametrize("backend", BACKENDS, ids=str)
def test_what_is_no_restore(backend: Backend, tmp_path: Path) -> None:
    """Releases, quarantine, names taken again, and a change that was never confirmed."""
    try:
        url = backend.migrated()
    except ServiceMissing as error:
        missing(error)
        raise
    store = open_store(url, budget=BUDGET)
    watch = watching(store, tmp_path)
    for name in ("ada", "bob"):
        claim = a_claim(name)
        win(store, claim)
        rest = Quarantine(60_000) if name == "bob" else Quarantine(0)
        key = claim.username.key
        assert store.release(key, owner=claim.owner, rest=rest, deadline=soon())
        assert not found(watch)
    win(store, a_claim("ada"))
    store.transactions.change("DELETE FROM dibs_history", {}, deadline=soon())
    assert not found(watch)
    backend.execute("UPDATE dibs_names SET version = 2 WHERE name_key = 'ada'", url)
    assert found(watch)
    store.close()
    backend.drop(url)


def test_imports_and_rules_that_come_and_go(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both delete rows: names that nobody has used since, and companions."""
    monkeypatch.setattr(username, "FRESH_S", 0.0)
    with ExitStack() as stack:
        stores = [open_store(kept, budget=BUDGET, lookalikes=one) for one in ("standard", "strict")]
        for store in stores:
            stack.callback(store.close)
        watches = [watching(store, tmp_path) for store in stores]
        engine = create_engine(kept, poolclass=NullPool)
        stack.callback(engine.dispose)

        def register(name: str, side: int = 0) -> None:
            win(stores[side], a_claim(stores[side].parser.existing(name), owner=name))
            assert not any(map(found, watches))

        register("bob")
        people = [Person(str(at), name) for at, name in enumerate(("ada", "Bob", "cleo", "Cleo"))]
        import_people(engine, iter(people), kind="user", parser=stores[0].parser)
        assert stores[0].release("ada", owner="0", rest=Quarantine(0), deadline=soon())
        register("ada")
        undo(engine, kind="user")
        register("cleo")
        work = Rekey(stores[0].transactions, lease=0.0)
        work.begin(STRICT)
        register("mike")
        work.back()
        register("paypai")
        work.begin(STRICT)
        register("sofia", 0)
        register("lisa", 1)
        work.switch()
        register("zed", 1)
        work.finish()
        register("moritz", 1)


def test_a_clock_that_was_put_back(
    kept: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was accepted stays so, and the next loss is noticed like the first."""
    store = open_store(kept, budget=BUDGET)
    watch = watching(store, tmp_path)
    for name in ("ada", "bob"):
        win(store, a_claim(a_name(name, display=name.title())))
        assert not found(watch)
        lose = f"DELETE FROM dibs_names WHERE name_key = '{name}'"
        store.transactions.change(lose, {}, deadline=soon())
        assert found(watch)
        assert f"(lost: {name.title()!r}, version 1)" in caplog.text
        assert watch.accept(deadline=soon())
        assert not found(watch)
        later = "UPDATE dibs_restores SET accepted_at = accepted_at + 86400000"
        store.transactions.change(later, {}, deadline=soon())
        assert not found(watch)
    store.close()


def test_a_folder_that_takes_nothing(
    kept: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The server says so once, and compares what it has seen itself."""
    folder = tmp_path / "home"
    folder.write_text("")
    store = open_store(kept, budget=BUDGET)
    watch = watching(store, folder)
    watch.start()
    for name in ("ada", "bob"):
        win(store, a_claim(name))
        assert eventually(lambda: not store.transactions.acknowledged)
    assert eventually(lambda: "is not kept in" in caplog.text)
    store.transactions.change("DELETE FROM dibs_names", {}, deadline=soon())
    assert eventually(lambda: "went back in time" in caplog.text)
    watch.close()
    assert caplog.text.count("is not kept in") == 1
    store.close()


def test_two_servers_in_one_folder(kept: str, tmp_path: Path) -> None:
    """Which may go away beneath them: what one wrote the other keeps, and nothing is cut off."""
    stores = [open_store(kept, budget=BUDGET) for _ in range(2)]
    watches = [watching(store, tmp_path / "home") for store in stores]
    for watch in watches:
        watch.start()
    for number in range(2):
        for store in stores:
            win(store, a_claim(f"n{number}x{stores.index(store)}"))
        assert eventually(lambda: len(written(tmp_path / "home")) == 2)
        shutil.rmtree(tmp_path / "home")
    for watch, store in zip(watches, stores, strict=True):
        watch.close()
        store.close()


def test_a_server_without_a_file(kept: str, tmp_path: Path) -> None:
    """Redis knows; of another database, and of what is none of ours, it knows nothing."""
    store = open_store(kept, budget=BUDGET)
    secret = store.secret(deadline=soon())
    try:
        redis = RedisServer().start()
    except ServiceMissing as error:
        missing(error)
        raise
    link = RedisBreaker(Address(redis.url), connections=4, counters=Counters())
    assert link.wait(10)
    ours = RedisConfirmed(link, secret=lambda _: secret)
    ours.add([("default", "bob", 1, 0, "Bob")], deadline=soon())
    link.call(
        lambda client: client.lpush(client.keys("dibs:1:confirmed:*")[0], b"x"), soon().caches
    )
    other = RedisConfirmed(link, secret=lambda _: "another")
    assert (ours.read(deadline=soon()), other.read(deadline=soon())) == (
        [("default", "bob", 1, 0, "Bob")],
        [],
    )
    assert found(watching(store, tmp_path / "new", ours))
    link.close()
    redis.close()
    store.close()


def written(folder: Path) -> list[list[object]]:
    """What is in the file."""
    return [one for file in folder.glob("confirmed-*.json") for one in json.loads(file.read_text())]


def ready(service: Service) -> str:
    said: dict[str, str] = json.loads(service.one(get("/readyz")).body)
    return said["status"]


def test_under_two_servers(own_postgres: PostgresServer) -> None:
    """One of them idle: both know within five seconds, and both go on."""
    url = own_postgres.create_database()
    dump = own_postgres.folder / "dump"
    where = ["--host=127.0.0.1", f"--port={own_postgres.port}", "--username=postgres"]
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        upgrade(url)
        busy = Service(url, redis_url=redis.url, strategy="cache_aside", workers=1)
        stack.enter_context(busy)
        idle = stack.enter_context(Service(url, workers=1))
        assert busy.one(register("ada")).status == 201
        database = url.rpartition("/")[2]
        subprocess.run([_program("pg_dump"), *where, "-Fc", "-f", dump, database], check=True)
        assert busy.one(register("bob")).status == 201
        assert busy.one(register("bob")).status == 409
        assert eventually(lambda: "bob" in confirmed(busy))
        back = [_program("pg_restore"), *where, "--clean", "--single-transaction", "-d", database]
        subprocess.run([*back, dump], check=True)
        for service in (busy, idle):
            assert eventually(
                partial(lambda one: "went back in time" in one.log(), service),
                timeout_s=WITHIN_S + NOISE_S,
            )
            assert ready(service) == "restored"
        # What Redis remembered of it is gone: its owner may have it again.
        assert eventually(lambda: busy.one(register("bob")).status == 201)
        assert busy.one(register("ada")).status == 409
        idle.run("check", "--accept-restore")
        for service in (busy, idle):
            assert eventually(partial(lambda one: ready(one) == "ready", service))
        assert busy.one(register("cleo")).status == 201


def confirmed(service: Service) -> str:
    files = service._folder.glob("instance/confirmed-*.json")
    return "".join(file.read_text() for file in files)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer().start()
    except ServiceMissing as error:
        missing(error)
        raise
    yield server
    server.close()
