"""The service in a host app: its routes there, and what the app's own transactions tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import Flask, Response
from sqlalchemy.orm import Mapper

from dibs.config import Settings, load
from dibs.context import CACHE_SECONDS, Budget, Deadline
from dibs.errors import ConfigError, DibsError
from dibs.state import AppState, current_state, state_of
from dibs.store.database.engine import is_at
from dibs.store.host.columns import guards_of
from dibs.store.host.connection import AnyEngine, NameTable
from dibs.store.host.endings import Fate, FreedName, follow_owners, on_freed
from dibs.store.models import ALL_TABLES, NAME_TABLES, Tables

if TYPE_CHECKING:
    from dibs.accounts.policy import Reading
    from dibs.cache import TakenNames
    from dibs.extension import Dibs
    from dibs.wiring import Opened, Parts


def answer_errors(app: Flask, locale: str) -> None:
    """Answer what dibs raises in the app's views as problem details."""
    state_of(app).locale = locale
    app.register_error_handler(DibsError, _answer_error)


def _answer_error(error: DibsError) -> Response:
    from dibs.web.http.problems import from_error  # most processes that start meet none

    return from_error(error)


def mounted_parts(*, api: bool, pages: bool, component: bool) -> tuple[str, ...]:
    """What of the service a host app wants.

    Raises:
        ConfigError: Pages, without the routes that they need.
    """
    if pages and not api:
        raise ConfigError("Pages need the routes: init_app(app, api=True, pages=True)")
    wanted = {"api": api, "pages": pages, "component": component}
    return tuple(name for name, is_wanted in wanted.items() if is_wanted)


def mount_routes(
    app: Flask,
    dibs: Dibs,
    mounted: Sequence[str],
    *,
    url_prefix: str,
    namespace: str,
    reading: Reading | None,
    **checking: Any,
) -> None:
    """Mount these parts of the service, on the app's own database.

    Raises:
        ConfigError: A setting cannot be used.
    """
    from dibs.web import register_blueprints

    if app.url_map.host_matching:
        raise ConfigError(
            "In an app with host_matching a route without a host is never found: mount dibs in"
            " an app of its own"
        )
    tables = ALL_TABLES if "api" in mounted else NAME_TABLES
    parts = host_parts(app, dibs, namespace, tables, reading)
    if url_prefix:  # or the first page would take the place of the app's own
        mounted = (*mounted, "front")
    register_blueprints(app, parts, url_prefix=url_prefix, mounted=mounted, **checking)


def host_parts(
    app: Flask, dibs: Dibs, namespace: str, tables: Tables, reading: Reading | None = None
) -> Parts:
    """What the service is made of, on the app's own engine and by its rules for names.

    Raises:
        ConfigError: A setting cannot be used.
    """
    from dibs.wiring import build

    settings = replace(service_settings(app, dibs), namespace=namespace)
    return build(
        settings,
        reading=reading,
        tables=tables,
        parser=dibs.parser,
        opened=_opened(app, dibs, settings, tables),
    )


def routes_engine(state: AppState, dibs: object) -> AnyEngine | None:
    """The engine of the routes that write to the same names as this `Dibs`, if there are any."""
    parts = state.parts
    if parts is None or state.names.get(parts.settings.namespace) is not dibs:
        return None
    return parts.store.engine


def shared_cache(app: Flask, dibs: Dibs) -> TakenNames:
    """The caches of an app without routes, which are told of names that its own views free."""
    from dibs.wiring import open_cache

    settings = service_settings(app, dibs)
    return open_cache(settings, _opened(app, dibs, settings, NAME_TABLES))


def _tell_cache(names: Sequence[FreedName]) -> None:
    """Let no cache refuse what the current app's transaction frees."""
    cache = current_state().cache
    if cache is None:
        return
    from dibs.registry.coherence import invalidate

    versions = {(name.namespace, name.key): name.version for name in names}
    invalidate(cache, versions, deadline=Deadline.after(CACHE_SECONDS))


def service_settings(app: Flask, dibs: Dibs) -> Settings:
    """The settings for the service's own parts in a host app: they write to its database.

    Raises:
        ConfigError: A setting cannot be used, or the database cannot be told.
    """
    settings = replace(load(app.config), lookalikes=dibs.lookalikes)
    engine = _engine_of(app, dibs)
    if engine is None and settings.database_url:
        return settings
    if engine is None:
        raise ConfigError(
            "init_app(api=True) needs to know the app's database: initialise the app's"
            " SQLAlchemy first, and have Dibs(session=...) give a session in any app context;"
            " an app without one sets DIBS_DATABASE_URL"
        )
    if engine.dialect.is_async:
        raise ConfigError(
            "The routes need an engine that is not for asyncio; put them into an app, or a"
            " process, of their own, with DIBS_DATABASE_URL"
        )
    if settings.database_url and not is_at(engine, settings.database_url):
        raise ConfigError(
            "DIBS_DATABASE_URL names another database than the app's own, in which a name could"
            " get a second owner; leave it out"
        )
    return replace(settings, database_url=engine.url.render_as_string(hide_password=False))


def _opened(app: Flask, dibs: Dibs, settings: Settings, tables: Tables) -> Opened | None:
    """A store on the app's own engine: routes and claims share one table, or nothing holds."""
    engine = _engine_of(app, dibs)
    if engine is None:
        return None
    from dibs.store.host.transactions import HostStore, HostTransactions

    budget = Budget(settings.deadline)
    in_metadata = dibs.metadata is not None
    table = NameTable("", {}, dibs.parser, in_metadata=in_metadata)
    return HostStore(HostTransactions(engine, budget), table, tables=tables), budget


def _engine_of(app: Flask, dibs: Dibs) -> AnyEngine | None:
    """That of the app's session; None where there is none before the first request."""
    with app.app_context():
        try:
            return dibs.engine
        except (AttributeError, LookupError, RuntimeError):
            return None


def _fate(mapper: Mapper[Any]) -> Fate:
    """By the app of the guard; in other models by the current app."""
    if guards := guards_of(mapper):
        return guards[0].rules.fate()
    state = current_state()
    return Fate(state.namespaces, state.quarantine)


# Once for all sessions, so that it also holds in a process that never claimed a name.
follow_owners(_fate)
on_freed(_tell_cache)
