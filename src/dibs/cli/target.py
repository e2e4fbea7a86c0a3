"""Which database a command is about: the service's, or that of the host app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dibs.config import Settings, load
from dibs.config.extras import needs
from dibs.config.namespaces import NONE, Namespaces
from dibs.errors import ConfigError

if TYPE_CHECKING:
    from flask import Flask

    from dibs.extension import Dibs
    from dibs.store.models import Tables


@dataclass(frozen=True, slots=True)
class Target:
    """A database.

    Attributes:
        place: Its address, without a password.
        upgrade: Creates its tables, or brings them up to date.
        verify: Raises `SchemaError` when something is wrong with it.
        warning: What is well now and will not stay so; None if nothing is.
    """

    place: str
    upgrade: Callable[[], None]
    verify: Callable[[], None]
    warning: Callable[[], str | None] = lambda: None


def host_app() -> Flask | None:
    """The app of `flask dibs ...`; none when it is `dibs ...`."""
    from flask.cli import ScriptInfo

    info = click.get_current_context().find_object(ScriptInfo)
    return info.load_app() if info else None


def extension_of(app: Flask) -> Dibs | None:
    """The app's own Dibs, the first if it has several."""
    from dibs.state import state_of

    return next(iter(state_of(app).names.values()), None)


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


def mending() -> str:
    """What makes the tables that are missing."""
    from dibs.store.database.dialects import UPGRADE

    app = host_app()
    dibs = None if app is None else extension_of(app)
    if dibs is not None and dibs.metadata is not None:
        return "run your app's migration"
    return f"run `{UPGRADE}`" if app is None else f"run `flask {UPGRADE}`"


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
        with needs("service", "`dibs` without an app"):
            from dibs.app import settings_from_environment

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
        return _of_host(app, dibs)
    from dibs.store import schema
    from dibs.wiring import create_tables, open_store

    settings = find_settings()

    def verify() -> None:
        schema.require_file(settings.resolved_database_url)
        store, budget = open_store(settings)
        store.verify(deadline=budget.start())
        store.close()

    return Target(settings.shown_database_url, lambda: create_tables(settings), verify)


def _of_host(app: Flask, dibs: Dibs) -> Target:
    """The database in which a host app's extension writes its names."""
    from dibs.store import schema
    from dibs.store.host import connection as host_connection

    with app.app_context():
        try:
            engine = dibs.engine
        except (AttributeError, LookupError, RuntimeError) as error:
            raise ConfigError(
                "this app's session exists only during a request; let the app make the tables"
                " itself: Dibs(session, metadata=...)"
            ) from error

    def verify() -> None:
        schema.require_file(engine.url, mending())
        with engine.connect() as connection:
            host_connection.verify(connection, table, tables=needed_tables())

    def upgrade() -> None:
        with engine.connect() as connection:
            if dibs.metadata is not None and schema.is_empty(connection):
                raise ConfigError(
                    "this app has the tables of dibs in its own metadata: make them by its own"
                    " migrations, or by create_all"
                )
            if schema.made_by_host(connection):
                schema.write_rules(connection, dibs.rules_version)
                host_connection.verify(connection, table, tables=needed_tables())
                return
        schema.upgrade_engine(engine, dibs.rules_version)

    table = host_connection.NameTable(
        "", {}, dibs.rules_version, in_metadata=dibs.metadata is not None
    )
    place = engine.url.render_as_string(hide_password=True)

    def warning() -> str | None:
        known = {} if dibs.metadata is None else dibs.metadata.tables
        with engine.connect() as connection:
            strangers = schema.present(connection) - known.keys()
        return _about_to_be_dropped(app, frozenset(strangers))

    return Target(place, upgrade, verify, warning)


def _about_to_be_dropped(app: Flask, strangers: frozenset[str]) -> str | None:
    """What the app's next migration would do to tables that its metadata does not have."""
    from dibs.store.models import meta, metadata

    migrate = app.extensions.get("migrate")  # Flask-Migrate's; any other has an env.py alone
    if migrate is None or not strangers:
        return None
    asked = migrate.configure_args.get("include_object")
    kept = asked and not any(
        asked(metadata.tables.get(name, meta), name, "table", True, None) for name in strangers
    )
    env = Path(migrate.directory, "env.py")
    if kept or (env.is_file() and "dibs.migrations" in env.read_text(encoding="utf-8")):
        return None
    return (
        f"The next `flask db migrate` would drop {', '.join(sorted(strangers))}. Keep them:"
        " `from dibs.migrations import include_object`, and"
        " Migrate(app, db, include_object=include_object)"
    )


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
