"""The parts of a service, after checking that its database has our tables and rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dibs.cli.target import extension_in, find_settings, host_app, making, mending, needed_tables
from dibs.config import Settings
from dibs.errors import DibsError, NotWritable, StoreUnavailable
from dibs.observe import root_of

if TYPE_CHECKING:
    from dibs.wiring import Parts


def ready_parts() -> tuple[Settings, Parts]:
    """Put a service's parts together, after a look at the database.

    A command that asks without looking would make an empty SQLite file, and under other rules
    it would free or change the name that somebody else reads as this one.

    Raises:
        ConfigError: A setting cannot be used.
        SchemaError: The database is not there, not up to date, or has names of other rules.
        StoreUnavailable: The database cannot answer.
    """
    parts = _parts()
    parts.store.verify(deadline=parts.budget.start())
    return parts.settings, parts


def _parts() -> Parts:
    """In a host app on its own engine, which its address need not describe."""
    from dibs.store import schema

    app = host_app()
    found = None if app is None else extension_in(app)
    if app is None or found is None:
        from dibs.wiring import build

        settings = find_settings()
        schema.require_file(settings.resolved_database_url, making(settings))
        return build(settings)
    from dibs.extension.mounting import host_parts

    namespace, dibs = found
    parts = host_parts(app, dibs, namespace, needed_tables())
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
