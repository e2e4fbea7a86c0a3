"""The connection of a host's transaction: its waits, its errors, and the state of its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Connection, CursorResult, Engine, inspect, text
from sqlalchemy.exc import DBAPIError, UnboundExecutionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.pool import Pool

from dibs.errors import (
    ConfigError,
    InvalidName,
    NameTaken,
    OwnerWithoutIdentity,
    RulesReplaced,
    SchemaError,
    StoreUnavailable,
    TransactionMustRestart,
)
from dibs.names import Parser, Phase
from dibs.store import schema
from dibs.store.database.dialects import UPGRADE, Kind, dialect_for, dialect_or_base
from dibs.store.database.rows import Params, Row, plain
from dibs.store.database.runs import Run, pyformat
from dibs.store.database.transactions import RowVanished
from dibs.store.host.owners import bind_of, come_back, instance_state, state_of
from dibs.store.models import NAME_TABLES, Tables, first_row, names
from dibs.store.names.reading import tell_followed

HOST_UPGRADE = f"flask {UPGRADE}"
YOUR_MIGRATION = "run your app's migration"

T = TypeVar("T")
AnyEngine = Engine
AnySession = Session | scoped_session[Any]
Bind = Mapping[str, Any]

# By pool, which an engine shares with its copies that have other execution options: who has read
# there which rules are in force.
_verified: WeakKeyDictionary[Pool, WeakSet[Parser]] = WeakKeyDictionary()
_holding: WeakSet[Pool] = WeakSet()


@dataclass(frozen=True, slots=True)
class NameTable:
    """Where a host keeps its names.

    Attributes:
        bind: `bind_arguments` that choose the database.
        in_metadata: Whether the host has the tables in its own metadata.
        routes: The engine of the routes that write to the same names, where some are mounted.
    """

    namespace: str
    bind: Bind
    parser: Parser
    in_metadata: bool = False
    routes: Engine | None = None

    def connect(self, session: Session, bind: Bind) -> Connection:
        """The connection of the host's transaction, about to write names; see `connect`.

        Raises:
            ConfigError: The owner, or the routes of the same app, are in another database; or
                the connection commits each statement.
        """
        owner = bind.get("mapper")
        # The address alone does not say: `creator=`, or two databases in memory.
        if owner and engine_of(session, bind).pool is not engine_of(session, self.bind).pool:
            raise ConfigError(
                f"{owner.class_.__name__} lives in another database than the names, and one"
                " constraint cannot span two: give Dibs the metadata of the owners' database"
            )
        if self.routes is not None and engine_of(session, bind).pool is not self.routes.pool:
            raise ConfigError(
                "This session writes to another database than the routes that dibs mounted in"
                " this app, so that a name could have two owners: give Dibs(session=...) one that"
                " leads to the same engine, also outside of a request"
            )
        connection = connect(session, bind, self)
        said = connection.get_execution_options().get("isolation_level")
        driver = connection.connection.dbapi_connection
        if said == "AUTOCOMMIT" or dialect_for(connection.dialect.name).commits_at_once(driver):
            raise ConfigError(
                "This session's connection commits each statement by itself (AUTOCOMMIT), so that a"
                " name could not be taken back with its owner: give the session an engine that does"
                " not, as engine.execution_options(isolation_level=...) makes one"
            )
        return connection


def enter(
    session: AnySession, table: NameTable, owner: object | None = None, kind: str | None = None
) -> tuple[Session, Connection]:
    """The session that writes the owner's own row, and the connection of its transaction.

    Raises:
        OwnerWithoutIdentity: The owner was never added to a session.
    """
    if (returning := instance_state(owner)) is not None:
        come_back(returning)
    state = None if owner is None else state_of(owner, kind)
    here = (state and state.session) or plain_session(session)
    return here, table.connect(here, table.bind if state is None else bind_of(state.mapper))


def connect(session: Session, bind: Bind, table: NameTable, *, writes: bool = True) -> Connection:
    """The connection of the host's transaction, to a database known to be set up.

    It is asked for before anything of the host's, so that a server that is away
    is told as what it is.

    Raises:
        ConfigError: The session is one for asyncio, and is not run by it.
        StoreUnavailable: The database cannot answer.
        SchemaError: The database is not set up for dibs.
    """
    connection = open_connection(session, bind)
    if table.parser.is_due or table.parser not in _verified.get(connection.engine.pool, ()):
        with translated_errors(connection):
            set_up(connection, table, writes=writes)
    return connection


def open_connection(session: Session, bind: Bind) -> Connection:
    """The same, whatever is in its database: no `SchemaError` is raised."""
    if engine_of(session, bind).dialect.is_async and not _is_awaited():
        raise ConfigError(
            "With an AsyncSession, call dibs as in: await session.run_sync(lambda _:"
            " dibs.claim(name, owner=user))"
        )
    try:
        connection = session.connection(bind_arguments=dict(bind))
    except PoolTimeout as error:
        raise StoreUnavailable from error
    except DBAPIError as error:
        dialect = dialect_or_base(engine_of(session, bind).dialect.name)
        if dialect.classify(error) is not Kind.AWAY:
            raise
        raise StoreUnavailable from error
    refuse_translated(connection)
    return connection


def _is_awaited() -> bool:
    """Whether SQLAlchemy runs this for somebody who awaits it, as `run_sync` does."""
    # It is there where an engine is for asyncio.
    from greenlet import getcurrent

    return bool(getattr(getcurrent(), "__sqlalchemy_greenlet_provider__", False))


def refuse_translated(connection: Connection) -> None:
    """Raise `ConfigError` where SQLAlchemy puts a host's tables into another schema.

    Those of dibs would not be where the host has made them.
    """
    translated = connection.get_execution_options().get("schema_translate_map") or {}
    if translated.get(None) is not None:
        raise ConfigError(
            "dibs reads no schema_translate_map; put the schema into the connection's own"
            " search path instead: connect_args={'options': '-csearch_path=...'}"
        )


def verify(connection: Connection, table: NameTable, *, tables: Tables = NAME_TABLES) -> None:
    """See that a host's database is as dibs needs it.

    Args:
        tables: Those that are needed; what only the service uses may be missing.

    Raises:
        SchemaError: It is not; the message says what mends it.
    """
    # A host's migrations write no rows; the first claim does.
    parser = None if schema.is_new(connection) else table.parser
    try:
        schema.verify(connection, parser, tables=tables)
    except SchemaError as error:
        yours = table.in_metadata or schema.made_by_host(connection)
        lost = parser is not None and schema.lacks_rules(connection)
        mending = YOUR_MIGRATION if yours and not lost else f"run `{HOST_UPGRADE}`"
        said = str(error).replace(f"run `{UPGRADE}`", mending)
        raise SchemaError(said.replace(f"`{UPGRADE}`", f"`{HOST_UPGRADE}`")) from error


def engine_of(session: AnySession, bind: Bind) -> Engine:
    """The engine to which these `bind_arguments` lead; a `ConfigError` where there is none."""
    try:
        return plain_session(session).get_bind(**bind).engine
    except UnboundExecutionError as error:
        raise ConfigError(
            "This session is bound to no engine, so that nobody knows where its names are: as in"
            " Session(engine) or sessionmaker(bind=engine)"
        ) from error


def has_names(connection: Connection) -> bool:
    """Whether this database holds names at all; a host may have others."""
    pool = connection.engine.pool
    if pool not in _holding and inspect(connection).has_table(names.name):
        _holding.add(pool)
    return pool in _holding


def session_source(given: object) -> Callable[[], AnySession]:
    """What gives the current session: a function, or the `db` of a Flask extension that has it.

    Raises:
        ConfigError: It is neither.
    """
    if callable(given) and not isinstance(given, sessionmaker):
        return given
    # Not asked for now: some have it in an app context alone.
    if hasattr(type(given), "session") or "session" in getattr(given, "__dict__", {}):
        return lambda: given.session  # type: ignore[attr-defined]
    raise ConfigError(
        f"Dibs(session=...) takes what gives the current session, as in lambda: db.session, or"
        f" the db of Flask-SQLAlchemy; {type(given).__name__} is neither"
    )


def plain_session(session: AnySession) -> Session:
    """The session itself, where a host gives the registry of its sessions, or one for asyncio.

    Anything else is a `ConfigError`.
    """
    found: object = session() if isinstance(session, scoped_session) else session
    found = getattr(found, "sync_session", found)
    if not isinstance(found, Session):
        raise ConfigError(
            f"Dibs(session=...) gave a {type(found).__name__}, which is no session of SQLAlchemy's"
        )
    return found


def set_up(
    connection: Connection, table: NameTable, *, tables: Tables = NAME_TABLES, writes: bool = True
) -> None:
    """See that the database is as dibs needs it, and put in the row that migrations do not write.

    On the host's own connection: a second one could be the same one, as in StaticPool.
    """
    empty = schema.lacks_rules(connection)
    if empty and not writes:
        return  # nothing was ever claimed here
    if empty:
        sql, params = first_row(table.parser.rules_version)
        with lock_timeout(connection) as run:
            run.change(sql + run.dialect.pass_over("id"), params)
    verify(connection, table, tables=tables)
    if not empty:  # or it may be rolled back
        _verified.setdefault(connection.engine.pool, WeakSet()).add(table.parser)
        _holding.add(connection.engine.pool)


class HostRun(Run):
    """Sends statements on a host's connection, whichever driver it uses."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(dialect_for(connection.dialect.name))
        self.connection = connection

    def rows(self, sql: str, params: Params) -> list[Row]:
        return [plain(row) for row in self._execute(sql, params)]

    def change(self, sql: str, params: Params) -> int:
        return self._execute(sql, params).rowcount

    def _execute(self, sql: str, params: Params) -> CursorResult[Any]:
        sql, params = self.dialect.host_statement(sql, params)
        return self.connection.execute(text(sql), params)


class BulkRun(HostRun):
    """The same past SQLAlchemy, which reads a thousand parameters slower than they are sent."""

    def _execute(self, sql: str, params: Params) -> CursorResult[Any]:
        sql, params = self.dialect.host_statement(sql, params)
        if "format" in self.connection.dialect.paramstyle:
            sql = pyformat(sql)
        return self.connection.exec_driver_sql(sql, dict(params))


@contextmanager
def lock_timeout(connection: Connection) -> Iterator[HostRun]:
    """Statements that wait at most a second for a lock, and leave no time-out behind.

    Where the wait is the driver's own affair, it is as the host has set it.
    """
    run = HostRun(connection)
    with run.dialect.host_lock_timeout(connection, run):
        yield run


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A connection of a command's own; `StoreUnavailable` where the database cannot answer."""
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        if dialect_for(engine.dialect.name).classify(error) is not Kind.AWAY:
            raise
        raise StoreUnavailable from error


@contextmanager
def translated_errors(connection: Connection) -> Iterator[None]:
    """Turn what the driver says into what it means; after each only a rollback is accepted.

    Raises:
        TransactionMustRestart: The transaction lost.
        StoreUnavailable: The database cannot answer.
        SchemaError: A table is missing.
    """
    try:
        yield
    except RowVanished as error:
        _only_rollback(connection)
        raise TransactionMustRestart from error
    except OwnerWithoutIdentity:
        _only_rollback(connection)  # a name of theirs may be written already
        raise
    except RulesReplaced:
        _verified.pop(connection.engine.pool, None)  # the next one looks which are in force
        _only_rollback(connection)
        raise
    except DBAPIError as error:
        _give_up(connection, error)


def by_rules_of_now(run: HostRun, table: NameTable, work: Callable[[Parser | None], T]) -> T:
    """Give names, once more if it turns out that they have other rules by now.

    Args:
        work: Is called with the parser that is to read the names again, first with None.

    Raises:
        RulesReplaced: This server has not those rules, or something was written already.
    """
    try:
        return work(None)
    except RulesReplaced as error:
        rules = run.value(f"SELECT {run.dialect.rules}", {})
        if not error.is_first or rules is None or not table.parser.follow(Phase.of(rules)):
            raise
    tell_followed(table.parser.phase)
    return work(table.parser)


def restarts(session: Session, error: Exception) -> bool:
    """Whether this says that the session's transaction lost against another one."""
    if isinstance(error, TransactionMustRestart):
        return True
    if not isinstance(error, DBAPIError) or isinstance(error, NameTaken | InvalidName):
        return False
    try:
        name = session.get_bind().dialect.name
    except UnboundExecutionError:
        return False
    return dialect_or_base(name).classify(error) is Kind.RESTART


def _give_up(connection: Connection, error: DBAPIError) -> NoReturn:
    kind = dialect_or_base(connection.dialect.name).classify(error)
    if kind is Kind.SCHEMA:
        _only_rollback(connection)
        raise SchemaError(
            f"A table of dibs is missing or too old: run `{HOST_UPGRADE}`, or your app's own"
            " migration where that made it."
        ) from error
    if kind is Kind.AWAY or error.connection_invalidated:
        _only_rollback(connection)
        raise StoreUnavailable from error
    if kind in (Kind.RESTART, Kind.UNIQUE, Kind.TIMEOUT):
        _only_rollback(connection)
        raise TransactionMustRestart from error
    raise error


def _only_rollback(connection: Connection) -> None:
    """Undo the transaction, and let SQLAlchemy refuse whatever is not a rollback.

    The databases would let a host go on: MariaDB after a deadlock in a new
    transaction, SQLite in the old one, and PostgreSQL answers COMMIT with a
    silent ROLLBACK. So the transaction is put into the state in which
    SQLAlchemy has it after a COMMIT that failed: inactive and still in place.
    Unlike `Connection.invalidate` this keeps the connection, which for an
    SQLite database in memory is the database.
    """
    transaction = connection.get_transaction()
    if transaction is None or connection.invalidated:
        return  # SQLAlchemy refuses everything already
    try:
        connection.connection.rollback()
    except Exception:  # noqa: BLE001  # whatever it was, closing it undoes the transaction too
        connection.invalidate()
    transaction.is_active = False
