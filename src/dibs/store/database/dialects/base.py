"""The statements of a claim, and all that a database may say or do differently."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any, ClassVar, Literal, NamedTuple

from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.types import TypeEngine

from dibs.context import Budget
from dibs.signals import NameChange
from dibs.store.database.rows import (
    FIRST_COLUMNS,
    HISTORY_COLUMNS,
    MANY,
    NAME_COLUMNS,
    NAME_VALUES,
    WHOSE,
    Params,
    Row,
    Told,
    first_claim,
    history_params,
    history_values,
    insert_params,
    row_params,
)
from dibs.store.database.runs import Run
from dibs.store.records import Claim, NameRow

Pooled = Literal["auto", "yes", "no"]
"""Whether sessions of the database's are shared with others: `auto` says no where it is proven."""

UPGRADE = "dibs db upgrade"
"""The command that makes the tables, or mends them."""


class Kind(Enum):
    """What a driver's error means for a transaction."""

    UNIQUE = "a unique constraint refused a row"
    RESTART = "the transaction lost against another and may be run again"
    TIMEOUT = "the server ended a statement that took too long"
    AWAY = "the server cannot answer; the connection is not to be used again"
    SCHEMA = "a table or column is missing"
    REFUSED = "what somebody has added to our tables refuses it: a constraint, a trigger"
    OTHER = "a bug, of ours or of the host"


class Inserted(NamedTuple):
    """What became of claims.

    Attributes:
        won: The tokens of those whose rows are there.
        rows: Rows that were seen on the way, by namespace and key.
        whole: Whether users and history were written as well, for those that won.
        rules: Which are in force, as each row that was seen says.
    """

    won: set[str]
    rows: dict[tuple[str, str], NameRow]
    whole: bool = False
    rules: frozenset[int | None] = frozenset()


class Dialect:
    """One database's way of saying it.

    Attributes:
        names: SQLAlchemy's, for the databases that speak like this.
        drivers: What addresses begin with that do not name the driver that dibs uses.
        driver: That which dibs uses, as SQLAlchemy calls it.
        instead: What is to be written for keys of an address that others know.
        extra: That of dibs which installs the driver.
        tools: What backs a database up and what restores it; none where dibs does both itself.
        clock: SQL for the database's own time in integer milliseconds since 1970.
        rules: SQL for which rules are in force; see `dibs.names.phase:Phase.token`. Whoever
            changes them waits until every transaction that has read it before is over.
        bytewise: Those of `collations` that compare bytes alone.
        begin: What opens a transaction that will write.
        one_writer: Whether the database lets one transaction write at a time,
            so that threads of one process may as well queue outside of it.
        can_distribute: Whether Citus can spread its tables over several servers.
        at_once: How many rows a transaction of bulk work writes at most, or others wait too long.
        whole: Whether one name, with its line of the history and its user, is one statement.
        lists: Whether a parameter may be an `array`: then many names are one statement, whose
            text is the same for any number of them. See `insert_many` and `select_listed`.
        texts_are_bytes: Whether a text that is compared by its bytes arrives as those.
        gives_way: Whether calls that are served by turns give way while they wait for it.
    """

    names: ClassVar[tuple[str, ...]]
    drivers: ClassVar[Mapping[str, str]] = {}
    driver: ClassVar[str]
    instead: ClassVar[Mapping[str, str]] = {}
    extra: ClassVar[str] = ""
    tools: ClassVar[tuple[str, str] | None] = None
    clock: ClassVar[str]
    rules: ClassVar[str] = (
        "(SELECT CASE phase WHEN 'both' THEN rules_version + 65536 * other_rules"
        " WHEN 'moving' THEN -(rules_version + 65536 * other_rules)"
        " ELSE rules_version END FROM dibs_meta WHERE id = 1)"
    )
    bytewise: ClassVar[tuple[str, ...]]
    begin: ClassVar[str] = "BEGIN"
    whole: ClassVar[bool] = False
    lists: ClassVar[bool] = False
    texts_are_bytes: ClassVar[bool] = False
    gives_way: ClassVar[bool] = False
    one_writer: ClassVar[bool] = False
    at_once: ClassVar[int] = sys.maxsize
    can_distribute: ClassVar[bool] = False

    # --- addresses ---------------------------------------------------------

    @staticmethod
    def refuse_unshared(url: URL) -> None:
        """See that the workers of a service can share the database at this address.

        Raises:
            ConfigError: Each would have one of its own.
        """

    @staticmethod
    def refuse_no_folder(url: URL) -> None:
        """Raise `ConfigError` where there is no folder for the database's file, if it is one."""

    @staticmethod
    def missing_file(url: URL) -> str | None:
        """The file that the database is to be, where it does not exist yet."""
        return None

    @classmethod
    def keys(cls, url: URL) -> Container[str] | None:
        """What an address may have in its query; None if that is for the database to judge."""
        raise NotImplementedError

    # --- connections -------------------------------------------------------

    @staticmethod
    def engine_options(budget: Budget) -> dict[str, Any]:
        """Keyword arguments of `create_engine` that bound every wait."""
        raise NotImplementedError

    @staticmethod
    def listen(engine: Engine, budget: Budget, pooled: Pooled) -> None:
        """Prepare every new connection of this engine."""

    @classmethod
    def listen_unbounded(cls, engine: Engine) -> None:
        """The same for migrations, which may take longer than a request."""

    @classmethod
    def time_outs(cls, connection: Connection) -> str:
        """Those that the server really has in force, for people to read; nothing if it has none."""
        return ""

    @staticmethod
    def without_transactions(
        connection: Connection, tables: Sequence[str]
    ) -> list[tuple[str, str]]:
        """Those of these tables that have none, each with the statement that mends it."""
        return []

    @classmethod
    def dangers(cls, connection: Connection) -> list[str]:
        """What in the server's settings lets it lose or hide what it has confirmed."""
        return []

    @staticmethod
    def why_away(error: BaseException) -> str:
        """Why it cannot answer, where its own words say little; nothing if they do."""
        return ""

    @staticmethod
    def release_locks(connection: Any) -> None:
        """Give up what a driver's connection holds, which is about to be closed."""

    @staticmethod
    def show_statements(connection: Any, seen: Callable[[str], None]) -> None:
        """Show every statement to `seen`, just before this driver's connection sends it."""
        raise NotImplementedError

    @staticmethod
    @contextmanager
    def any_text(connection: Connection) -> Iterator[None]:
        """Have text be read that is none, as this database may hold it; only here."""
        yield

    # --- errors ------------------------------------------------------------

    @classmethod
    def classify(cls, error: BaseException) -> Kind:
        """What an error means. By code, never by message text."""
        return cls.meaning(getattr(error, "orig", None) or error)

    @classmethod
    def meaning(cls, error: BaseException) -> Kind:
        """What a driver's own exception means."""
        return Kind.OTHER

    @staticmethod
    def has_undone(error: BaseException | None) -> bool:
        """Whether the transaction whose COMMIT was answered with this error is rolled back."""
        return False

    # --- a host's transaction ----------------------------------------------

    @staticmethod
    def host_statement(sql: str, params: Params) -> tuple[str, Params]:
        """How a statement is sent on a host's own connection."""
        return sql, params

    @classmethod
    @contextmanager
    def host_lock_timeout(cls, connection: Connection, run: Run) -> Iterator[None]:
        """Have a host's transaction wait a second for a lock at most, and put its own bound back.

        A host that waits less on its own connections goes on doing so.
        """
        yield

    # --- a transaction of dibs' own, on a connection of a host's -----------

    @classmethod
    @contextmanager
    def bounded(cls, connection: Connection, budget: Budget) -> Iterator[None]:
        """Have every wait of one transaction end, and leave nothing of that on the connection.

        A host that waits less goes on doing so.
        """
        yield

    @classmethod
    def bounded_statement(cls, sql: str, params: Params, budget: Budget) -> tuple[str, Params]:
        """How a statement is sent there."""
        return cls.host_statement(sql, params)

    @staticmethod
    def begin_on(connection: Connection) -> None:
        """Open a transaction that will write; SQLAlchemy or the driver may have opened one."""
        if not connection.in_transaction():
            connection.begin()

    @staticmethod
    def commits_at_once(connection: Any) -> bool:
        """Whether each statement on this driver's connection is a transaction, left alone."""
        return False

    @staticmethod
    def is_lent(connection: Any) -> bool:
        """Whether somebody else is in a transaction on this driver's connection."""
        return False

    @classmethod
    def give_way(cls, seconds: float) -> None:
        """Let others write, after one of many transactions, which took so many seconds."""
        if cls.one_writer:  # who waits asks again as late as they have waited, 100 ms at most
            time.sleep(min(0.5, seconds))

    # --- statements --------------------------------------------------------

    @staticmethod
    def pass_over(primary_key: str) -> str:
        """What makes an INSERT pass over a row whose primary key exists."""
        return f"ON CONFLICT ({primary_key}) DO NOTHING"

    @staticmethod
    def unindexed(column: str) -> str:
        """The column, where it is compared and no index of it should be chosen for that."""
        return column

    @classmethod
    def free(cls) -> str:
        """SQL that is true for a row whose name can be claimed now."""
        return (
            f"(state = 'free' OR (state IN ('held', 'quarantined') AND expires_at <= {cls.clock}))"
        )

    @classmethod
    def among(cls, count: int) -> str:
        """SQL that is true for the rows of `count` keys of one namespace."""
        keys = ", ".join(f":key_{i}" for i in range(count))
        return f"namespace = :namespace AND name_key IN ({keys})"

    @classmethod
    def select_where(cls, where: str, *, ruled: bool = False) -> str:
        """The rows that `where` chooses, with whether each is free and how long it is not yet.

        Args:
            ruled: Whether each row ends with what `rules` says at that moment.
        """
        of_rules = f", {cls.rules}" if ruled else ""
        return f"SELECT {cls.seen()}{of_rules} FROM dibs_names WHERE {where}"

    @classmethod
    def select_listed(cls, *, ruled: bool = False) -> str:
        """The same of the keys in the list `keys`: one text, however many they are."""
        raise NotImplementedError

    @classmethod
    def seen(cls) -> str:
        """What is read of a row: see `name_row`."""
        is_free = f"CASE WHEN {cls.free()} THEN 1 ELSE 0 END"
        return f"{NAME_VALUES}, {FIRST_COLUMNS}, {is_free}, expires_at - {cls.clock}"

    @classmethod
    def insert(cls, count: int, *, told: bool = False) -> str:
        """Insert `count` names, passing over those whose key exists.

        Args:
            told: Whether the history is given a line of each now, and not with its next change.
        """
        rows = ", ".join(f"({cls.values(i, told=told)})" for i in range(count))
        return (
            f"INSERT INTO dibs_names ({NAME_COLUMNS}, {FIRST_COLUMNS})"
            f" VALUES {rows} {cls.pass_over('namespace, name_key')}"
        )

    @classmethod
    def values(cls, i: int, *, told: bool) -> str:
        """The columns of a new row, in the order of `NAME_COLUMNS` and `FIRST_COLUMNS`."""
        first = f"NULL, :actor_{i}, :request_id_{i}, :registered_{i}"
        if told:
            first = f"{cls.clock}, NULL, NULL, NULL"
        return (
            f":namespace_{i}, :key_{i}, :canonical_{i}, :display_{i}, :rules_version_{i},"
            f" :state_{i}, :owner_kind_{i}, :owner_{i}, :token_{i}, {cls.clock} + :lasts_{i}, 1,"
            f" {cls.clock}, {first}"
        )

    @classmethod
    def insert_users(cls, count: int) -> str:
        """Insert `count` users; one that exists was written by this claim's earlier self."""
        rows = ", ".join(f"(:id_{i}, :password_hash_{i}, {cls.clock})" for i in range(count))
        sql = f"INSERT INTO dibs_users (id, password_hash, created_at) VALUES {rows}"
        return f"{sql} {cls.pass_over('id')}"

    @classmethod
    def insert_rows(
        cls, rows: Sequence[NameRow], news: Sequence[NameChange] | None = None
    ) -> tuple[str, dict[str, object]]:
        """Insert many names as these rows are, passing over those whose key exists.

        Args:
            news: What the history is to say of each, kept by the row; None if it says so now.
        """
        params = row_params(rows)
        for i, row in enumerate(rows):
            params[f"lasts_{i}"] = row.expires_in
            params |= {f"{name}_{i}": of for name, of in first_claim(row, news, i).items()}
        return cls.insert(len(rows), told=news is None), params

    @classmethod
    def insert_history(cls, lines: Sequence[Told]) -> tuple[str, dict[str, object]]:
        """Write lines of the history; one that exists, an earlier attempt wrote."""
        rows = ", ".join(
            f"({history_values(i)}, COALESCE(:at_{i}, {cls.clock}))" for i in range(len(lines))
        )
        params: dict[str, object] = {}
        for i, (change, at) in enumerate(lines):
            params |= history_params(i, change) | {f"at_{i}": at}
        sql = f"INSERT INTO dibs_history ({HISTORY_COLUMNS}, at) VALUES {rows}"
        return f"{sql} {cls.pass_over('namespace, name_key, version')}", params

    @classmethod
    def take_over(cls, *, when_free: bool) -> str:
        """Claim a row, unless it has changed since it was read.

        Args:
            when_free: Whether it must be free still; else this claim may have it in any case.
        """
        return (
            "UPDATE dibs_names SET canonical = :canonical_0, display = :display_0,"
            " rules_version = :rules_version_0, state = :state_0, owner_kind = :owner_kind_0,"
            f" owner = :owner_0, claim_token = :token_0, expires_at = {cls.clock} + :lasts_0,"
            f" version = version + 1, updated_at = {cls.clock}"
            " WHERE namespace = :namespace_0 AND name_key = :key_0 AND version = :version"
            + (f" AND {cls.free()}" if when_free else "")
        )

    @classmethod
    def let_go(cls) -> str:
        """End an ownership, a hold or a reservation, unless the row has changed since."""
        return (
            "UPDATE dibs_names SET state = :state, owner_kind = :owner_kind, owner = :owner,"
            f" claim_token = NULL, expires_at = {cls.clock} + :lasts, version = version + 1,"
            f" updated_at = {cls.clock}"
            " WHERE namespace = :namespace AND name_key = :key AND version = :version"
        )

    @classmethod
    def lock_where(cls, where: str) -> str:
        """The rows that `where` chooses, about to be changed one by one, by their version."""
        return cls.select_where(where)

    @classmethod
    def lock_rows(cls, where: str) -> str:
        """The same, locked in the order of their keys, as they were committed last."""
        return f"{cls.select_where(where)} ORDER BY namespace, name_key FOR UPDATE"

    @classmethod
    def read_many(cls, connection: Connection, namespace: str, keys: Sequence[str]) -> list[Row]:
        """Whose thousands of keys are, as far as there are rows: `WHOSE` of each."""
        found: list[Row] = []
        for start in range(0, len(keys), MANY):
            part = keys[start : start + MANY]
            one, *others = [sign(connection)] * (len(part) + 1)
            where = f"namespace = {one} AND name_key IN ({', '.join(others)})"
            sql = f"SELECT {WHOSE} FROM dibs_names WHERE {where}"
            found += connection.exec_driver_sql(sql, (namespace, *part)).all()
        return found

    @classmethod
    def load(
        cls, connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """Insert thousands of rows, none of which is there."""
        values = f"({', '.join([sign(connection)] * len(columns))})"
        for start in range(0, len(rows), MANY):
            part = rows[start : start + MANY]
            places = ", ".join([values] * len(part))
            sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {places}"
            connection.exec_driver_sql(sql, tuple(value for row in part for value in row))

    @classmethod
    def begun(cls, run: Run) -> set[str]:
        """The transactions of others that have begun and may have read which rules are in force.

        None where a lock keeps those from being changed meanwhile.
        """
        return set()

    @classmethod
    def insert_names(
        cls,
        run: Run,
        claims: Sequence[Claim],
        news: Sequence[NameChange],
        *,
        told: bool,
        patient: bool,
    ) -> Inserted:
        """Try to insert every claim, and learn from the same statement whose rows are there.

        Args:
            news: What the history is to say of each, if its name is new.
            told: Whether it is to say so now; else the row keeps it.
            patient: Whether to wait for another transaction as long as the
                connection's lock time-out says, or 200 ms at most.
        """
        sql = f"{cls.insert(len(claims), told=told)} RETURNING claim_token, {cls.rules}"
        rows = run.rows(sql, insert_params(claims, news, told=told))
        return Inserted({row[0] for row in rows}, {}, rules=frozenset(row[1] for row in rows))

    @classmethod
    def insert_many(cls, run: Run, claims: Sequence[Claim], news: Sequence[NameChange]) -> set[str]:
        """Insert names by one statement, its own transaction, which waits for locks 200 ms at most.

        Returns:
            The tokens of those whose rows are there; none if their rules are not in force.
        """
        raise NotImplementedError

    # --- state of the database ---------------------------------------------

    @staticmethod
    def product(engine: Engine) -> str:
        """What the database is called, for people to read; an engine that has been in use."""
        raise NotImplementedError

    @staticmethod
    def byte_text(length: int) -> TypeEngine[Any]:
        """The type of a column of text that is compared byte by byte: one of SQLAlchemy's own."""
        raise NotImplementedError

    @staticmethod
    def collations(connection: Connection) -> dict[str, str]:
        """How each column of the primary key is compared, by column."""
        raise NotImplementedError

    @staticmethod
    def mend_collation(column: str, kind: str) -> str:
        """What makes a column of the primary key be of this type, for people to run."""
        raise NotImplementedError


def sign(connection: Connection) -> str:
    """What stands for a parameter in a statement of thousands, which goes past SQLAlchemy."""
    return "?" if connection.dialect.paramstyle == "qmark" else "%s"


def without_code(error: BaseException) -> Kind:
    """What an error means to which the driver gives no code of the server's: it may be gone.

    DB-API's class says that much: https://peps.python.org/pep-0249/#operationalerror
    """
    lost = {"OperationalError", "InterfaceError"}
    return Kind.AWAY if lost & {c.__name__ for c in type(error).__mro__} else Kind.OTHER


def telling(cursor_class: type[Any], seen: Callable[[str], None]) -> type[Any]:
    """This class of a driver's, but that every statement is shown to `seen` first."""

    class Telling(cursor_class):  # type: ignore[misc]  # whichever the driver's is
        def execute(self, sql: str, *args: Any, **options: Any) -> Any:
            seen(sql)
            return super().execute(sql, *args, **options)

    return Telling
