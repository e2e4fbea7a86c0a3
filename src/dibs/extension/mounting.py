"""The service in a host app: its routes there, and what the app's own transactions tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flask import Flask
from sqlalchemy.orm import Mapper

from dibs.config import Settings, load
from dibs.context import CACHE_SECONDS, Deadline
from dibs.errors import ConfigError
from dibs.state import current_state
from dibs.store.host.events import Fate, FreedName, on_freed, release_deleted_owners
from dibs.store.host.guard import guards_of
from dibs.store.models import ALL_TABLES, NAME_TABLES

if TYPE_CHECKING:
    from dibs.accounts.policy import Reading
    from dibs.cache import TakenNames
    from dibs.extension import Dibs


def answer_errors(app: Flask, locale: str) -> None:
    """Answer what dibs raises in the app's views as problem details."""
    from dibs.web.http.problems import register_error_handlers
    from dibs.web.i18n import init_languages

    init_languages(app, default=locale)
    register_error_handlers(app)


@dataclass(frozen=True, slots=True)
class Routes:
    """What a host app wants of the service, and where."""

    mounted: tuple[str, ...]
    url_prefix: str
    namespace: str
    reading: Reading | None

    @property
    def all_mounted(self) -> tuple[str, ...]:
        """With the first page, if that does not take the place of the app's own."""
        return (*self.mounted, "front") if self.url_prefix else self.mounted


def mounted_parts(*, api: bool, pages: bool, component: bool) -> tuple[str, ...]:
    """What of the service a host app wants.

    Raises:
        ConfigError: Pages, without the routes that they need.
    """
    if pages and not api:
        raise ConfigError("Pages need the routes: init_app(app, api=True, pages=True)")
    wanted = {"api": api, "pages": pages, "component": component}
    return tuple(name for name, is_wanted in wanted.items() if is_wanted)


def mount_routes(app: Flask, dibs: Dibs, routes: Routes, **checking: Any) -> None:
    """Mount them, on the app's own database.

    Raises:
        ConfigError: A setting cannot be used.
    """
    from dibs.web import register_blueprints
    from dibs.wiring import build

    settings = replace(service_settings(app, dibs), namespace=routes.namespace)
    tables = ALL_TABLES if "api" in routes.mounted else NAME_TABLES
    register_blueprints(
        app,
        build(settings, reading=routes.reading, tables=tables),
        url_prefix=routes.url_prefix,
        mounted=routes.all_mounted,
        **checking,
    )


def shared_cache(app: Flask, dibs: Dibs) -> TakenNames:
    """The caches of an app without routes, which are told of names that its own views free."""
    from dibs.wiring import open_cache

    return open_cache(service_settings(app, dibs))


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
    if settings.database_url:
        return settings
    return replace(settings, database_url=_url_of(app, dibs))


def _url_of(app: Flask, dibs: Dibs) -> str:
    """The address of the app's own database: routes and claims share one table, or nothing holds.

    Raises:
        ConfigError: It cannot be told before the first request.
    """
    with app.app_context():
        try:
            return dibs.engine.url.render_as_string(hide_password=False)
        except (AttributeError, LookupError, RuntimeError) as error:
            raise ConfigError(
                "init_app(api=True) needs to know the app's database: initialise the app's"
                " SQLAlchemy first, or set DIBS_DATABASE_URL to the same one"
            ) from error


def _fate(mapper: Mapper[Any]) -> Fate:
    """By the app of the guard; in other models by the current app."""
    if guards := guards_of(mapper):
        return guards[0].rules.fate()
    state = current_state()
    return Fate(state.namespaces, state.quarantine)


# Once for all sessions, so that it also holds in a process that never claimed a name.
release_deleted_owners(_fate)
on_freed(_tell_cache)
