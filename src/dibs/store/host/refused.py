"""A refusal inside a flush: what hosts catch there already, and a refusal of dibs.

Who adds a row catches SQLAlchemy's IntegrityError around `commit()`. So what a guarded column
raises is one, with statement, params and `orig`, and a `NameTaken` or `InvalidName` as well.
SQLAlchemy means a page of its documentation by an error's `code`, and prints a link to it; here
`code` is that of dibs, and no link is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy.exc import IntegrityError

from dibs.errors import InvalidName, NameTaken

REFUSED = "dibs.refused"
"""What the last guarded flush of a session was refused for, in the session's `info`."""


class RefusedInFlush(IntegrityError):
    """What all of these have in common; made by `in_flush` alone.

    Attributes:
        orig: The refusal itself, or the driver's own error where the host's constraint refused.
    """

    code: Any
    _refusal: NameTaken | InvalidName

    def __str__(self) -> str:
        return str(self._refusal)

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is made at run time, and none of the driver's errors need be picklable.
        return in_flush, (self._refusal, self.statement, self.params)


def in_flush(
    refusal: NameTaken | InvalidName,
    statement: str | None,
    params: Mapping[str, Any],
    orig: BaseException | None = None,
) -> IntegrityError:
    """The refusal as a flush raises it.

    Args:
        statement: What the database was, or would have been, asked to store.
        orig: The driver's error, if it was one.
    """
    both = _both(type(refusal))  # type: ignore[arg-type]  # a class is hashable
    made = both.__new__(both)
    # Not by SQLAlchemy's own `__init__`, which would go on to that of the refusal.
    made.__dict__ |= vars(refusal)
    made.__dict__ |= vars(IntegrityError(statement, params, orig or refusal))
    made._refusal = refusal
    made.args = refusal.args
    return made


@cache
def _both(refusal: type[NameTaken | InvalidName]) -> type[RefusedInFlush]:
    both = type(refusal.__name__, (RefusedInFlush, refusal), {"code": refusal.code})
    both.__module__, both.__doc__ = refusal.__module__, refusal.__doc__
    return both
