"""MariaDB and MySQL through PyMySQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine

from dibs.context import Budget
from dibs.errors import SchemaError
from dibs.signals import NameChange
from dibs.store.database.dialects.base import (
    Dialect,
    Inserted,
    Run,
    insert_params,
    key_params,
    name_row,
)
from dibs.store.records import Claim, NameRow

if TYPE_CHECKING:
    import ssl

    from pymysql.connections import Connection as PyMySQLConnection


class MySQL(Dialect):
    """The MySQL family at READ COMMITTED.

    `/*M! ... */` is read by MariaDB alone
    (https://mariadb.com/kb/en/comment-syntax/#executable-comment-syntax).
    """

    # Not UNIX_TIMESTAMP(NOW()): it goes through local time, and is an hour ahead while the
    # clocks are about to go back.
    clock = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)"

    @staticmethod
    def engine_options(budget: Budget) -> dict[str, Any]:
        limits = {"read_timeout": budget.silence, "write_timeout": budget.silence}
        return {"connect_args": {"connect_timeout": budget.connect, "charset": "utf8mb4"} | limits}

    @staticmethod
    def listen(engine: Engine, budget: Budget) -> None:
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

        if engine.dialect.driver == "pymysql":
            connection_class = _sharing_tls()

            @event.listens_for(engine, "do_connect")
            def connect(dialect: object, record: object, args: Any, kwargs: Any) -> Any:
                del dialect, record
                return connection_class(*args, **kwargs)

        @event.listens_for(engine, "connect")
        def limit(connection: Any, record: object) -> None:
            del record
            with connection.cursor() as cursor:
                cursor.execute(statement)

    @staticmethod
    def pass_over(primary_key: str) -> str:
        # INSERT IGNORE would also swallow truncated values.
        return f"ON DUPLICATE KEY UPDATE {primary_key.split(',')[0]} = {primary_key.split(',')[0]}"

    @staticmethod
    def unindexed(column: str) -> str:
        # Else MariaDB chooses the primary key for its first column, and sorts a whole namespace.
        return f"COALESCE({column}, '')"

    @staticmethod
    def span(column: str, width: int) -> str:
        return f"{column} DIV {width} * {width}"

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
        for namespace, group in groupby(claims, key=lambda claim: claim.namespace):
            keys = sorted({claim.username.key for claim in group})
            found = run.rows(cls.select(len(keys), lock=True), key_params(namespace, keys))
            rows |= {(namespace, row.key): row for row in map(name_row, found)}
            if len(found) > len(keys):
                raise SchemaError("The table dibs_names keeps no name unique: run `dibs check`.")
        seen = {row.claim_token: row for row in rows.values()}
        won = {c.token for c in claims if c.token in seen and seen[c.token].won_by(c.token)}
        return Inserted(won, rows)

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
    def is_bytewise(collation: str) -> bool:
        return collation in ("varbinary", "binary")


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
