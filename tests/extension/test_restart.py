"""When the database itself says no: told apart by code, and then only a rollback is accepted."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import IntegrityError, PendingRollbackError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import StaticPool

from dibs.errors import NameTaken, SchemaError, StoreUnavailable, TransactionMustRestart
from tests.backends import BACKENDS, MARIADB, POSTGRESQL, SERVED
from tests.extension.conftest import Host, close, make_host
from tests.services.tools import free_port

only_mariadb = pytest.mark.parametrize("backend", [MARIADB], ids=str, indirect=True)
only_postgresql = pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)
served = pytest.mark.parametrize("backend", SERVED, ids=str, indirect=True)
all_backends = pytest.mark.parametrize("backend", BACKENDS, ids=str, indirect=True)

Opens = Callable[..., Session]


@pytest.fixture
def host(app_url: str, backend) -> Iterator[Host]:
    """The app, with two users who are committed and have no name yet."""
    impatient = {"connect_args": {"timeout": 0.1}} if backend.name == "sqlite" else {}
    host = make_host(app_url, SQLALCHEMY_ENGINE_OPTIONS=impatient)
    with host.app.app_context():
        host.user("ada@example.org")
        host.user("eve@example.org")
        host.dibs.check("Ada")  # the first use looks at the tables
        host.db.session.commit()
        host.db.session.remove()
        yield host
    close(host)


@pytest.fixture
def opens(host: Host) -> Iterator[Opens]:
    """Opens sessions, each with a connection of its own."""
    opened: list[Session] = []
    maker = sessionmaker(host.db.engine, expire_on_commit=False)

    def one(isolation: str | None = None) -> Session:
        opened.append(maker())
        if isolation:
            opened[-1].connection(execution_options={"isolation_level": isolation})
        return opened[-1]

    yield one
    for session in opened:
        session.close()


def user(host: Host, session: Session, email: str = "ada@example.org") -> Any:
    """A user in this session; dibs uses the session of the owner."""
    return session.scalars(select(host.User).filter_by(email=email)).one()


def code(error: BaseException) -> Any:
    """The driver's own code of what caused this."""
    origin = getattr(error.__cause__, "orig", None)
    assert origin is not None
    if isinstance(origin.args[0], int):
        return origin.args[0]
    return getattr(origin, "sqlstate", None) or getattr(origin, "sqlite_errorcode", None)


def assert_only_rollback(host: Host, session: Session) -> None:
    """Neither a statement nor a COMMIT goes through until the transaction is rolled back."""
    for attempt in (
        lambda: session.execute(text("SELECT 1")),
        lambda: session.connection().execute(text("SELECT 1")),
        lambda: session.begin_nested().session.execute(text("SELECT 1")),
        session.commit,
    ):
        with pytest.raises(PendingRollbackError):
            attempt()
    session.rollback()
    session.execute(text("SELECT 1"))
    session.rollback()


# --- a lock that somebody keeps --------------------------------------------------


LOCKED = {"sqlite": 5, "postgresql": "55P03", "mariadb": 1205}


@all_backends
def test_kept_lock_ends_in_a_restart(host: Host, opens: Opens, backend):
    """SQLITE_BUSY and two lock time-outs; nobody waits longer than about a second."""
    holder, waiter = opens(), opens()
    host.dibs.claim("Ada", owner=user(host, holder))
    eve = user(host, waiter, "eve@example.org")
    began = time.monotonic()
    with pytest.raises(TransactionMustRestart) as raised:
        host.dibs.claim("Ada", owner=eve)
    assert time.monotonic() - began < 3
    assert code(raised.value) == LOCKED[backend.name]
    assert_only_rollback(host, waiter)
    holder.commit()
    with pytest.raises(NameTaken):
        host.dibs.claim("Ada", owner=user(host, waiter, "eve@example.org"))


@all_backends
def test_nothing_of_a_lost_transaction_is_kept(host: Host, opens: Opens):
    """MariaDB would have kept the row, and PostgreSQL would have said nothing."""
    holder, loser = opens(), opens()
    name = "Ada"
    if host.db.engine.dialect.name == "sqlite":
        eve = user(host, loser, "eve@example.org")
        host.dibs.claim(name, owner=user(host, holder))
    else:
        host.dibs.claim(name, owner=user(host, holder))
        eve = user(host, loser, "eve@example.org")
        loser.add(host.Note(text="lost"))
    with pytest.raises(TransactionMustRestart):
        host.dibs.claim(name, owner=eve)
    with pytest.raises(PendingRollbackError):
        loser.commit()
    loser.rollback()
    loser.commit()
    assert host.committed("SELECT text FROM note") == []


@all_backends
def test_savepoint_cannot_rescue_a_lost_transaction(host: Host, opens: Opens):
    holder, loser = opens(), opens()
    eve = user(host, loser, "eve@example.org")
    host.dibs.claim("Ada", owner=user(host, holder))
    with pytest.raises(TransactionMustRestart), loser.begin_nested():
        host.dibs.claim("Ada", owner=eve)
    assert_only_rollback(host, loser)


@served
def test_deletion_of_something_else_makes_nobody_wait(host: Host, opens: Opens):
    """InnoDB would have locked every gap that the search for the owner's names passed over."""
    remover, claimer = opens(), opens()
    note = host.Note(text="has no name")
    remover.add(note)
    remover.commit()
    remover.delete(note)
    remover.flush()
    host.dibs._session = lambda: remover
    assert host.dibs.release("Nobody") == host.dibs.release(owner="nobody") == 0
    host.dibs.claim("Ada", owner=user(host, claimer))
    claimer.commit()
    assert host.names() == {"Ada": "owned"}


# --- deadlocks ---------------------------------------------------------------------


DEADLOCK = {"postgresql": "40P01", "mariadb": 1213}


@served
@pytest.mark.race
def test_deadlock_ends_in_a_restart(host: Host, backend):
    """Each has a name and wants the other's: one is sent back, the other gets both."""
    if backend.name == "postgresql":  # or the lock time-out would come first
        database = host.db.engine.url.database
        backend.execute(f'ALTER DATABASE "{database}" SET deadlock_timeout = 20', host.url)
        host.db.engine.dispose()
    barrier = threading.Barrier(2)

    def take(first: str, second: str, email: str) -> Any:
        with host.app.app_context(), Session(host.db.engine) as session:
            owner = user(host, session, email)
            host.dibs.claim(first, owner=owner)
            barrier.wait()
            try:
                host.dibs.claim(second, owner=owner)
            except TransactionMustRestart as error:
                assert_only_rollback(host, session)
                return code(error)
            session.commit()
            return "both"

    with ThreadPoolExecutor(2) as pool:
        ada = pool.submit(take, "Ada", "Eve", "ada@example.org")
        eve = pool.submit(take, "Eve", "Ada", "eve@example.org")
    assert {ada.result(), eve.result()} == {DEADLOCK[backend.name], "both"}
    assert host.names() == {"Ada": "owned", "Eve": "owned"}


# --- isolation levels ----------------------------------------------------------------


@only_postgresql
@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("before", [False, True], ids=["new", "free"])
def test_older_snapshot_ends_in_a_restart(host: Host, opens: Opens, isolation, before):
    """40001: PostgreSQL cannot say who has a name that the snapshot does not show."""
    quick = opens()
    if before:
        host.dibs.claim("Ada", owner=user(host, quick))
        host.dibs.release(owner=user(host, quick))
        quick.commit()
    slow = opens(isolation)
    eve = user(host, slow, "eve@example.org")
    host.dibs.claim("Ada", owner=user(host, quick))
    quick.commit()
    with pytest.raises(TransactionMustRestart) as raised:
        host.dibs.claim("Ada", owner=eve)
    assert code(raised.value) == "40001"
    assert_only_rollback(host, slow)
    slow.connection(execution_options={"isolation_level": isolation})
    with pytest.raises(NameTaken):
        host.dibs.claim("Ada", owner=user(host, slow, "eve@example.org"))


@only_mariadb
def test_holder_outside_of_the_snapshot_is_seen(host: Host, opens: Opens):
    """At REPEATABLE READ, the default, a plain read would find nobody."""
    slow, quick = opens(), opens()
    eve = user(host, slow, "eve@example.org")
    host.dibs.claim("Ada", owner=user(host, quick))
    quick.commit()
    assert slow.execute(text("SELECT * FROM dibs_names")).all() == []
    with pytest.raises(NameTaken):
        host.dibs.claim("Ada", owner=eve)
    host.dibs.claim("Eve", owner=eve)
    slow.commit()
    assert host.names() == {"Ada": "owned", "Eve": "owned"}


@only_mariadb
def test_name_released_after_the_snapshot_is_free(host: Host, opens: Opens):
    slow, quick = opens(), opens()
    host.dibs.claim("Ada", owner=user(host, quick))
    quick.commit()
    eve = user(host, slow, "eve@example.org")
    assert slow.execute(text("SELECT state FROM dibs_names")).scalar() == b"owned"
    host.dibs.release(owner=user(host, quick))
    quick.commit()
    host.dibs.claim("Ada", owner=eve)
    slow.commit()
    assert host.names() == {"Ada": "owned"}


@only_mariadb
def test_snapshot_isolation_ends_in_a_restart(host: Host, opens: Opens):
    """1020 where MariaDB is stricter, as it is by default from 11.6.2."""
    slow, quick = opens(), opens()
    slow.execute(text("SET SESSION innodb_snapshot_isolation = ON"))
    eve = user(host, slow, "eve@example.org")
    host.dibs.claim("Ada", owner=user(host, quick))
    quick.commit()
    with pytest.raises(TransactionMustRestart) as raised:
        host.dibs.claim("Ada", owner=eve)
    assert code(raised.value) == 1020
    assert_only_rollback(host, slow)


# --- time-outs -------------------------------------------------------------------------


def driver_of(session: Session) -> Any:
    return session.connection().connection.driver_connection


@contextmanager
def own_cursor(session: Session) -> Iterator[None]:
    driver = driver_of(session)
    driver.cursor_factory = type("Theirs", (psycopg.Cursor,), {})
    yield
    assert driver.cursor_factory.__name__ == "Theirs"


WAYS = {"usual": lambda session: nullcontext(), "own cursor": own_cursor}


@only_postgresql
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("local", ["", "LOCAL"])
@pytest.mark.parametrize("theirs", ["0", "300ms", "7s"])
def test_lock_timeout_is_put_back(host: Host, opens: Opens, local, theirs, way):
    """Whether the name is won or lost, in the transaction and after it, also to a savepoint."""
    session = opens()
    session.execute(text(f"SET {local} lock_timeout = '{theirs}'"))
    for owner in ("ada@example.org", "eve@example.org"):
        try:
            with way(session), session.begin_nested():
                host.dibs.claim("Ada", owner=user(host, session, owner))
                assert session.execute(text("SHOW lock_timeout")).scalar() == theirs
        except NameTaken:
            assert owner == "eve@example.org"
        assert session.execute(text("SHOW lock_timeout")).scalar() == theirs
    session.commit()
    assert session.execute(text("SHOW lock_timeout")).scalar() == ("0" if local else theirs)


@only_postgresql
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_wait_is_bounded_on_every_way(host: Host, opens: Opens, way):
    holder, waiter = opens(), opens()
    host.dibs.claim("Ada", owner=user(host, holder))
    eve = user(host, waiter, "eve@example.org")
    with pytest.raises(TransactionMustRestart) as raised, way(waiter):
        host.dibs.claim("Ada", owner=eve)
    assert code(raised.value) == LOCKED["postgresql"]
    assert_only_rollback(host, waiter)


@only_postgresql
def test_claim_costs_one_trip(host: Host, opens: Opens, tmp_path):
    """Beside the INSERT of the owner, and a second where the database makes the id of theirs."""
    session = opens()

    def trips(**fields: Any) -> int:
        """As libpq saw them: what the server has to answer before anything goes on."""
        path, driver = tmp_path / "trace", driver_of(session)
        with path.open("w") as file:
            driver.pgconn.trace(file.fileno())
            owner = host.User(email=f"{fields}@example.org", id=fields.get("id"))
            session.add(owner)
            if "name" in fields:
                host.dibs.claim(fields["name"], owner=owner)
            session.commit()
            driver.pgconn.untrace()
        return len(re.findall(r"\tF\t\d+\t(?:Query|Sync)\b", path.read_text()))

    alone = trips(id=100)
    assert alone == 3, "BEGIN, INSERT, COMMIT"
    assert trips(id=101, name="Ada") == alone + 1
    assert trips(name="Grace") == alone + 2


@only_postgresql
def test_lock_timeout_is_put_back_by_the_rollback(host: Host, opens: Opens):
    holder, waiter = opens(), opens()
    host.dibs.claim("Ada", owner=user(host, holder))
    waiter.execute(text("SET lock_timeout = '100ms'"))
    waiter.commit()
    eve = user(host, waiter, "eve@example.org")
    began = time.monotonic()
    with pytest.raises(TransactionMustRestart):
        host.dibs.claim("Ada", owner=eve)
    assert time.monotonic() - began < 0.9, "the host's shorter time-out holds"
    waiter.rollback()
    assert waiter.execute(text("SHOW lock_timeout")).scalar() == "100ms"


@only_mariadb
def test_lock_wait_timeout_is_left_alone(host: Host, opens: Opens):
    holder, waiter = opens(), opens()
    host.dibs.claim("Ada", owner=user(host, holder))
    eve = user(host, waiter, "eve@example.org")
    with pytest.raises(TransactionMustRestart):
        host.dibs.claim("Ada", owner=eve)
    waiter.rollback()
    assert waiter.execute(text("SELECT @@innodb_lock_wait_timeout")).scalar() == 50


# --- the server is away ------------------------------------------------------------------


@served
@pytest.mark.fault
def test_lost_connection_is_unavailable(host: Host, opens: Opens, backend):
    """The connection is cut in the middle of the host's transaction; the next one is new."""
    session = opens()
    ada = user(host, session)
    if backend.name == "postgresql":
        number = session.execute(text("SELECT pg_backend_pid()")).scalar()
        backend.execute(f"SELECT pg_terminate_backend({number}, 5000)", host.url)
    else:
        number = session.execute(text("SELECT CONNECTION_ID()")).scalar()
        backend.execute(f"KILL {number}", host.url)
    with pytest.raises(StoreUnavailable):
        host.dibs.claim("Ada", owner=ada)
    assert_only_rollback(host, session)
    host.dibs.claim("Ada", owner=user(host, session))


@served
@pytest.mark.fault
def test_server_that_is_down_is_unavailable(host: Host, backend):
    """Even when the owner is new: the connection is asked for before the flush."""
    engine = create_engine(backend.server.url_via(host.url, free_port()))
    with Session(engine) as session:
        owner = host.User(email="new@example.org")
        session.add(owner)
        with pytest.raises(StoreUnavailable):
            host.dibs.claim("Ada", owner=owner)


# --- what must not be lost ------------------------------------------------------------------


def test_database_in_memory_survives():
    """There the connection is the database, so it must not be closed."""
    options = {"poolclass": StaticPool}
    host = make_host("sqlite://", SQLALCHEMY_ENGINE_OPTIONS=options)
    with host.app.app_context():
        host.db.create_all()
        ada = host.owned("Ada")
        host.db.session.execute(text("ALTER TABLE dibs_names RENAME TO elsewhere"))
        host.db.session.commit()
        host.db.session.add(host.Note(text="lost"))
        with pytest.raises(SchemaError, match="flask dibs db upgrade"):
            host.dibs.claim("Countess", owner=ada)
        assert_only_rollback(host, host.db.session())
        host.db.session.execute(text("ALTER TABLE elsewhere RENAME TO dibs_names"))
        assert host.dibs.check("Ada").reason == "taken"
        assert host.db.session.scalars(select(host.Note)).all() == []
    close(host)


def test_unknown_errors_are_re_raised_untouched():
    """A bug is a bug, and nobody is told that a name is taken."""
    host = make_host("sqlite://")
    with host.app.app_context():
        host.db.create_all()
        host.db.session.execute(
            text(
                "CREATE TRIGGER no BEFORE INSERT ON dibs_names"
                " BEGIN SELECT RAISE(FAIL, 'not today'); END"
            )
        )
        with pytest.raises(IntegrityError, match="not today"):
            host.dibs.claim("Ada", owner=1)
    close(host)
