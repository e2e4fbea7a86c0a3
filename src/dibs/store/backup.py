"""Backups of the service's own database, and how it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, func, select

from dibs.errors import ConfigError
from dibs.names import Parser
from dibs.store import schema
from dibs.store.database.dialects import dialect_for
from dibs.store.database.dialects.copies import address_of, read_copy, replace_all, told, write_copy
from dibs.store.database.engine import parse_url, unbounded_engine
from dibs.store.models import meta, names


def require_ours(url: str) -> None:
    """See that dibs backs this database up itself.

    Raises:
        ConfigError: It does not; says what does.
    """
    if tools := dialect_for(parse_url(url).get_backend_name()).tools:
        saves, restores = tools
        raise ConfigError(
            f"this database is backed up with {saves} and restored with {restores}, followed by"
            " `dibs db restored`: see docs/backup.md"
        )


def back_up(url: str, file: Path) -> int:
    """Write the database into a file, while servers run; returns how many names are in it.

    Raises:
        ConfigError: It cannot be written, or the database is damaged.
    """
    with _opened(url) as engine:
        return write_copy(engine, file, f"SELECT COUNT(*) FROM {names.name}")


@contextmanager
def prepared(file: Path, parser: Parser) -> Iterator[Engine]:
    """A copy of a backup that is as this dibs needs it, for `restore`; gone in the end.

    Tables of an older dibs are brought up to date before anybody sees them.

    Args:
        parser: By whose rules names are read.

    Raises:
        ConfigError: The file is no whole backup.
        SchemaError: It is not of dibs, or its names are of other rules.
    """
    with (
        TemporaryDirectory(prefix="dibs-restore-") as folder,
        _opened(address_of(Path(folder, "prepared"))) as copy,
    ):
        read_copy(file, copy)
        with copy.connect() as connection:
            if schema.is_empty(connection):
                raise ConfigError(f"{file} is no backup: it has no table of dibs")
        schema.upgrade_engine(copy, parser.rules_version)
        with copy.connect() as connection:
            schema.verify(connection, parser)
        yield copy


def restore(copy: Engine, url: str) -> int:
    """Put it in the database's place, at once; returns how many names there are now.

    Raises:
        ConfigError: It is of another database than the one there: what servers have made with
            the secret of that one would pass for nothing.
    """
    with _opened(url) as engine:
        if _secret(engine) not in (None, _secret(copy)):
            raise ConfigError(
                f"this is a backup of another database than the one at {engine.url.database}: stop"
                " the servers, move that away, and restore into none"
            )
        replace_all(engine, copy)
        return _count(engine)


def names_in(url: str) -> int:
    """How many names the database has, if it is there; nothing is made."""
    if dialect_for((parsed := parse_url(url)).get_backend_name()).missing_file(parsed):
        return 0
    with _opened(url) as engine:
        return _count(engine)


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        if schema.is_empty(connection):
            return 0
        return connection.scalar(select(func.count()).select_from(names)) or 0


def _secret(engine: Engine) -> str | None:
    """Which database it is; None where there are no tables."""
    with engine.connect() as connection:
        return None if schema.is_empty(connection) else connection.scalar(select(meta.c.secret))


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    """An engine that is closed in the end.

    Raises:
        ConfigError: What is there is no database, or damaged.
    """
    engine = unbounded_engine(url)
    try:
        with told(Path(engine.url.database or "")):
            yield engine
    finally:
        engine.dispose()
