"""Which database a command is about: the service's, or that of the host app."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dibs.config import Settings, load
from dibs.config.namespaces import NONE, Namespaces

if TYPE_CHECKING:
    from flask import Flask

    from dibs.extension import Dibs
    from dibs.names import Phase
    from dibs.store.database.dialects import Dialect
    from dibs.store.models import Tables

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """A database.

    Attributes:
        place: Its address, without a password.
        upgrade: Creates its tables, or brings them up to date.
        verify: Raises `SchemaError` when something is wrong with it.
        warnings: What is well now and will not stay so.
        time_outs: Those that it really has in force; empty if it has none.
    """

    place: str
    upgrade: Callable[[], None]
    verify: Callable[[], None]
    warnings: Callable[[], list[str]] = list
    time_outs: Callable[[], str] = str


def host_app() -> Flask | None:
    """The app of `flask dibs ...`; none when it is `dibs ...`."""
    from flask.cli import ScriptInfo

    info = click.get_current_context().find_object(ScriptInfo)
    return info.load_app() if info else None


def extension_in(app: Flask) -> tuple[str, Dibs] | None:
    """The app's own Dibs, the first if it has several, and the namespace that it is for."""
    from dibs.state import state_of

    return next(iter(state_of(app).names.items()), None)


def extension_of(app: Flask) -> Dibs | None:
    """The app's own Dibs, the first if it has several."""
    found = extension_in(app)
    return found and found[1]


def has_own_users() -> bool:
    """Whether it is an app in which no routes of the service keep users."""
    app = host_app()
    if app is None or extension_of(app) is None:
        return False
    from dibs.state import state_of
    from dibs.store.models import ALL_TABLES

    parts = state_of(app).parts
    return parts is None or parts.store.tables is not ALL_TABLES


def needed_tables() -> Tables:
    """Those that the service needs, or the names of an app's own users."""
    from dibs.store.models import ALL_TABLES, NAME_TABLES

    return NAME_TABLES if has_own_users() else ALL_TABLES


def typed(words: str) -> str:
    """A command as it is to be typed here: `flask dibs ...` in an app."""
    return f"dibs {words}" if host_app() is None else f"flask dibs {words}"


def mending() -> str:
    """What makes the tables that are missing."""
    app = host_app()
    dibs = None if app is None else extension_of(app)
    if dibs is not None and dibs.metadata is not None:
        return "run your app's migration"
    return f"run `{typed('db upgrade')}`"


def making(settings: Settings) -> str:
    """What makes the database's file, or leads to the right one."""
    if settings.database_url:
        return mending()
    return f"set DIBS_DATABASE_URL to your service's, or run `{typed('db upgrade')}` for a new one"


def host_namespaces() -> Namespaces:
    """Those that the host app's own names are in."""
    app = host_app()
    if app is None:
        return NONE
    from dibs.state import state_of

    return state_of(app).namespaces


def find_settings() -> Settings:
    """The settings of the host app, or else of the environment.

    Raises:
        ConfigError: A DIBS_ key is unknown or has a value it does not take.
    """
    app = host_app()
    if app is None:
        from dibs.config.environment import settings_from_environment

        return settings_from_environment()
    dibs = extension_of(app)
    if dibs is None:
        return load(app.config)
    from dibs.extension.mounting import service_settings

    return service_settings(app, dibs)


def find_target() -> Target:
    """The database that the current command is about.

    Raises:
        ConfigError: A setting cannot be used.
    """
    app = host_app()
    dibs = None if app is None else extension_of(app)
    if app is not None and dibs is not None:
        from dibs.cli.host import HostDatabase

        host = HostDatabase(app, dibs, needed_tables(), mending())
        return Target(host.place, host.upgrade, host.verify, host.warnings)
    from dibs.store import schema
    from dibs.wiring import create_tables, open_store

    settings = find_settings()

    def verify() -> None:
        schema.require_file(settings.resolved_database_url, making(settings))
        store, budget = open_store(settings)
        with closing(store):
            store.verify(deadline=budget.start())
            store.verify_writable(deadline=budget.start())

    def looked(look: Callable[[type[Dialect], Any], T]) -> T:
        store, budget = open_store(settings)
        with closing(store):
            work = partial(look, store.transactions.dialect)
            return store.transactions.inspect(work, deadline=budget.start())

    def warnings(dialect: type[Dialect], connection: Any) -> list[str]:
        moving = under_way(schema.phase_of(connection))
        return [*filter(None, [moving]), *dialect.dangers(connection)]

    def time_outs(dialect: type[Dialect], connection: Any) -> str:
        return dialect.time_outs(connection)

    place = settings.shown_database_url
    return Target(
        place,
        lambda: create_tables(settings),
        verify,
        partial(looked, warnings),
        partial(looked, time_outs),
    )


def under_way(phase: Phase) -> str | None:
    """What is to be said of names that are on their way to other rules."""
    return f"Names are on their way: {phase}; see `{typed('adopt rekey')}`" if phase.step else None


Command = Callable[..., None]


def namespace_option(command: Command) -> Command:
    """Give a command the option `--namespace`; see `chosen`."""
    option = click.option(
        "--namespace", metavar="NAME", help="The namespace; that of users if left out."
    )
    return option(command)


def chosen(namespace: str | None, settings: Settings) -> str:
    """The namespace that a command is about.

    Raises:
        BadParameter: There is no such namespace: what is reserved in it would protect nothing.
    """
    hosts = host_namespaces()
    if namespace is None:
        return settings.namespace
    if namespace not in settings.all_namespaces | hosts:
        raise click.BadParameter(
            f"there is no namespace {namespace!r}; see DIBS_NAMESPACES.",
            param_hint="'--namespace'",
        )
    return namespace
