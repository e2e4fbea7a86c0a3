"""The database of a host app's names: looked at, made, and kept out of the app's own migrations."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask

from dibs.cli.target import ready_parts, under_way
from dibs.errors import ConfigError
from dibs.store import schema
from dibs.store.database.dialects import dialect_for
from dibs.store.host.connection import NameTable, connected, verify
from dibs.store.models import Tables, meta, metadata

if TYPE_CHECKING:
    from dibs.extension import Dibs

KEEPER = "dibs.migrations"
"""What an `env.py` names that keeps the tables."""


class HostDatabase:
    """Where a host app's extension writes its names; `place` is its address, without a password.

    Args:
        app: The host app.
        dibs: Its extension.
        needed: The tables that must be there.
        mending: What makes those that are missing.

    Raises:
        ConfigError: Which database it is, is only known during a request.
    """

    def __init__(self, app: Flask, dibs: Dibs, needed: Tables, mending: str) -> None:
        with app.app_context():
            try:
                self._engine = dibs.engine
            except (AttributeError, LookupError, RuntimeError) as error:
                raise ConfigError(
                    "this app's session exists only during a request; let the app make the tables"
                    " itself: Dibs(session, metadata=...)"
                ) from error
        self._app, self._needed, self._mending = app, needed, mending
        self._metadata = dibs.metadata
        self._table = NameTable("", {}, dibs.parser, in_metadata=dibs.metadata is not None)
        self.place = self._engine.url.render_as_string(hide_password=True)

    def verify(self) -> None:
        """See that names can be kept unique there.

        Raises:
            SchemaError: They cannot.
            StoreUnavailable: The database cannot answer.
        """
        schema.require_file(self._engine.url, self._mending)
        with connected(self._engine) as connection:
            verify(connection, self._table, tables=self._needed)

    def verify_writable(self) -> None:
        """See that it takes writes; `NotWritable` if it does not."""
        parts = ready_parts()
        parts.store.verify_writable(deadline=parts.budget.start())
        parts.store.verify_rights(deadline=parts.budget.start())

    def upgrade(self) -> None:
        """Create the tables, or bring them up to date; those that the app made stay the app's.

        Raises:
            ConfigError: The app is to make them.
            SchemaError: They are not what they should be.
        """
        if self._metadata is not None:
            schema.require_file(self._engine.url, self._mending)
        with connected(self._engine) as connection:
            if self._metadata is not None and schema.is_empty(connection):
                raise ConfigError(
                    "this app has the tables of dibs in its own metadata: make them by its own"
                    " migrations, or by create_all"
                )
            if schema.made_by_host(connection):
                schema.write_rules(connection, self._table.parser.rules_version)
                verify(connection, self._table, tables=self._needed)
                return
        schema.upgrade_engine(self._engine, self._table.parser.rules_version)

    def warnings(self) -> list[str]:
        """What the server may lose, and `_warning`."""
        with connected(self._engine) as connection:
            dangers = dialect_for(connection.dialect.name).dangers(connection)
        return [*filter(None, [self._warning()]), *dangers]

    def time_outs(self) -> str:
        """Nothing: those of its connections are the app's."""
        return ""

    def _warning(self) -> str | None:
        """What the app's next migration would do, or that names are on their way."""
        known = {} if self._metadata is None else self._metadata.tables
        with connected(self._engine) as connection:
            strangers = schema.present(connection) - known.keys()
            # What the app's own migration made says nothing of rules before the first claim.
            is_said = not schema.lacks_rules(connection)
            moving = under_way(schema.phase_of(connection)) if is_said else None
        if moving:
            return moving
        if not strangers or not _is_migrated(self._app) or _are_kept(self._app, strangers):
            return None
        return (
            f"The app's next migration would drop {', '.join(sorted(strangers))}. Keep them:"
            f" `from {KEEPER} import include_object`, and Migrate(app, db,"
            " include_object=include_object), or the same in context.configure() of env.py"
        )


def _is_migrated(app: Flask) -> bool:
    """Whether the app has migrations of its own: Flask-Migrate, Flask-Alembic, or Alembic alone."""
    return not app.extensions.keys().isdisjoint({"migrate", "alembic"}) or _env(app).is_file()


def _are_kept(app: Flask, strangers: set[str]) -> bool:
    """Whether those migrations let these tables be."""
    migrate = app.extensions.get("migrate")
    options: dict[str, Any] = app.config.get("ALEMBIC_CONTEXT", {})
    asked = (migrate.configure_args if migrate else options).get("include_object")
    tables = {name: metadata.tables.get(name, meta) for name in strangers}
    if asked and not any(asked(tables[name], name, "table", True, None) for name in strangers):
        return True
    env = _env(app)
    return env.is_file() and KEEPER in env.read_text(encoding="utf-8")


def _env(app: Flask) -> Path:
    """Where the app's `env.py` is, if it has one."""
    if migrate := app.extensions.get("migrate"):
        return Path(migrate.directory, "env.py")
    ini = ConfigParser(interpolation=None)
    ini.read("alembic.ini")
    folder = ini.get("alembic", "script_location", fallback="alembic")
    return Path(folder.replace("%(here)s", "."), "env.py")
