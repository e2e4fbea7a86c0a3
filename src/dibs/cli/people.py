"""Which people an adoption is about: a guarded column, a table, or a CSV file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dibs.cli.target import find_settings, find_target, host, host_app, tell_unchosen
from dibs.errors import ConfigError

if TYPE_CHECKING:
    from flask import Flask

    from dibs.adopt.people import Source
    from dibs.cache import TakenNames
    from dibs.extension import Dibs
    from dibs.names import Parser
    from dibs.store.host.connection import AnyEngine, NameTable

STEP = 1000
"""People after each of which a progress bar moves."""

Command = Callable[..., None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """Where people are, as it was typed; see `source_options`."""

    model: str | None = None
    database: str | None = None
    table: str | None = None
    column: str | None = None
    ids: tuple[str, ...] = ()
    file: Path | None = None

    def check(self) -> None:
        """See that it is one place; `UsageError` if it is none, or two."""
        if sum(one is not None for one in (self.model, self.table, self.file)) > 1:
            raise click.UsageError("give one of Model.column, --table and --csv")
        if self.table and not self.column:
            raise click.UsageError("--table needs --column, the column of the names")
        if self.database and not self.table:
            raise click.UsageError("--database needs --table and --column")
        if (self.column or self.ids) and not (self.table or self.file):
            raise click.UsageError("--column and --id are for a --table or a --csv file")


def source_options(command: Command) -> Command:
    """Give a command what says where people are; it is called with an `Asked` as `asked`."""
    options = (
        click.argument("model", required=False, metavar="[MODEL.COLUMN]"),
        click.option("--database", metavar="URL", help="The address of the table's database."),
        click.option("--table", metavar="NAME", help="The table or view with the names."),
        click.option("--column", metavar="NAME", help="The column with the names."),
        click.option(
            "--id",
            "ids",
            metavar="NAME",
            help="The column that tells who is who, or several with commas; a table's primary key"
            " if left out.",
        ),
        click.option(
            "--csv",
            "file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="A CSV file instead: `id` and `username`, unless --id and --column say otherwise.",
        ),
    )

    @wraps(command)
    def called(ids: str | None, **given: Any) -> None:
        split = tuple(one.strip() for one in ids.split(",")) if ids else ()
        where = {one.name: given.pop(one.name) for one in fields(Asked) if one.name != "ids"}
        asked = Asked(ids=split, **where)
        asked.check()
        command(asked=asked, **given)

    wrapped: Command = called
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


def find_sources(asked: Asked, also: Sequence[str] = ()) -> list[Source]:
    """The people that a command is about, with further columns; of several guarded columns each.

    Raises:
        ConfigError: They are not there.
    """
    from dibs.adopt.csvfile import CsvPeople
    from dibs.adopt.people import DEFAULT, Source

    app, found = host_app(), host()
    dibs = found and found.dibs
    if app is not None and not asked.file and not asked.table:
        return _mapped(app, dibs, asked.model)
    if asked.model or not (asked.file or asked.table):
        raise ConfigError(
            "say where the people are: --table and --column, or --csv; a Model.column is known to"
            " `flask dibs adopt ...`"
        )
    if dibs is None:
        from dibs.wiring import make_parser

        settings = find_settings()
        parser, namespace = make_parser(settings), settings.namespace
    else:
        parser, namespace = dibs.parser, DEFAULT
    if asked.file:
        return [Source(CsvPeople(asked.file, asked.column, asked.ids, also), parser, namespace)]
    from dibs.store.host.people import TablePeople

    engine, table, column = _engine(app, dibs, asked.database), str(asked.table), str(asked.column)
    return [Source(TablePeople(engine, table, column, asked.ids, also), parser, namespace)]


def find_source(asked: Asked, also: Sequence[str] = ()) -> Source:
    """The same, of one column; `UsageError` if there are several."""
    sources = find_sources(asked, also)
    if len(sources) > 1:
        raise click.UsageError(f"say which: {', '.join(one.rows.where for one in sources)}")
    return sources[0]


def _engine(app: Flask | None, dibs: Dibs | None, url: str | None) -> AnyEngine:
    """That of the address, or else of the app, or else of the service."""
    from dibs.store.host.people import reading_engine

    if url is None and app is not None and dibs is not None:
        with app.app_context():
            return dibs.engine
    if url is None and app is not None:
        raise click.UsageError("--table needs --database in an app without a Dibs")
    return reading_engine(url or find_settings().resolved_database_url)


def _mapped(app: Flask, dibs: Dibs | None, model: str | None) -> list[Source]:
    """The guarded columns of an app, or one column of its models."""
    from dibs.adopt.people import DEFAULT, Source
    from dibs.names import Parser
    from dibs.state import state_of
    from dibs.store.host.people import MappedPeople

    every = list(state_of(app).names.values())
    guards = [(guard, one) for one in every for guard in one.guards]
    with app.app_context():
        found = [
            Source(
                MappedPeople(
                    one.engine,
                    getattr(guard.mapper.class_, guard.key),
                    None if guard.rules.within is not None else guard.rules.namespace,
                ),
                one.parser,
                None if guard.rules.within is None else guard.rules.namespace(None),
            )
            for guard, one in guards
            if model in (None, guard.where)
        ]
        if found or model is None:
            if not found:
                known = ", ".join(_columns(app)) or "none that Flask-SQLAlchemy knows"
                raise ConfigError(
                    "this app guards no column yet, so say which one has the names, as in"
                    f" User.username. Columns of text: {known}"
                )
            return found
        attribute, engine = _unguarded(app, model, [guard.where for guard, _ in guards])
        parser = Parser() if dibs is None else dibs.parser
        return [Source(MappedPeople(engine, attribute), parser, DEFAULT)]


def _columns(app: Flask, most: int = 9) -> list[str]:
    """Columns of models that could hold names."""
    from dibs.store.host.columns import guarded_column

    found: list[str] = []
    for mapper in _mappers(app):
        for key in list(mapper.column_attrs):
            with suppress(ConfigError):
                guarded_column(getattr(mapper.class_, key.key))
                found.append(f"{mapper.class_.__name__}.{key.key}")
    return found[:most]


def _mappers(app: Flask) -> list[Any]:
    db: Any = app.extensions.get("sqlalchemy")
    return list(db.Model.registry.mappers) if hasattr(db, "Model") else []


def _unguarded(app: Flask, model: str, guarded: Sequence[str]) -> tuple[Any, AnyEngine]:
    """A column of a model that Flask-SQLAlchemy knows, and its engine."""
    name, _, key = model.rpartition(".")
    db: Any = app.extensions.get("sqlalchemy")
    for mapper in _mappers(app):
        if mapper.class_.__name__ == name and hasattr(mapper.class_, key):
            return getattr(mapper.class_, key), db.session.get_bind(mapper)
    known = f"it guards {', '.join(guarded)}" if guarded else "it guards none"
    raise ConfigError(f"this app has no column {model}; {known}. Or say --table and --column")


def kind_option(command: Command) -> Command:
    """Give a command the option `--kind`; see `owning`."""
    return click.option(
        "--kind",
        metavar="KIND",
        help="What owns the names of a table or file: a mapped class's table, or what `claim` is"
        " told. Without an app: users of the service, if left out.",
    )(command)


def owning(source: Source, kind: str | None) -> Source:
    """The same people, as what they own names as.

    Of the service itself they become users, whose ids are UUIDs.
    """
    if kind is not None:
        source.rows.kind = kind
    elif host_app() is None:
        from dibs.adopt.accounts import ServiceUsers

        return replace(source, rows=ServiceUsers(source.rows, source.rows.where))
    return source


@dataclass(frozen=True, slots=True)
class Names:
    """Where names are kept, and by which rules.

    Attributes:
        table: What is known of the table there; its namespace is that of users.
        quarantine: Milliseconds for which nobody can have the name of somebody who left.
        kinds: What usually owns names.
        cache: What is to be told of names that are free again, if there is anything.
    """

    engine: AnyEngine
    table: NameTable
    parser: Parser
    quarantine: int | None
    kinds: Sequence[str]
    cache: TakenNames | None


def find_names() -> Names:
    """Those of the host app, or of the service; its tables were seen to be there.

    Raises:
        SchemaError: The database is not set up for dibs.
    """
    from dibs.state import state_of
    from dibs.store.database.engine import unbounded_engine
    from dibs.store.host.connection import NameTable
    from dibs.store.host.owners import DEFAULT_KIND, kind_of
    from dibs.wiring import make_parser, open_cache

    find_target().verify()
    if (found := host()) is None:
        settings = find_settings()
        tell_unchosen(settings)
        parser, engine = make_parser(settings), unbounded_engine(settings.resolved_database_url)
        table = NameTable(settings.namespace, {}, parser)
        cache = open_cache(settings) if settings.redis_url else None
        return Names(engine, table, parser, settings.quarantine_ms, [DEFAULT_KIND], cache)
    app, dibs, place = found
    state = state_of(app)
    guards = [guard for one in state.names.values() for guard in one.guards]
    kinds = list(dict.fromkeys(kind_of(guard.mapper) for guard in guards)) or [DEFAULT_KIND]
    with app.app_context():
        table = NameTable(place, {}, dibs.parser, in_metadata=dibs.metadata is not None)
        return Names(dibs.engine, table, dibs.parser, state.quarantine, kinds, state.cache)


def watched(people: Iterable[T], total: int) -> Iterator[T]:
    """The same people; on a terminal, with a bar that says how far it is."""
    if not sys.stderr.isatty():
        yield from people
        return
    with click.progressbar(length=total, label="People", file=sys.stderr) as bar:
        for number, person in enumerate(people, 1):
            yield person
            if number % STEP == 0:
                bar.update(STEP)
        bar.update(total)


def tell(what: str = "") -> None:
    """Say on a terminal how far it is, in place of what was said before."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{what}", err=True, nl=False)
