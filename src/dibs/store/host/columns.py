"""Which columns can be guarded: what dibs claims is what will be stored."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, String, Table
from sqlalchemy.orm import ColumnProperty, InstrumentedAttribute, Mapper

from dibs.errors import ConfigError


def guarded_column(attribute: Any) -> tuple[Mapper[Any], Column[Any]]:
    """The model and the column that this attribute of a mapped class stands for.

    Raises:
        ConfigError: It cannot be guarded; the message says why.
    """
    if not isinstance(attribute, InstrumentedAttribute) or not isinstance(attribute.parent, Mapper):
        raise ConfigError(
            f"guard() takes the column of a mapped class, such as User.username, not {attribute!r};"
            " of a mixin or an abstract class, guard the column of each class that has it"
        )
    mapper, where = attribute.parent, f"{attribute.class_.__name__}.{attribute.key}"
    stored = attribute.property if attribute.key in mapper.columns else None
    if not isinstance(stored, ColumnProperty) or len(stored.columns) != 1:
        raise ConfigError(f"{where} is not one column, so it cannot be guarded")
    column = stored.columns[0]
    if not isinstance(column, Column) or not isinstance(column.table, Table):
        raise ConfigError(f"{where} is no column of a table, so it cannot be guarded")
    if not _is_text(column):
        raise ConfigError(f"{where} holds {column.type!r} and no text, so it cannot be guarded")
    if what := _made_by_database(column):
        raise ConfigError(
            f"{where} has {what}: the database, or the column itself, would change the name after"
            " dibs has claimed it. Set the name in Python"
        )
    return mapper, column


def _is_text(column: Column[Any]) -> bool:
    if isinstance(column.type, String):
        return True
    try:
        return issubclass(column.type.python_type, str)
    except NotImplementedError:
        return False


def _made_by_database(column: Column[Any]) -> str:
    """What gives the column a value that is not known before it is written; empty for nothing."""
    default = column.default
    made = {
        "a server default": column.server_default is not None and column.computed is None,
        "a computed value": column.computed is not None,
        "a default that the database works out": default is not None
        and (default.is_clause_element or default.is_sequence),
        "an `onupdate`": column.onupdate is not None or column.server_onupdate is not None,
    }
    return next((what for what, is_so in made.items() if is_so), "")
