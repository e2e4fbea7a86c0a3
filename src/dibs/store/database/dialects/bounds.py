"""How every wait of a connection to PostgreSQL ends, behind a pooler too."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Generator
from functools import cache
from typing import TYPE_CHECKING, Any

from dibs.context import Budget, Turns, turns
from dibs.store.database.dialects.base import Pooled

if TYPE_CHECKING:
    import psycopg

# The host's own is kept beside it, so that both can go with the statement between them.
HOST_BOUND = """
    SELECT set_config('dibs.lock_timeout', current_setting('lock_timeout'), true),
        set_config('lock_timeout',
        CASE WHEN CAST(current_setting('lock_timeout') AS interval) BETWEEN '1 ms' AND '1 s'
             THEN current_setting('lock_timeout') ELSE '1s' END, true)
"""
SILENT = "the server has been silent for too long"
PUT_BACK = "SELECT set_config('lock_timeout', current_setting('dibs.lock_timeout'), true)"


def is_plain(cursor: object) -> bool:
    """Whether it is one of psycopg's own, of which a statement may be several."""
    return isinstance(cursor, type) and (cursor.__module__, cursor.__name__) in (
        ("psycopg", "Cursor"),
        ("psycopg", "ClientCursor"),
    )


def limits_of(budget: Budget) -> dict[str, int]:
    """The server's own time-outs in milliseconds."""
    limits = {
        "statement_timeout": budget.statement,
        "lock_timeout": budget.lock,
        # A worker that hangs between two statements must not keep a name locked.
        "idle_in_transaction_session_timeout": budget.deadline,
    }
    return {key: round(1000 * value) for key, value in limits.items()}


# Whether no pooler is between: it would tell a number of its own at the start, or come to the
# server from a port of its own. That one always meets the same session proves nothing.
DIRECT = "pg_backend_pid() = %s AND inet_client_port() = %s"


def limit(connection: psycopg.Connection[Any], limits: dict[str, int], pooled: Pooled) -> None:
    """Bound every statement of a new connection.

    Of the session that is asked for only where it is this connection's own. A pooler would give
    it to others, and others' to us: there limits go with each transaction, and no statement is
    given a name. Nothing is asked for at the start, which poolers refuse.
    """
    is_direct = pooled == "no"
    if pooled != "yes":
        kept = ", ".join(f"set_config('{key}', '{ms}', false)" for key, ms in limits.items())
        with socket.socket(fileno=os.dup(connection.fileno())) as ours:
            name = ours.getsockname()
        port = name[1] if isinstance(name, tuple) else None  # none of a Unix socket
        proof = (connection.info.backend_pid, port)
        where, params = ("true", None) if is_direct else (DIRECT, proof)
        with connection.cursor() as cursor:
            is_direct = cursor.execute(f"SELECT {kept} WHERE {where}", params).rowcount == 1
    if is_direct:
        connection.prepare_threshold = 5  # psycopg's own
    else:
        connection.cursor_factory = limiting()
        bounds = [f"SET LOCAL {key} = {ms}" for key, ms in limits.items()]
        connection.limits = f"{'; '.join(bounds)}; "  # type: ignore[attr-defined]


@cache
def limiting() -> type[psycopg.ClientCursor[Any]]:
    """A cursor that begins every transaction with its connection's limits, in the same trip."""
    import psycopg
    from psycopg.pq import TransactionStatus

    class Limiting(psycopg.ClientCursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            if self.connection.info.transaction_status != TransactionStatus.IDLE:
                return super().execute(query, params, **options)
            limits: str = self.connection.limits  # type: ignore[attr-defined]
            if query == "BEGIN":
                return super().execute(f"{query}; {limits}")
            # Several statements in one message are one transaction.
            super().execute(limits + query, params, **options)
            while self.nextset():
                pass
            return self

    return Limiting


@cache
def waiting_less() -> type[psycopg.ClientCursor[Any]]:
    """A cursor whose statements wait a second for a lock at most, at the price of no trip.

    After an error the host's own bound comes back with the rollback, to a savepoint too.
    """
    import psycopg

    class WaitingLess(psycopg.ClientCursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            super().execute(f"{HOST_BOUND}; {query}; {PUT_BACK}", params, **options)
            self.nextset()
            return self

    return WaitingLess


def bounded_connection(silence: float) -> type[psycopg.Connection[Any]]:
    """A connection class whose every wait for the server ends.

    The server's own time-outs cannot fire while it is frozen or cut off, and
    neither TCP keep-alives nor tcp_user_timeout notice a stopped process: its
    kernel goes on acknowledging. So the wait itself is bounded. A call that is served by turns
    gives way while it waits.
    """
    import psycopg

    class Bounded(psycopg.Connection[Any]):
        def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
            end = time.monotonic() + silence
            if (others := turns()) is not None:
                return _by_turns(end, gen, self.fileno(), others)
            return super().wait(_until(end, gen), *args, **kwargs)

    def _by_turns(end: float, gen: Generator[Any, Any, Any], file: int, others: Turns) -> Any:
        try:
            wanted = next(gen)
            while True:
                ready = others.watch(file, wanted, end - time.monotonic())
                if not ready:
                    raise psycopg.OperationalError(SILENT)
                wanted = gen.send(ready)
        except StopIteration as done:
            return done.value

    def _until(end: float, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > end:
                    raise psycopg.OperationalError(SILENT)
                wanted = gen.send(ready)
        except StopIteration as done:
            return done.value

    return Bounded
