"""What a measurement needs of the database: counted statements, its version, no trace left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from dibs.context import Budget, Deadline
from dibs.store.database.dialects import dialect_for
from dibs.store.database.engine import connect
from dibs.store.database.rows import listed
from dibs.store.database.runs import Run
from dibs.store.database.transactions import Transactions

PATIENCE_S = 60.0
BATCH = 500


@contextmanager
def watched(engine: Engine, seen: Callable[[str], None]) -> Iterator[None]:
    """Show every statement to `seen`, in the thread that sends it, just before it is sent.

    At the driver: what goes past SQLAlchemy is seen too.
    """

    def watch(connection: Any, record: object) -> None:
        del record
        dialect_for(engine.dialect.name).show_statements(connection, seen)

    event.listen(engine, "connect", watch)
    try:
        yield
    finally:
        event.remove(engine, "connect", watch)


def version(engine: Engine) -> str:
    """Which database this is, for people to read; an engine that has been in use."""
    number = engine.dialect.server_version_info or ()
    name = dialect_for(engine.dialect.name).product(engine)
    return " ".join([name, ".".join(str(part) for part in number if part != name)])


def erase(url: str, namespace: str) -> list[str]:
    """Delete every name of a namespace and the users who had them; return the names' keys.

    For namespaces that were made up for a measurement: rows of others are never deleted,
    because their versions must not begin anew.

    Raises:
        StoreUnavailable: The database cannot answer; some may be left.
    """
    keys = list[str]()
    with _transactions(url) as transactions:
        while batch := transactions.write(
            lambda run: _erase_some(run, namespace),
            changed=bool,
            deadline=Deadline.after(PATIENCE_S),
        ):
            keys += batch
    return keys


def count(url: str, namespace: str) -> int:
    """How many names of this namespace somebody has."""
    sql = "SELECT COUNT(*) FROM dibs_names WHERE namespace = :namespace AND state = 'owned'"
    with _transactions(url) as transactions:
        rows = transactions.read(
            lambda run: run.rows(sql, {"namespace": namespace}), deadline=Deadline.after(PATIENCE_S)
        )
    return int(rows[0][0])


@contextmanager
def _transactions(url: str) -> Iterator[Transactions]:
    """On a connection of its own, with more time than a request has."""
    budget = Budget(PATIENCE_S)
    engine = connect(url, budget=budget, pool_size=1)
    try:
        yield Transactions(engine, budget)
    finally:
        engine.dispose()


def _erase_some(run: Run, namespace: str) -> list[str]:
    rows = run.rows(
        "SELECT name_key, owner, owner_kind FROM dibs_names WHERE namespace = :namespace"
        " ORDER BY name_key LIMIT :limit",
        {"namespace": namespace, "limit": BATCH},
    )
    owners = [row[1] for row in rows if row[2] == "user"]
    if owners:
        places, params = listed(owners)
        run.change(f"DELETE FROM dibs_users WHERE id IN ({places})", params)
    keys = [row[0] for row in rows]
    if keys:
        places, params = listed(keys)
        run.change(
            f"DELETE FROM dibs_history WHERE namespace = :namespace AND name_key IN ({places})",
            {"namespace": namespace, **params},
        )
        run.change(
            f"DELETE FROM dibs_names WHERE namespace = :namespace AND name_key IN ({places})",
            {"namespace": namespace, **params},
        )
    return keys
