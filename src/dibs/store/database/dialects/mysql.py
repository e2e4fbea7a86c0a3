"""MariaDB and MySQL through PyMySQL."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import VARBINARY, event, text
from sqlalchemy.engine import URL, Connection, Engine

from dibs.context import Budget
from dibs.errors import SchemaError
from dibs.signals import NameChange
from dibs.store.database.dialects.base import Dialect, Inserted, Kind, Pooled, telling, without_code
from dibs.store.database.rows import Params, Row, insert_params, key_params, name_row
from dibs.store.database.runs import Run
from dibs.store.records import Claim, NameRow

if TYPE_CHECKING:
    import ssl

    from pymysql.connections import Connection as PyMySQLConnection

# MariaDB: https://mariadb.com/kb/en/mariadb-error-code-reference/
# MySQL: https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
#     and https://dev.mysql.com/doc/mysql-errors/8.0/en/client-error-reference.html
NOT_PRIMARY = 1047
MEANINGS = {
    1062: Kind.UNIQUE,  # ER_DUP_ENTRY
    1205: Kind.RESTART,  # ER_LOCK_WAIT_TIMEOUT
    1213: Kind.RESTART,  # ER_LOCK_DEADLOCK; on Galera also at COMMIT
    1020: Kind.RESTART,  # ER_CHECKREAD: innodb_snapshot_isolation, default from MariaDB 11.6.2
    1146: Kind.SCHEMA,  # ER_NO_SUCH_TABLE
    1054: Kind.SCHEMA,  # ER_BAD_FIELD_ERROR
    1048: Kind.SCHEMA,  # ER_BAD_NULL_ERROR: the same
    1364: Kind.SCHEMA,  # ER_NO_DEFAULT_FOR_FIELD: a column that is not ours
    1406: Kind.SCHEMA,  # ER_DATA_TOO_LONG: a column is too short
    1451: Kind.REFUSED,  # ER_ROW_IS_REFERENCED_2
    1452: Kind.REFUSED,  # ER_NO_REFERENCED_ROW_2
    1644: Kind.REFUSED,  # ER_SIGNAL_EXCEPTION
    3819: Kind.REFUSED,  # ER_CHECK_CONSTRAINT_VIOLATED (MySQL)
    4025: Kind.REFUSED,  # ER_CONSTRAINT_FAILED (MariaDB)
    1142: Kind.AWAY,  # ER_TABLEACCESS_DENIED_ERROR: somebody is working on the rights
    1143: Kind.AWAY,  # ER_COLUMNACCESS_DENIED_ERROR
    1227: Kind.AWAY,  # ER_SPECIFIC_ACCESS_DENIED_ERROR
    1820: Kind.AWAY,  # ER_MUST_CHANGE_PASSWORD
    1862: Kind.AWAY,  # ER_MUST_CHANGE_PASSWORD_LOGIN
    4151: Kind.AWAY,  # ER_ACCOUNT_HAS_BEEN_LOCKED (MariaDB)
    0: Kind.AWAY,  # PyMySQL: the connection is closed
    1021: Kind.AWAY,  # ER_DISK_FULL
    1037: Kind.AWAY,  # ER_OUTOFMEMORY
    1040: Kind.AWAY,  # ER_CON_COUNT_ERROR
    1044: Kind.AWAY,  # ER_DBACCESS_DENIED_ERROR
    1045: Kind.AWAY,  # ER_ACCESS_DENIED_ERROR
    NOT_PRIMARY: Kind.AWAY,  # ER_UNKNOWN_COM_ERROR: a Galera node outside the primary component
    1049: Kind.AWAY,  # ER_BAD_DB_ERROR
    1053: Kind.AWAY,  # ER_SERVER_SHUTDOWN
    1077: Kind.AWAY,  # ER_NORMAL_SHUTDOWN
    1079: Kind.AWAY,  # ER_SHUTDOWN_COMPLETE
    1114: Kind.AWAY,  # ER_RECORD_FILE_FULL
    1129: Kind.AWAY,  # ER_HOST_IS_BLOCKED
    1152: Kind.AWAY,  # ER_ABORTING_CONNECTION
    1158: Kind.AWAY,  # ER_NET_READ_ERROR
    1159: Kind.AWAY,  # ER_NET_READ_INTERRUPTED
    1160: Kind.AWAY,  # ER_NET_ERROR_ON_WRITE
    1161: Kind.AWAY,  # ER_NET_WRITE_INTERRUPTED
    1180: Kind.AWAY,  # ER_ERROR_DURING_COMMIT: Galera without a quorum
    1184: Kind.AWAY,  # ER_NEW_ABORTING_CONNECTION
    1203: Kind.AWAY,  # ER_TOO_MANY_USER_CONNECTIONS
    1226: Kind.AWAY,  # ER_USER_LIMIT_REACHED
    1290: Kind.AWAY,  # ER_OPTION_PREVENTS_STATEMENT: read_only
    1317: Kind.AWAY,  # ER_QUERY_INTERRUPTED
    1836: Kind.AWAY,  # ER_READ_ONLY_MODE
    1927: Kind.AWAY,  # ER_CONNECTION_KILLED
    1969: Kind.TIMEOUT,  # ER_STATEMENT_TIMEOUT (MariaDB)
    3024: Kind.TIMEOUT,  # ER_QUERY_TIMEOUT (MySQL)
    4031: Kind.AWAY,  # ER_CLIENT_INTERACTION_TIMEOUT (MySQL)
    2002: Kind.AWAY,  # CR_CONNECTION_ERROR
    2003: Kind.AWAY,  # CR_CONN_HOST_ERROR
    2005: Kind.AWAY,  # CR_UNKNOWN_HOST
    2006: Kind.AWAY,  # CR_SERVER_GONE_ERROR
    2012: Kind.AWAY,  # CR_SERVER_HANDSHAKE_ERR
    2013: Kind.AWAY,  # CR_SERVER_LOST
    2055: Kind.AWAY,  # CR_SERVER_LOST_EXTENDED
}

HOST_BOUND = (
    "/*M! SET STATEMENT innodb_lock_wait_timeout = LEAST(@@innodb_lock_wait_timeout, 1) FOR */ "
)
BOUND = HOST_BOUND.replace("FOR", ", max_statement_time = {ms:.3f} FOR")
# What is read on a node of a Galera cluster is what any of them has committed before: on the
# others a name was free, or a password wrong, of somebody who had just signed up.
SYNCED = "wsrep_sync_wait = @@wsrep_sync_wait | 1"
SQL_MODE = "STRICT_TRANS_TABLES"
"""What dibs' statements are written for, whatever the server has: Oracle's knows no BEGIN."""
UNKNOWN_VARIABLE = 1193  # ER_UNKNOWN_SYSTEM_VARIABLE: a server without Galera's code
FLUSHED = "innodb_flush_log_at_trx_commit"


class MySQL(Dialect):
    """The MySQL family at READ COMMITTED.

    `/*M! ... */` is read by MariaDB alone
    (https://mariadb.com/kb/en/comment-syntax/#executable-comment-syntax).
    """

    names = ("mysql", "mariadb")
    drivers: ClassVar = dict.fromkeys(("mysql", "mariadb", "mariadb+pymysql"), "mysql+pymysql")
    driver, extra, tools = "pymysql", "mysql", ("mariadb-dump", "mariadb")
    texts_are_bytes = True
    bytewise = ("varbinary", "binary")
    instead: ClassVar = dict.fromkeys(
        ("ssl", "ssl_mode", "sslmode", "ssl_verify_cert", "ssl_verify_identity", "tls"),
        "write ssl_ca=FILE, with the certificate of the authority that has signed the server's",
    )
    # Not UNIX_TIMESTAMP(NOW()): it goes through local time, and is an hour ahead while the
    # clocks are about to go back.
    clock = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)"

    # With a lock that all claims share: who changes the rules waits for it, and at REPEATABLE READ,
    # as a host may have it, what is read is what is true now.
    rules = f"{Dialect.rules[:-1]} LOCK IN SHARE MODE)"

    @classmethod
    def keys(cls, url: URL) -> Container[str]:
        import pymysql  # noqa: F401  # whose lack is told now

        return {"bind_address", "charset", "collation", "init_command", "program_name"} | {
            *("connect_timeout", "read_timeout", "write_timeout", "local_infile"),
            *("read_default_file", "read_default_group", "unix_socket"),
            *("ssl_ca", "ssl_capath", "ssl_cert", "ssl_check_hostname", "ssl_cipher", "ssl_key"),
        }

    @staticmethod
    def engine_options(budget: Budget) -> dict[str, Any]:
        limits = {"read_timeout": budget.silence, "write_timeout": budget.silence}
        return {"connect_args": {"connect_timeout": budget.connect, "charset": "utf8mb4"} | limits}

    @staticmethod
    def listen(engine: Engine, budget: Budget, pooled: Pooled) -> None:
        lock = max(1, round(budget.lock))  # InnoDB counts whole seconds
        # One statement, for on a slow network each is one more wait. At REPEATABLE READ,
        # the default, the row that beat ours would be invisible.
        statement = (
            f"SET SESSION innodb_lock_wait_timeout = {lock}"
            f" /*M! , max_statement_time = {budget.statement:.3f},"
            f" idle_transaction_timeout = {max(1, round(budget.deadline))},"
            " tx_isolation = 'READ-COMMITTED' */"
            " /*!80000 , transaction_isolation = 'READ-COMMITTED' */"
        )

        # First: nobody is asked after the one who connects.
        _on_connect(engine, f"{statement}, {SYNCED}", statement)
        if engine.dialect.driver == "pymysql":
            connection_class = _sharing_tls()

            @event.listens_for(engine, "do_connect")
            def connect(dialect: object, record: object, args: Any, kwargs: Any) -> Any:
                return connection_class(*args, **kwargs)

    @classmethod
    def listen_unbounded(cls, engine: Engine) -> None:
        statement = "SET SESSION default_storage_engine = InnoDB"
        _on_connect(engine, f"{statement}, {SYNCED}", statement)

    @classmethod
    def dangers(cls, connection: Connection) -> list[str]:
        asked = f"'wsrep_on', 'wsrep_sync_wait', '{FLUSHED}'"
        rows = connection.exec_driver_sql(f"SHOW VARIABLES WHERE Variable_name IN ({asked})")
        found: dict[str, str] = {row[0]: row[1] for row in rows}
        said = []
        if found.get("wsrep_on") == "ON" and not int(found["wsrep_sync_wait"]) & 1:
            said.append(
                "Galera: reads on one node may miss what was written on another (wsrep_sync_wait is"
                " 0). Mend it with: SET GLOBAL wsrep_sync_wait = 1;"
            )
        if found[FLUSHED] != "1":
            said.append(
                f"What was confirmed can be lost with the power ({FLUSHED} is {found[FLUSHED]})."
                f" Mend it with: SET GLOBAL {FLUSHED} = 1;"
            )
        return said

    @staticmethod
    def without_transactions(
        connection: Connection, tables: Sequence[str]
    ) -> list[tuple[str, str]]:
        marks = ", ".join(["%s"] * len(tables))
        rows = connection.exec_driver_sql(
            "SELECT t.table_name FROM information_schema.tables AS t"
            " JOIN information_schema.engines AS e ON e.engine = t.engine"
            f" WHERE t.table_schema = DATABASE() AND t.table_name IN ({marks})"
            " AND e.transactions <> 'YES' ORDER BY 1",
            tuple(tables),
        )
        return [(row[0], f"ALTER TABLE {row[0]} ENGINE = InnoDB;") for row in rows]

    @staticmethod
    def why_away(error: BaseException) -> str:
        if error.args[:1] != (NOT_PRIMARY,):
            return ""
        return "this node is outside the primary component of its Galera cluster"

    @staticmethod
    def show_statements(connection: Any, seen: Callable[[str], None]) -> None:
        connection.cursorclass = telling(connection.cursorclass, seen)

    @classmethod
    def meaning(cls, error: BaseException) -> Kind:
        """By errno, from PyMySQL or mysqlclient; the SQLSTATE says less: HY000."""
        if error.args and isinstance(error.args[0], int):
            return MEANINGS.get(error.args[0], Kind.OTHER)
        return without_code(error)

    @staticmethod
    def host_statement(sql: str, params: Params) -> tuple[str, Params]:
        """With a bound on its waits, and texts as bytes, whatever the connection's charset is."""
        return HOST_BOUND + sql, _encoded(params)

    @staticmethod
    def bounded_statement(sql: str, params: Params, budget: Budget) -> tuple[str, Params]:
        """The same with a bound on how long it may take, all of it for this statement alone."""
        return BOUND.format(ms=budget.statement) + sql, _encoded(params)

    @staticmethod
    def commits_at_once(connection: Any) -> bool:
        return bool(connection.get_autocommit())

    @staticmethod
    def begin_on(connection: Connection) -> None:
        # Of the next transaction alone; it must be sent before that begins.
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")

    @staticmethod
    def pass_over(primary_key: str) -> str:
        # INSERT IGNORE would also swallow truncated values.
        return f"ON DUPLICATE KEY UPDATE {primary_key.split(',')[0]} = {primary_key.split(',')[0]}"

    @staticmethod
    def unindexed(column: str) -> str:
        # Else MariaDB chooses the primary key for its first column, and sorts a whole namespace.
        return f"COALESCE({column}, '')"

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
        """Insert, then look with a lock who is there: row counts lie.

        The count of ON DUPLICATE KEY UPDATE depends on the client's flags, and
        RETURNING exists on MariaDB alone.
        """
        hurry = "" if patient else "/*M! SET STATEMENT max_statement_time = 0.2 FOR */ "
        params = insert_params(claims, news, told=told)
        run.change(hurry + cls.insert(len(claims), told=told), params)
        rows: dict[tuple[str, str], NameRow] = {}
        rules: set[int | None] = set()
        for namespace, group in groupby(claims, key=lambda claim: claim.namespace):
            keys = sorted({claim.username.key for claim in group})
            sql = f"{cls.select_where(cls.among(len(keys)), ruled=True)} FOR UPDATE"
            found = run.rows(sql, key_params(namespace, keys))
            rules |= {row[-1] for row in found}
            rows |= {(namespace, row.key): row for row in map(name_row, (r[:-1] for r in found))}
            if len(found) > len(keys):
                raise SchemaError("The table dibs_names keeps no name unique: run `dibs check`.")
        seen = {row.claim_token: row for row in rows.values()}
        won = {c.token for c in claims if c.token in seen and seen[c.token].won_by(c.token)}
        return Inserted(won, rows, rules=frozenset(rules))

    @classmethod
    def read_many(cls, connection: Connection, namespace: str, keys: Sequence[str]) -> list[Row]:
        encoded: Any = [key.encode() for key in keys]
        return super().read_many(connection, namespace, encoded)

    @classmethod
    def load(
        cls, connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        encoded = [tuple(v.encode() if isinstance(v, str) else v for v in row) for row in rows]
        super().load(connection, table, columns, encoded)

    @staticmethod
    def product(engine: Engine) -> str:
        return "MariaDB" if getattr(engine.dialect, "is_mariadb", False) else "MySQL"

    @staticmethod
    def byte_text(length: int) -> VARBINARY:
        return VARBINARY(length)

    @staticmethod
    def collations(connection: Connection) -> dict[str, str]:
        query = """
            SELECT column_name, COALESCE(collation_name, data_type)
            FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'dibs_names'
              AND column_name IN ('namespace', 'name_key')
        """
        return {row[0]: row[1] for row in connection.execute(text(query))}

    @staticmethod
    def mend_collation(column: str, kind: str) -> str:
        return f"ALTER TABLE dibs_names MODIFY {column} {kind} NOT NULL;"


def _on_connect(engine: Engine, statement: str, otherwise: str) -> None:
    """Send a statement on each new connection; the other to servers that know no Galera."""
    statements = [statement, otherwise]

    @event.listens_for(engine, "do_connect")
    def choose_mode(dialect: object, record: object, args: object, kwargs: dict[str, Any]) -> None:
        kwargs["sql_mode"] = SQL_MODE  # before SQLAlchemy looks how the server quotes

    @event.listens_for(engine, "connect")
    def send(connection: Any, record: object) -> None:
        with connection.cursor() as cursor:
            try:
                cursor.execute(statements[0])
            except connection.Error as error:
                if error.args[0] != UNKNOWN_VARIABLE:
                    raise
                del statements[:-1]  # not to be tried again: on a slow network each is a wait
                cursor.execute(otherwise)


def _encoded(params: Params) -> Params:
    return {k: v.encode() if isinstance(v, str) else v for k, v in params.items()}


@cache
def _sharing_tls() -> type[PyMySQLConnection[Any]]:
    """A connection class that reads the system's certificates once, for all engines of the process.

    PyMySQL reads them for each connection, before it knows whether the server
    is there: 32 ms of processor time, so that twenty requests at a server that
    was stopped took 1.4 s to be refused.
    """
    from pymysql.connections import Connection as PyMySQLConnection

    class SharingTLS(PyMySQLConnection):
        _shared: ssl.SSLContext | None = None

        def _create_ssl_ctx(self, options: dict[str, Any]) -> ssl.SSLContext:
            make: Callable[[Any], ssl.SSLContext] = super()._create_ssl_ctx  # type: ignore[misc]
            if options:
                return make(options)
            cls = type(self)
            cls._shared = cls._shared or make(options)
            return cls._shared

    return SharingTLS
