"""For the migrations of an app that has names: which tables are not the app's own.

Alembic compares a database with the app's metadata, and what is only in the database it drops.
So an app whose metadata does not have the tables of dibs says, in one line, that they stay:

    Migrate(app, db, include_object=include_object)

Without Flask-Migrate it is an argument of `context.configure` in `env.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dibs.store.models import metadata
from dibs.store.schema import VERSION_TABLE

OURS = frozenset({*metadata.tables, VERSION_TABLE})

IncludeObject = Callable[[Any, str | None, str, bool, Any], bool]


def include_object(
    item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any
) -> bool:
    """Whether Alembic's autogenerate is to look at this: all but tables that only dibs knows.

    Those that are in the app's metadata, by `Dibs(metadata=...)`, are looked at as ever.
    """
    del item
    return not (kind == "table" and reflected and compare_to is None and name in OURS)


def beside(own: IncludeObject) -> IncludeObject:
    """The same for an app that has an `include_object` already: both must say yes."""

    def both(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
        asked = item, name, kind, reflected, compare_to
        return include_object(*asked) and own(*asked)

    return both
