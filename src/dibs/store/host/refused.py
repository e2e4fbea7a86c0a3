"""A refusal inside a flush: what hosts catch there already, and a refusal of dibs.

Who adds a row catches SQLAlchemy's IntegrityError around `commit()`. So what a guarded column
raises is one, with statement, params and `orig`, and a `NameTaken` or `InvalidName` as well.
SQLAlchemy means a page of its documentation by an error's `code`, and prints a link to it; here
`code` is that of dibs, and no link is printed.

A UNIQUE of the host's on a guarded column speaks where a row was never claimed: stored before
dibs came, or by a bulk statement that nobody saw. What it refuses is taken. And where the database
ends a transaction that has written a guarded table, since another one had to win, that is a
`TransactionMustRestart` as well as the OperationalError that it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    Engine,
    Table,
    UniqueConstraint,
    and_,
    event,
    literal,
    not_,
    select,
    true,
)
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.sql.visitors import replacement_traverse

from dibs.errors import InvalidName, NameTaken, TransactionMustRestart
from dibs.store.database.dialects import Kind, dialect_or_base
from dibs.store.host.columns import GUARDS, GuardedColumn

Refusal = NameTaken | InvalidName | TransactionMustRestart

REFUSED = "dibs.refused"
"""What the last guarded flush of a session was refused for, in the session's `info`."""


class RefusedInFlush(DBAPIError):
    """What all of these have in common; made by `in_flush` alone.

    Attributes:
        orig: The refusal itself, or the driver's own error where the database refused.
    """

    code: Any
    _refusal: Refusal
    _kind: type[DBAPIError]

    def __str__(self) -> str:
        return str(self._refusal)

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is made at run time, and none of the driver's errors need be picklable.
        return in_flush, (self._refusal, self.statement, self.params, None, self._kind)


def in_flush(
    refusal: Refusal,
    statement: str | None,
    params: Any,
    orig: BaseException | None = None,
    kind: type[DBAPIError] = IntegrityError,
) -> DBAPIError:
    """The refusal as a flush raises it.

    Args:
        statement: What the database was, or would have been, asked to store.
        orig: The driver's error, if it was one.
        kind: What hosts catch.
    """
    both = _both(type(refusal), kind)  # type: ignore[arg-type]  # classes are hashable
    made = both.__new__(both)
    # Not by SQLAlchemy's own `__init__`, which would go on to that of the refusal.
    made.__dict__ |= vars(refusal)
    made.__dict__ |= vars(kind(statement, params, orig or refusal))
    made._refusal, made._kind = refusal, kind
    made.args = refusal.args
    return made


@cache
def _both(refusal: type[Refusal], kind: type[DBAPIError]) -> type[RefusedInFlush]:
    both = type(refusal.__name__, (RefusedInFlush, kind, refusal), {"code": refusal.code})
    both.__module__, both.__doc__ = refusal.__module__, refusal.__doc__
    return both


@event.listens_for(Engine, "handle_error")
def _tell(context: ExceptionContext) -> None:
    """Raise what the guard would have raised, if this is about a guarded column or its table."""
    execution = context.execution_context
    table = getattr(getattr(getattr(execution, "compiled", None), "statement", None), "table", None)
    columns = table.columns if isinstance(table, Table) else ()
    guards: list[GuardedColumn] = [one for col in columns for one in col.info.get(GUARDS, ())]
    error, told = context.original_exception, context.sqlalchemy_exception
    found = dialect_or_base(context.dialect.name).classify(error) if guards else Kind.OTHER
    if found is Kind.RESTART and isinstance(told, DBAPIError):
        raise in_flush(
            TransactionMustRestart(), context.statement, told.params, error, type(told)
        ) from error
    if found is not Kind.UNIQUE:
        return
    rows = [dict(row) for row in getattr(execution, "compiled_parameters", None) or ()]
    for guard in guards:
        if about := _row_refused(context, guard.column, rows):
            raise in_flush(NameTaken(), context.statement, about, error) from error


def _row_refused(
    context: ExceptionContext, column: Column[Any], rows: list[dict[str, Any]]
) -> Mapping[str, Any] | None:
    """One of these rows, if the constraint that refused them is one of this column."""
    error = context.original_exception
    said = getattr(error, "diag", None) or error.__cause__  # psycopg's own, asyncpg's behind it
    named = getattr(said, "constraint_name", None)
    if named is not None:  # PostgreSQL says which, and its transaction answers no question now
        return next(iter(rows), {}) if named in set(_names(column)) else None
    with suppress(DBAPIError):  # by a driver that does not say it
        return next((row for row in rows if _is_there(context, column, row)), None)
    return None


def _unique_with(column: Column[Any]) -> Iterator[tuple[str | None, list[Any]]]:
    """The name and the parts of what keeps this column unique, alone or with others."""
    for constraint in column.table.constraints:
        if isinstance(constraint, UniqueConstraint) and column in list(constraint.columns):
            yield None if constraint.name is None else str(constraint.name), [*constraint.columns]
    for index in column.table.indexes:
        if index.unique and column in list(index.columns):
            # Of an expression, such as lower(username), these are more than its columns.
            yield None if index.name is None else str(index.name), [*index.expressions]
    if column.primary_key:
        yield None, [*column.table.primary_key.columns]


def _names(column: Column[Any]) -> Iterator[str]:
    """What PostgreSQL calls them: an unnamed one by table and columns."""
    table = column.table.name
    yield f"{table}_{column.name}_key"  # whatever the model says by now
    yield f"{table}_pkey" if column.primary_key else ""
    for name, columns in _unique_with(column):
        yield name or f"{table}_{'_'.join(getattr(one, 'name', '') for one in columns)}_key"


def _is_there(context: ExceptionContext, column: Column[Any], row: Mapping[str, Any]) -> bool:
    """Whether the table has another row that is in the way of this one."""
    if context.connection is None or row.get(column.key) is None:
        return False

    def of_row(element: Any, **_: Any) -> Any:
        known = isinstance(element, Column) and element.key in row
        return literal(row[element.key], element.type) if known else None

    keys = {f"{column.table.name}_{one.name}": one for one in column.table.primary_key}
    mine = [keys[key] == value for key, value in row.items() if key in keys]  # of an UPDATE
    other = not_(and_(*mine)) if mine else true()
    for parts in [parts for _, parts in _unique_with(column)] or [[column]]:
        where = [part == replacement_traverse(part, {}, of_row) for part in parts]
        there = select(literal(1)).select_from(column.table).where(other, *where).limit(1)
        if context.connection.execute(there).first() is not None:
            return True
    return False
