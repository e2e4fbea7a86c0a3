"""Why a name cannot be had, read from the row that was there."""

from __future__ import annotations

from collections.abc import Mapping

from dibs.errors import (
    InvalidName,
    NameHeld,
    NameLookalike,
    NameQuarantined,
    NameReserved,
    NameTaken,
)
from dibs.names.username import Asked
from dibs.store import Claim, Lost, NameRow, Outcome
from dibs.strategies import Holder

REFUSALS: dict[str, type[NameTaken]] = {
    "companion": NameTaken,
    "group": NameTaken,
    "quarantined": NameQuarantined,
    "reserved": NameReserved,
}


def refusal(row: Holder, canonical: str) -> NameTaken:
    """Why the name cannot be had, read from the row that was there.

    The key says that the name is not free; who has it is told by the canonical
    form alone, or a look-alike would pass for its neighbour.
    """
    if row.state == "owned":
        return NameTaken() if row.canonical == canonical else NameLookalike()
    if row.state == "held":
        left = row.expires_in
        return NameHeld(retry_after=None if left is None else max(1, -(-left // 1000)))
    return REFUSALS[row.state]()


def found_against(asked: Asked, found: Mapping[str, Holder]) -> InvalidName | NameTaken | None:
    """Why a name that was asked about cannot be had; who has it says more than the rules."""
    if asked.username is None:
        return asked.broken
    row = found.get(asked.username.key)
    if row is None or row.free:
        return asked.broken
    return refusal(row, asked.username.canonical)


def won(outcome: Outcome, claim: Claim) -> NameRow:
    """The row that was won.

    Raises:
        NameTaken: Somebody has the name; the subclass says how.
    """
    if isinstance(outcome, Lost):
        raise refusal(outcome.row, claim.username.canonical)
    return outcome.row
