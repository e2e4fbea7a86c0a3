"""Guarded columns: which can be, because dibs claims what will be stored, and by which rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, String, Table, TypeDecorator, select
from sqlalchemy.orm import ColumnProperty, InstanceState, InstrumentedAttribute, Mapper, Session

from dibs.errors import ConfigError, InvalidName, NameTaken, Reason
from dibs.names import Username
from dibs.names.messages import NOT_TEXT, TOO_LONG
from dibs.store.host.connection import NameTable
from dibs.store.host.endings import Fate
from dibs.store.host.owners import bind_of, filled, is_sql
from dibs.store.names.quarantine import Quarantine
from dibs.store.records import NameRow

GUARDS = "dibs.guards"


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of a `Dibs` about the names in a column; each at the moment of a flush.

    Attributes:
        parse: Reads a new name, with what gives those that are or were its owner's; raises
            `InvalidName`.
        existing: Reads a name that somebody has; raises `InvalidName`.
        refusal: Why a name cannot be had, by the row that was there and the canonical form.
        namespace: In which the names of an instance are unique.
        table: Where names are kept, here and now.
        touched: Is told of a session whose flush dibs takes part in.
        within: Of two guards that are equal in this, one model has one; None for any number.
        dibs: The `Dibs` whose rules they are.
        adopt: What is done: nothing (`off`), everything but to refuse (`watch`), or everything.
    """

    parse: Callable[[str, Callable[[], Iterable[str]]], Username]
    existing: Callable[[str], Username]
    refusal: Callable[[NameRow, str], NameTaken]
    namespace: Callable[[object], str]
    table: Callable[[], NameTable]
    rest: Callable[[], Quarantine]
    fate: Callable[[], Fate]
    touched: Callable[[Session], None]
    within: object = None
    dibs: object = None
    by_staff: bool = False
    adopt: Callable[[], str] = lambda: "on"


@dataclass(frozen=True, slots=True, eq=False)
class GuardedColumn:
    """One guarded column of a model.

    Attributes:
        mapper: Of the model; its subclasses are guarded too.
    """

    mapper: Mapper[Any]
    key: str
    column: Column[Any]
    rules: Rules

    @property
    def where(self) -> str:
        """What the column is called in a sentence."""
        return f"{self.mapper.class_.__name__}.{self.key}"

    def name_of(self, state: InstanceState[Any]) -> str | None:
        """The name that is about to be stored, or None; SQL is a `ConfigError`.

        Raises:
            InvalidName: It is no text, as JSON brings it.
        """
        value = state.dict.get(self.key)
        if value is None and not state.has_identity:
            value = filled(state, state.mapper.columns[self.key])  # a concrete subclass's own
        if value is None or isinstance(value, str):
            return self._as_read(state, value)
        if is_sql(value):
            raise ConfigError(
                f"{self.where} is guarded, so it takes text or None, not an SQL expression: dibs"
                " has to know the name before it is stored"
            )
        raise InvalidName((Reason("not_text", NOT_TEXT, {"field": self.key}),))

    def _as_read(self, state: InstanceState[Any], name: str | None) -> str | None:
        """The name as whoever reads the row finds it: a type of the app's own may respell it."""
        if name is None or state.session is None or not isinstance(self.column.type, TypeDecorator):
            return name
        dialect = state.session.get_bind(**bind_of(state.mapper)).dialect
        kind = self.column.type.dialect_impl(dialect)
        stored = name if (write := kind.bind_processor(dialect)) is None else write(name)
        read = stored if (back := kind.result_processor(dialect, None)) is None else back(stored)
        return read if isinstance(read, str) else name

    def see_length(self, name: str) -> None:
        """See that the column takes a name, which some databases would answer by an error.

        Raises:
            InvalidName: It is too long.
        """
        most = getattr(self.column.type, "length", None)
        if most is not None and len(name) > most:
            raise InvalidName((Reason("too_long", TOO_LONG, {"max": most}),))

    def name_before(self, session: Session, state: InstanceState[Any], *, load: bool) -> str | None:
        """The name that is stored now, or None; asked of the database if it must be (`load`)."""
        if not state.has_identity:
            return None
        history = state.attrs[self.key].history
        if old := history.deleted or history.unchanged:
            return self._as_read(state, old[0]) if isinstance(old[0], str) else None
        return self.stored_name(session, state) if load or history.added else None

    def stored_name(self, session: Session, state: InstanceState[Any]) -> str | None:
        """The name that the database has of an instance which has a row."""
        column = state.mapper.columns[self.key]
        keys = zip(column.table.primary_key, (state.key or ((), ()))[1], strict=True)
        wanted = select(column).where(*(key == part for key, part in keys))
        connection = session.connection(bind_arguments=dict(bind_of(state.mapper)))
        found = connection.scalar(wanted)
        return found if isinstance(found, str) else None


def guards_of(mapper: Mapper[Any]) -> Sequence[GuardedColumn]:
    """Those of a model and of what it inherits from."""
    found: list[GuardedColumn] = []
    for one in mapper.iterate_to_root():
        found += one.class_manager.info.get(GUARDS, ())
    return [one for one in found if one.key in mapper.columns]


def guarded_column(attribute: Any) -> tuple[Mapper[Any], Column[Any]]:
    """The model and column for which a mapped class has this attribute; else a `ConfigError`."""
    if not isinstance(attribute, InstrumentedAttribute) or not isinstance(attribute.parent, Mapper):
        raise ConfigError(
            f"guard() takes the column of a mapped class, such as User.username, not {attribute!r};"
            " of a mixin or an abstract class, guard the column of each class that has it, and of a"
            " synonym or a hybrid property the column behind it"
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
    kind = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    if isinstance(kind, String):
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
