"""What a database was really asked to do, as it saw it itself."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import event
from sqlalchemy.engine import make_url

from dibs.store.names.store import NameStore
from tests.backends import MARIADB, POSTGRESQL, Backend
from tests.support.contract import a_claim, soon, win

FRAME = re.compile(r"^\s*(BEGIN|COMMIT|ROLLBACK|INSERT INTO dibs_(?:users|history))\b")
ENDS = re.compile(r"^\s*(BEGIN|COMMIT|ROLLBACK)\b")
HURRY = re.compile(r"^/\*M!.*?\*/ ")
# On PostgreSQL one INSERT carries the other two with it.
WHOLE = re.compile(r"^WITH won AS \((?=INSERT)")
POSTGRESQL_LOG = re.compile(r"LOG: +(?:statement|execute [^:]*): (.*)")


@contextmanager
def statements(backend: Backend, store: NameStore) -> Iterator[list[str]]:
    """Yields a list that afterwards holds the first word of every statement that was run.

    Without what frames a transaction, and without the user's own row and the line of the
    history, which are the same for all strategies.
    """
    with _raw(backend, store) as seen:
        yield seen
    seen[:] = [one.split(" ", 1)[0] for one in seen if not FRAME.match(one)]


@contextmanager
def every_statement(backend: Backend, store: NameStore) -> Iterator[list[str]]:
    """Yields a list that afterwards holds every statement but BEGIN, COMMIT and ROLLBACK."""
    with _raw(backend, store) as seen:
        yield seen
    seen[:] = [one for one in seen if not ENDS.match(one)]


@contextmanager
def _raw(backend: Backend, store: NameStore) -> Iterator[list[str]]:
    seen: list[str] = []
    # Before its first claim a store sees to the tables, which costs what it costs once.
    win(store, a_claim(f"warm-{uuid4().hex}"))
    watch = {"sqlite": _sqlite, "postgresql": _postgresql, "mariadb": _mariadb}[backend.name]
    with watch(store, seen):
        yield seen
    seen[:] = [WHOLE.sub("", HURRY.sub("", one)) for one in seen]


@contextmanager
def _sqlite(store: NameStore, seen: list[str]) -> Iterator[None]:
    store.engine.dispose()

    def trace(connection, record) -> None:
        connection.set_trace_callback(seen.append)

    event.listen(store.engine, "connect", trace)
    store.find(["warm"], deadline=soon())
    seen.clear()
    yield
    event.remove(store.engine, "connect", trace)
    store.engine.dispose()


@contextmanager
def _postgresql(store: NameStore, seen: list[str]) -> Iterator[None]:
    url = store.engine.url.render_as_string(hide_password=False)
    database = make_url(url).database
    POSTGRESQL.execute(f"ALTER DATABASE {database} SET log_statement = 'all'", url)
    store.engine.dispose()
    store.find(["warm"], deadline=soon())
    start = len(POSTGRESQL.server.log())
    yield
    seen += POSTGRESQL_LOG.findall(POSTGRESQL.server.log()[start:])
    POSTGRESQL.execute(f"ALTER DATABASE {database} RESET log_statement", url)
    store.engine.dispose()


@contextmanager
def _mariadb(store: NameStore, seen: list[str]) -> Iterator[None]:
    url = store.engine.url.render_as_string(hide_password=False)
    store.find(["warm"], deadline=soon())
    MARIADB.execute("SET GLOBAL log_output = 'TABLE', general_log = 1", url)
    MARIADB.execute("TRUNCATE mysql.general_log", url)
    yield
    rows = MARIADB.execute(
        "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log"
        " WHERE user_host LIKE 'dibs%' AND command_type IN ('Query', 'Execute')",
        url,
    )
    MARIADB.execute("SET GLOBAL general_log = 0, log_output = 'FILE'", url)
    seen += [row[0] for row in rows]
