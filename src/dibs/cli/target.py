"""What a command is about: the service or the host app, its settings, database and parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from dibs.config import Settings, load
from dibs.config.namespaces import NONE, Namespaces
from dibs.errors import DibsError, NotWritable, StoreUnavailable
from dibs.observe import root_of

if TYPE_CHECKING:
    from flask import Flask

    from dibs.cli.host import HostDatabase
    from dibs.extension import Dibs
    from dibs.names import Phase
    from dibs.store.database.dialects import Dialect
    from dibs.store.models import Tables
    from dibs.wiring import Opened, Parts

T = TypeVar("T")
HOME = Settings().home
UNCHOSEN = "dibs.unchosen"


def host_app() -> Flask | None:
    """The app of `flask dibs ...`; none when it is `dibs ...`."""
    from flask.cli import ScriptInfo

    info = click.get_current_context().find_object(ScriptInfo)
    return info.load_app() if info else None


class Host(NamedTuple):
    """An app that has dibs: its own, the first if it has several, and the namespace of that."""

    app: Flask
    dibs: Dibs
    namespace: str


def host() -> Host | None:
    """The app of `flask dibs ...`, if it has dibs."""
    from dibs.state import state_of

    if (app := host_app()) is None:
        return None
    return next((Host(app, dibs, place) for place, dibs in state_of(app).names.items()), None)


def has_own_users() -> bool:
    """Whether it is an app in which no routes of the service keep users."""
    if (found := host()) is None:
        return False
    from dibs.state import state_of
    from dibs.store.models import ALL_TABLES

    parts = state_of(found.app).parts
    return parts is None or parts.store.tables is not ALL_TABLES


def refuse_users_of_the_host(why: str) -> None:
    """See that dibs keeps the users, and not an app."""
    if has_own_users():
        raise click.ClickException(why)


def needed_tables() -> Tables:
    """Those that the service needs, or the names of an app's own users."""
    from dibs.store.models import ALL_TABLES, NAME_TABLES

    return NAME_TABLES if has_own_users() else ALL_TABLES


def typed(words: str) -> str:
    """A command as it is to be typed here: `flask dibs ...` in an app."""
    return f"dibs {words}" if host_app() is None else f"flask dibs {words}"


def mending() -> str:
    """What makes the tables that are missing."""
    found = host()
    if found is not None and found.dibs.metadata is not None:
        return "run your app's migration"
    return f"run `{typed('db upgrade')}`"


def making(settings: Settings) -> str:
    """What makes the database's file, or leads to the right one."""
    if settings.database_url:
        return mending()
    return f"set DIBS_DATABASE_URL to your service's, or run `{typed('db upgrade')}` for a new one"


def find_settings() -> Settings:
    """The settings of the host app, or else of the environment.

    Raises:
        ConfigError: A DIBS_ key is unknown or has a value it does not take.
    """
    if (app := host_app()) is None:
        from dibs.config.environment import settings_from_environment

        return settings_from_environment()
    if (found := host()) is None:
        return load(app.config)
    from dibs.extension.mounting import service_settings

    return service_settings(app, found.dibs)


def tell_unchosen(settings: Settings) -> None:
    """Say which database a command works on, once, if no setting has chosen it."""
    said = click.get_current_context().find_root().meta
    if settings.database_url or settings.home != HOME or said.setdefault(UNCHOSEN, False):
        return
    said[UNCHOSEN] = True
    click.echo(f"DIBS_DATABASE_URL is not set; this is {settings.shown_database_url}", err=True)


def find_target() -> HostDatabase | ServiceDatabase:
    """The database that the current command is about."""
    if (found := host()) is None:
        return ServiceDatabase(find_settings())
    from dibs.cli.host import HostDatabase

    return HostDatabase(found.app, found.dibs, needed_tables(), mending())


class ServiceDatabase:
    """The service's own; see `dibs.cli.host:HostDatabase`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.place = settings.shown_database_url

    def upgrade(self) -> None:
        """Create the tables, or bring them up to date."""
        from dibs.wiring import create_tables

        create_tables(self._settings)

    @contextmanager
    def _open(self) -> Iterator[Opened]:
        from dibs.wiring import open_store

        store, budget = open_store(self._settings)
        with closing(store):
            yield store, budget

    def verify(self) -> None:
        """See that names can be kept unique there."""
        from dibs.store import schema

        schema.require_file(self._settings.resolved_database_url, making(self._settings))
        with self._open() as (store, budget):
            store.verify(deadline=budget.start())

    def verify_writable(self) -> None:
        """See that it takes writes; `NotWritable` if it does not."""
        with self._open() as (store, budget):
            store.verify_writable(deadline=budget.start())
            store.verify_rights(deadline=budget.start())

    def _ask(self, ask: Callable[[type[Dialect], Any], T]) -> T:
        with self._open() as (store, budget):
            work = partial(ask, store.transactions.dialect)
            return store.transactions.inspect(work, deadline=budget.start())

    def warnings(self) -> list[str]:
        """What is well now and will not stay so."""
        from dibs.store import schema

        def look(dialect: type[Dialect], connection: Any) -> list[str]:
            moving = under_way(schema.phase_of(connection))
            return [*filter(None, [moving]), *dialect.dangers(connection)]

        return self._ask(look)

    def time_outs(self) -> str:
        """Those that it really has in force; empty if it has none."""
        return self._ask(lambda dialect, connection: dialect.time_outs(connection))


def under_way(phase: Phase) -> str | None:
    """What is to be said of names that are on their way to other rules."""
    return f"Names are on their way: {phase}; see `{typed('adopt rekey')}`" if phase.step else None


def ready_parts() -> Parts:
    """Put a service's parts together, after a look at the database.

    A command that asks without looking would make an empty SQLite file, and under other rules
    it would free or change the name that somebody else reads as this one.

    Raises:
        SchemaError: The database is not there, not up to date, or has names of other rules.
    """
    parts = _parts()
    parts.store.verify(deadline=parts.budget.start())
    return parts


def _parts() -> Parts:
    """In a host app on its own engine, which its address need not describe."""
    from dibs.store import schema

    if (found := host()) is None:
        from dibs.wiring import build

        settings = find_settings()
        schema.require_file(settings.resolved_database_url, making(settings))
        tell_unchosen(settings)
        return build(settings)
    from dibs.extension.mounting import host_parts

    parts = host_parts(found.app, found.dibs, found.namespace, needed_tables())
    schema.require_file(parts.store.engine.url, mending())
    return parts


def explain(error: DibsError) -> str:
    """The error; of a database that cannot answer, what its driver says of that.

    Only who runs the service reads this: a driver names hosts and ports.
    """
    cause = root_of(error)
    if not isinstance(error, StoreUnavailable) or cause is error:
        return str(error)
    from dibs.store.database.dialects import DIALECTS

    said = str(error) if isinstance(error, NotWritable) else "The database cannot answer."
    why = next(filter(None, (one.why_away(cause) for one in DIALECTS)), str(cause))
    return f"{said.rstrip('.')}: {' '.join(why.split())}"


def user_id_of(parts: Parts, name: str) -> str | None:
    """The id of the user who has this name, in any spelling; None if nobody has."""
    row = parts.registry.holder(name, deadline=parts.budget.start())
    return row.owner if row is not None and row.owner_kind == "user" else None


Command = Callable[..., None]


def number(
    option: str, default: float, kind: click.ParamType[Any], what: str = ""
) -> Callable[[Command], Command]:
    """Give a command an option that is a number, and says in the help what it is otherwise."""
    return click.option(option, default=default, show_default=True, type=kind, help=what or None)


def namespace_option(command: Command) -> Command:
    """Give a command the option `--namespace`; see `chosen`."""
    option = click.option(
        "--namespace", metavar="NAME", help="The namespace; that of users if left out."
    )
    return option(command)


def all_namespaces(settings: Settings) -> Namespaces:
    """Those of the settings, and of the app if it is one."""
    from dibs.state import state_of

    app = host_app()
    return settings.all_namespaces | (state_of(app).namespaces if app else NONE)


def chosen(namespace: str | None, settings: Settings) -> str:
    """The namespace that a command is about.

    Raises:
        BadParameter: There is no such namespace: what is reserved in it would protect nothing.
    """
    if namespace is None:
        return settings.namespace
    if namespace not in all_namespaces(settings):
        raise click.BadParameter(
            f"there is no namespace {namespace!r}; see DIBS_NAMESPACES.",
            param_hint="'--namespace'",
        )
    return namespace
