"""PostgreSQL through psycopg 3."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import VARCHAR, event, text
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dibs.context import Budget, NotByTurns, turns
from dibs.signals import NameChange
from dibs.store.database.dialects.base import Dialect, Inserted, Kind, Pooled, telling, without_code
from dibs.store.database.dialects.bounds import (
    HOST_BOUND,
    PUT_BACK,
    bounded_connection,
    is_plain,
    limit,
    limiting,
    limits_of,
    waiting_less,
)
from dibs.store.database.rows import (
    FEW,
    FIRST_COLUMNS,
    HISTORY_COLUMNS,
    HISTORY_PARAMS,
    NAME_COLUMNS,
    SEPARATOR,
    WHOSE,
    Row,
    Told,
    array,
    first_claim,
    history_params,
    history_values,
    insert_params,
    registered,
    row_values,
)
from dibs.store.database.runs import Run
from dibs.store.records import Claim, NameRow

if TYPE_CHECKING:
    pass

# Exact codes first, then the two-character class (SQL standard, table 35):
# https://www.postgresql.org/docs/current/errcodes-appendix.html
FURTHER = 3
"""Connections that are opened to see whether all lead to one server."""

MEANINGS = {
    "23505": Kind.UNIQUE,  # unique_violation
    "40001": Kind.RESTART,  # serialization_failure
    "40003": Kind.AWAY,  # statement_completion_unknown
    "40P01": Kind.RESTART,  # deadlock_detected
    "55P03": Kind.RESTART,  # lock_not_available: our lock_timeout
    "57014": Kind.TIMEOUT,  # query_canceled: our statement_timeout
    "25006": Kind.AWAY,  # read_only_sql_transaction: a standby, mid-failover
    "25P03": Kind.AWAY,  # idle_in_transaction_session_timeout
    "26000": Kind.AWAY,  # invalid_sql_statement_name: of another session, behind a pooler
    "42P05": Kind.AWAY,  # duplicate_prepared_statement: the same
    "42501": Kind.AWAY,  # insufficient_privilege: somebody is working on the rights
    "42P01": Kind.SCHEMA,  # undefined_table
    "42P10": Kind.SCHEMA,  # invalid_column_reference: there is no such primary key
    "22001": Kind.SCHEMA,  # string_data_right_truncation: a column is too short
    "23502": Kind.SCHEMA,  # not_null_violation: a column that is not ours
    "23503": Kind.REFUSED,  # foreign_key_violation
    "23514": Kind.REFUSED,  # check_violation
    "23P01": Kind.REFUSED,  # exclusion_violation
    "P0001": Kind.REFUSED,  # raise_exception
    "42703": Kind.SCHEMA,  # undefined_column
    "3D000": Kind.AWAY,  # invalid_catalog_name: the database is being restored
    "08": Kind.AWAY,  # connection_exception
    "28": Kind.AWAY,  # invalid_authorization_specification
    "53": Kind.AWAY,  # insufficient_resources: disk, memory, connections
    "57": Kind.AWAY,  # operator_intervention: shutdown, starting up
    "58": Kind.AWAY,  # system_error: I/O
    "XX": Kind.AWAY,  # internal_error: of Citus also that one of its servers is away
}

IMPATIENT_MS = 200
_TEXTS = ("namespace", "key", "canonical", "display", "state", "owner_kind", "owner", "token")
MANY_PARAMS = dict.fromkeys((*_TEXTS, "actor", "request_id"), "text")
MANY_PARAMS |= dict.fromkeys(("rules_version", "registered"), "int")
LINES = "FROM json_populate_recordset(CAST(NULL AS {table}), CAST(:lines AS json))"
# Limits first: they hold for the waits of the statement that sets them.
INSERT_MANY = f"""
    INSERT INTO dibs_names ({NAME_COLUMNS}, {FIRST_COLUMNS})
    SELECT n.namespace, n.key, n.canonical, n.display, n.rules_version, n.state, n.owner_kind,
        n.owner, n.token, NULL, 1, {{clock}}, NULL, n.actor, n.request_id, n.registered
    FROM (SELECT set_config('lock_timeout', '{IMPATIENT_MS}ms', true) OFFSET 0) AS bound,
        unnest({", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in MANY_PARAMS.items())})
        AS n ({", ".join(MANY_PARAMS)})
    WHERE :in_force = {{rules}}
    ON CONFLICT (namespace, name_key) DO NOTHING RETURNING claim_token
"""
BOUND = (
    "set_config('{key}', CASE WHEN CAST(current_setting('{key}') AS interval)"
    " BETWEEN '1 ms' AND '{ms} ms' THEN current_setting('{key}') ELSE '{ms}ms' END, true)"
)

GONE = ("08", "40003", "57P", "XX")
"""Where SQLSTATEs begin of a connection that was lost, a server that is shut down, and others after
which nobody knows what became of a transaction."""

ONE_LINE = f"""
    INSERT INTO dibs_history ({HISTORY_COLUMNS}, at)
    SELECT {history_values(0)}, {{clock}} FROM won
    ON CONFLICT (namespace, name_key, version) DO NOTHING
"""
# A user who exists was written by this claim's earlier self, as was the line of the history.
ONE_USER = """
    INSERT INTO dibs_users (id, password_hash, created_at)
    SELECT :user_id, :password_hash, {clock} FROM won ON CONFLICT (id) DO NOTHING
"""


class PostgreSQL(Dialect):
    """The server's own isolation level is left as its owner set it.

    Under SERIALIZABLE a loser gets 40001 and its transaction runs again; the
    answers are the same.
    """

    names = ("postgresql",)
    drivers: ClassVar = dict.fromkeys(("postgresql", "postgres"), "postgresql+psycopg")
    driver, extra, tools = "psycopg", "postgresql", ("pg_dump", "pg_restore")
    bytewise = ("C", "POSIX", "ucs_basic")
    instead: ClassVar = {
        "pgbouncer": "leave it out, for dibs works with poolers as it is",
        "schema": "write options=-csearch_path%3DNAME",
        **dict.fromkeys(("ssl", "ssl_mode", "tls"), "write sslmode=require"),
        "ssl_ca": "write sslmode=verify-full&sslrootcert=FILE",
    }
    whole = lists = gives_way = True
    can_distribute = True
    # That of the statement: engines that shard refuse to change rows by what is volatile. A row
    # that was waited for is judged up to `Budget.lock` early, and versions say in which order.
    clock = "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)"

    @classmethod
    def keys(cls, url: URL) -> Container[str]:
        from psycopg.pq import Conninfo

        return {option.keyword.decode() for option in Conninfo.get_defaults()}

    @staticmethod
    def engine_options(budget: Budget) -> dict[str, Any]:
        return {
            "connect_args": {
                "connect_timeout": round(budget.connect),
                "prepare_threshold": None,
                "autocommit": True,
            },
            "use_native_hstore": False,  # would cost a query on every new connection
        }

    @staticmethod
    def listen(engine: Engine, budget: Budget, pooled: Pooled) -> None:
        connection_class = bounded_connection(budget.silence)

        @event.listens_for(engine, "do_connect")
        def connect(dialect: object, record: object, args: Any, kwargs: Any) -> Any:
            if turns() is not None:
                raise NotByTurns  # names of hosts are looked up, and certificates read
            connection = connection_class.connect(*args, **kwargs)
            try:
                limit(connection, limits_of(budget), pooled)
            except BaseException:
                connection.close()
                raise
            return connection

    @classmethod
    def listen_unbounded(cls, engine: Engine) -> None:
        @event.listens_for(engine, "do_connect")
        def connect(dialect: object, record: object, args: object, kwargs: Any) -> None:
            if engine.dialect.driver == "psycopg":
                kwargs["prepare_threshold"] = None  # behind a pooler they meet those of others

    @classmethod
    def time_outs(cls, connection: Connection) -> str:
        asked = ", ".join(f"current_setting('{key}')" for key in limits_of(Budget()))
        row = connection.exec_driver_sql(f"SELECT {asked}").one()
        driver: Any = connection.connection.driver_connection
        is_direct = driver.cursor_factory is not limiting()
        where = "a direct connection" if is_direct else "as behind a pooler"
        return "Time-outs, {3}: statement {0}, lock {1}, idle in transaction {2}".format(
            *row, where
        )

    @classmethod
    def dangers(cls, connection: Connection) -> list[str]:
        keys = "'fsync', 'full_page_writes', 'synchronous_commit'"
        asked = f"SELECT name FROM pg_settings WHERE setting = 'off' AND name IN ({keys})"
        return [
            f"What was confirmed can be lost with the power ({name} is off)."
            f" Mend it with: ALTER SYSTEM SET {name} = 'on'; SELECT pg_reload_conf();"
            for (name,) in connection.exec_driver_sql(asked)
        ] + cls._standbys(connection)

    @staticmethod
    def _standbys(connection: Connection) -> list[str]:
        """What is to be said of an address behind which a balancer reads from a standby."""
        ask = "SELECT pg_is_in_recovery()"
        asked = [connection.exec_driver_sql(ask).scalar_one()]
        with ExitStack() as stack, suppress(PoolTimeout):  # a pool may have fewer
            for _ in range(FURTHER):
                further = stack.enter_context(connection.engine.connect())
                asked.append(further.exec_driver_sql(ask).scalar_one())
        if len(set(asked)) == 1:
            return []
        return [
            f"{sum(asked)} of {len(asked)} connections lead to a standby, which misses what was"
            " just written: turn load balancing off for dibs."
        ]

    @staticmethod
    def show_statements(connection: Any, seen: Callable[[str], None]) -> None:
        connection.cursor_factory = telling(connection.cursor_factory, seen)

    @classmethod
    def meaning(cls, error: BaseException) -> Kind:
        """By SQLSTATE, where psycopg 3 or psycopg2 has it."""
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        if state is None:  # libpq's own failures: refused, reset, timed out
            return without_code(error)
        return MEANINGS.get(state) or MEANINGS.get(state[:2], Kind.OTHER)

    @staticmethod
    def has_undone(error: BaseException | None) -> bool:
        """It is, after an ERROR; the server or a pooler that goes away may have committed.

        https://www.postgresql.org/docs/current/protocol-flow.html and
        https://www.postgresql.org/docs/current/runtime-config-logging.html (levels)
        """
        diagnostics = getattr(error, "diag", None)
        if diagnostics is None or diagnostics.severity_nonlocalized != "ERROR":
            return False
        return not (diagnostics.sqlstate or "").startswith(GONE)

    @classmethod
    @contextmanager
    def host_lock_timeout(cls, connection: Connection, run: Run) -> Iterator[None]:
        driver: Any = connection.connection.driver_connection
        usual = driver.cursor_factory if connection.dialect.driver == "psycopg" else None
        if not is_plain(usual):  # a cursor of the host's own, or one that is awaited
            run.rows(HOST_BOUND, {})
            yield
            run.rows(PUT_BACK, {})  # not after an error: the rollback does it
            return
        driver.cursor_factory = waiting_less()
        try:
            yield
        finally:
            driver.cursor_factory = usual

    @classmethod
    @contextmanager
    def bounded(cls, connection: Connection, budget: Budget) -> Iterator[None]:
        bounds = [BOUND.format(key=key, ms=ms) for key, ms in limits_of(budget).items()]
        # Until the end of the transaction.
        connection.exec_driver_sql(f"SELECT {', '.join(bounds)}")
        yield

    @staticmethod
    def commits_at_once(connection: Any) -> bool:
        return bool(getattr(connection, "autocommit", False))  # asyncpg has no such switch

    @classmethod
    def among(cls, count: int) -> str:
        if count == 1:
            return super().among(count)
        # With IN and before the first ANALYZE, the whole namespace is read for a dozen keys:
        # 7.2 ms against 0.25 for 9,000 names.
        if count >= FEW:
            # The inner SELECT hides how many there are, or the whole table is read for them where
            # many rows are new and statistics old.
            listed = f"unnest(string_to_array((SELECT CAST(:keys AS text)), '{SEPARATOR}'))"
            return f"(namespace, name_key) IN (SELECT CAST(:namespace AS varchar), {listed})"
        places = ", ".join(f"(CAST(:namespace AS varchar), :key_{i})" for i in range(count))
        return f"(namespace, name_key) IN (VALUES {places})"

    @classmethod
    def select_listed(cls, *, ruled: bool = False) -> str:
        # One by one by the index, as in `read_many`.
        return (
            "SELECT named.* FROM unnest(CAST(:keys AS text[])) AS wanted (key),"
            f" LATERAL (SELECT {cls.seen()}{f', {cls.rules}' if ruled else ''} FROM dibs_names"
            " WHERE namespace = :namespace AND name_key = wanted.key OFFSET 0) AS named"
        )

    @classmethod
    def read_many(cls, connection: Connection, namespace: str, keys: Sequence[str]) -> list[Row]:
        # One by one by the index, which OFFSET keeps the planner from doubting: with ANY or a
        # join it reads the whole table for every batch.
        sql = (
            f"SELECT {WHOSE} FROM unnest(string_to_array(:keys, '{SEPARATOR}')) AS w (wanted_key),"
            " LATERAL (SELECT * FROM dibs_names"
            " WHERE namespace = :namespace AND name_key = wanted_key OFFSET 0) AS named"
        )
        # One text for all: no key has that character, and psycopg would look at each of a list.
        params = {"namespace": namespace, "keys": SEPARATOR.join(keys)}
        return list(connection.execute(text(sql), params).all())

    @classmethod
    def load(
        cls, connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        # One text for all, at a quarter of the price of row by row; so none may have in it what
        # stands between them.
        lines = ["\t".join([SEPARATOR if v is None else str(v) for v in row]) for row in rows]
        block = "\n".join(lines).replace("\\", "\\\\")
        tabs, ends = len(rows) * (len(columns) - 1), len(rows) - 1
        is_plain = (block.count("\t"), block.count("\n"), block.count("\r")) == (tabs, ends, 0)
        cursor: Any = connection.connection.cursor()
        with cursor:
            if not is_plain or not hasattr(cursor, "copy"):  # psycopg2
                super().load(connection, table, columns, rows)
                return
            way = f"STDIN (NULL '{SEPARATOR}')"
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM {way}") as copy:
                copy.write(block)

    @classmethod
    def insert_rows(
        cls, rows: Sequence[NameRow], news: Sequence[NameChange] | None = None
    ) -> tuple[str, dict[str, object]]:
        if len(rows) < FEW:
            return super().insert_rows(rows, news)
        lines: list[dict[str, object]] = [
            row_values(row)
            | {"name_key": row.key, "claim_token": row.claim_token, "expires_at": row.expires_in}
            | first_claim(row, news, i)
            for i, row in enumerate(rows)
        ]
        told = "CAST(NULL AS bigint)" if news is not None else cls.clock
        values = NAME_COLUMNS.replace("expires_at, version", f"{cls.clock} + expires_at, 1")
        sql = (
            f"INSERT INTO dibs_names ({NAME_COLUMNS}, {FIRST_COLUMNS})"
            f" SELECT {values}, {cls.clock}, {told}, actor, request_id, registered"
            f" {LINES.format(table='dibs_names')} {cls.pass_over('namespace, name_key')}"
        )
        return sql, {"lines": json.dumps(lines, ensure_ascii=False)}

    @classmethod
    def insert_history(cls, lines: Sequence[Told]) -> tuple[str, dict[str, object]]:
        if len(lines) < FEW:
            return super().insert_history(lines)
        columns = dict(zip(HISTORY_COLUMNS.split(", "), HISTORY_PARAMS.values(), strict=True))
        found = [
            {column: getattr(one, of) for column, of in columns.items()} | {"at": at}
            for one, at in lines
        ]
        sql = (
            f"INSERT INTO dibs_history ({HISTORY_COLUMNS}, at)"
            f" SELECT {HISTORY_COLUMNS}, COALESCE(at, {cls.clock})"
            f" {LINES.format(table='dibs_history')}"
            f" {cls.pass_over('namespace, name_key, version')}"
        )
        return sql, {"lines": json.dumps(found, ensure_ascii=False)}

    @classmethod
    def begun(cls, run: Run) -> set[str]:
        # Each holds a lock on its own number from before its first statement sees anything.
        rows = run.rows(
            "SELECT l.virtualtransaction FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
            " WHERE l.locktype = 'virtualxid' AND a.datname = current_database()"
            " AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'",
            {},
        )
        return {str(row[0]) for row in rows}

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
        if not patient:
            run.rows("SELECT set_config('lock_timeout', :ms, true)", {"ms": f"{IMPATIENT_MS}ms"})
        if len(claims) > 1:
            return super().insert_names(run, claims, news, told=told, patient=patient)
        return cls._insert_whole(run, claims[0], news[0], told=told)

    @classmethod
    def _insert_whole(cls, run: Run, claim: Claim, new: NameChange, *, told: bool) -> Inserted:
        """One name with its line of the history, if it has one, and its user, in one statement.

        Each statement costs some 0.25 ms of processor time, here and there together, and
        registrations with a password leave little beside the hash.
        """
        user = claim.user if claim.user and claim.user.password_hash else None
        # Whether its rules are in force is asked by the statement: where it is a transaction of
        # its own, afterwards would be too late.
        insert = (
            f"INSERT INTO dibs_names ({NAME_COLUMNS}, {FIRST_COLUMNS})"
            f" SELECT {cls.values(0, told=told)} WHERE :in_force = {cls.rules}"
            f" {cls.pass_over('namespace, name_key')} RETURNING claim_token"
        )
        written = f"won AS ({insert})"
        params = insert_params([claim], [new], told=told)
        params["in_force"] = claim.username.in_force
        if told:
            written += f", told AS ({ONE_LINE.format(clock=cls.clock)})"
            params |= history_params(0, new)
        if user is not None:
            written += f", made AS ({ONE_USER.format(clock=cls.clock)})"
            params |= {"user_id": user.id, "password_hash": user.password_hash}
        sql = f"WITH {written} SELECT claim_token FROM won"
        if user is None and not told:
            sql = insert
        return Inserted({row[0] for row in run.rows(sql, params)}, {}, whole=True)

    @classmethod
    def insert_many(cls, run: Run, claims: Sequence[Claim], news: Sequence[NameChange]) -> set[str]:
        sql = INSERT_MANY.format(rules=cls.rules, clock=cls.clock)
        names = [claim.username for claim in claims]
        params: dict[str, object] = {
            "in_force": names[0].in_force,
            "namespace": array([claim.namespace for claim in claims]),
            "key": array([name.key for name in names]),
            "canonical": array([None if n.canonical == n.key else n.canonical for n in names]),
            "display": array([name.display for name in names]),
            "state": array([claim.state for claim in claims]),
            "owner_kind": array([claim.owner_kind for claim in claims]),
            "owner": array([claim.owner for claim in claims]),
            "token": array([claim.token for claim in claims]),
            "actor": array([new.actor for new in news]),
            "request_id": array([new.request_id for new in news]),
            "rules_version": array([name.rules_version for name in names]),
            "registered": array([registered(claim) for claim in claims]),
        }
        return {row[0] for row in run.rows(sql, params)}

    @staticmethod
    def product(engine: Engine) -> str:
        return "PostgreSQL"

    @staticmethod
    def byte_text(length: int) -> VARCHAR:
        return VARCHAR(length, collation="C")

    @staticmethod
    def collations(connection: Connection) -> dict[str, str]:
        query = """
            SELECT a.attname, COALESCE(c.collname, '')
            FROM pg_attribute a LEFT JOIN pg_collation c ON c.oid = a.attcollation
            WHERE a.attrelid = to_regclass('dibs_names') AND a.attname IN ('namespace', 'name_key')
        """
        return {row[0]: row[1] for row in connection.execute(text(query))}

    @staticmethod
    def mend_collation(column: str, kind: str) -> str:
        return f"ALTER TABLE dibs_names ALTER COLUMN {column} TYPE {kind};"
