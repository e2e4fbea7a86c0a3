"""Connections: the address, the driver, and an engine whose every wait ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool
from sqlalchemy.util.queue import Empty

from dibs.config.extras import installing
from dibs.context import Budget, NotByTurns, turns
from dibs.errors import ConfigError
from dibs.store.database.dialects import DIALECTS, Dialect, dialect_for
from dibs.store.database.dialects.base import Pooled

DRIVERS = {begins: driver for one in DIALECTS for begins, driver in one.drivers.items()}

# SQLAlchemy knows it from 2.0.43 on: before, an end of a connection's use is told the database.
_QUIET: dict[str, Any] = {"skip_autocommit_rollback": True}
if "skip_autocommit_rollback" not in signature(DefaultDialect).parameters:
    _QUIET = {}


def parse_url(url: str) -> URL:
    """The database's address, with the driver that dibs uses.

    Raises:
        ConfigError: It is no address, or of a database that dibs does not know.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        raise ConfigError(
            "DIBS_DATABASE_URL is not a database address; try"
            " sqlite:///dibs.db or postgresql://user:password@host/database"
        ) from None
    if "@" in (parsed.host or ""):  # where the rest of the password is, for all to read
        raise ConfigError("DIBS_DATABASE_URL has an @ in its user or password; write it as %40")
    parsed = parsed.set(drivername=DRIVERS.get(parsed.drivername, parsed.drivername))
    dialect_for(parsed.get_backend_name()).refuse_unshared(parsed)
    return parsed


def is_at(engine: Engine, url: str) -> bool:
    """Whether an engine leads to the database at this address, by whichever driver."""
    ours, theirs = parse_url(url), engine.url
    kinds = {dialect_for(one.get_backend_name()) for one in (ours, theirs)}
    return len(kinds) == 1 and ours == theirs.set(drivername=ours.drivername)


@contextmanager
def driver_of(parsed: URL) -> Iterator[None]:
    """Load what this address needs; a driver that is not installed is a `ConfigError`."""
    try:
        yield
    except ModuleNotFoundError as missing:
        extra = dialect_for(parsed.get_backend_name()).extra
        raise ConfigError(
            f"the driver {missing.name} is not installed: {installing(extra)}"
        ) from missing


def own_url(url: str) -> tuple[URL, type[Dialect]]:
    """The address of dibs' own database, which dibs connects to by its own driver.

    Raises:
        ConfigError: It cannot be used, or the driver is not installed.
    """
    parsed = parse_url(url)
    dialect = dialect_for(parsed.get_backend_name())
    dialect.refuse_no_folder(parsed)
    if parsed.get_driver_name() != dialect.driver:
        raise ConfigError(
            f"DIBS_DATABASE_URL names the driver {parsed.get_driver_name()}; dibs has one of its"
            f" own: write {parsed.get_backend_name()}://"
        )
    with driver_of(parsed):
        known = dialect.keys(parsed)
    for key in parsed.query:
        if known is not None and key not in known:
            hint = dialect.instead.get(key.replace("-", "_"), "leave it out")
            raise ConfigError(f"DIBS_DATABASE_URL has a key that nobody knows, {key}: {hint}")
    for key in ("ssl_ca", "ssl_cert", "ssl_key"):
        if (path := parsed.query.get(key)) and not Path(str(path)).is_file():
            raise ConfigError(f"DIBS_DATABASE_URL: there is no file {path} ({key})")
    return parsed, dialect


def unbounded_engine(url: str) -> Engine:
    """An engine for what may take longer than a request (migrations, imports); see `own_url`."""
    parsed, dialect = own_url(url)
    engine = create_engine(parsed, poolclass=NullPool)
    dialect.listen_unbounded(engine)
    return engine


class PatientPool(QueuePool):
    """A pool in whose line nobody waits who would keep others waiting too."""

    def _do_get(self) -> ConnectionPoolEntry:
        if turns() is None:
            return super()._do_get()
        try:
            return self._pool.get(block=False)
        except Empty:
            raise NotByTurns from None


def connect(url: str, *, budget: Budget, pool_size: int, pooled: Pooled = "auto") -> Engine:
    """An engine whose every connection, statement and wait is bounded; see `own_url`.

    It is in autocommit mode: a transaction is always spelled out, so a read
    costs one round trip and no statement runs that nobody wrote.
    """
    parsed, dialect = own_url(url)
    engine = create_engine(
        parsed,
        poolclass=PatientPool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=budget.connect,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
        **_QUIET,
        **dialect.engine_options(budget),
    )
    dialect.listen(engine, budget, pooled)
    return engine
