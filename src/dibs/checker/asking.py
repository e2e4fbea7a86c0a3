"""What is asked of an app, a service or a library to be driven, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dibs.checker.operation import Outcome
from dibs.errors import NameTaken, OutcomeUnknown, StoreUnavailable


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client was told; see `dibs.checker.Operation`.

    Attributes:
        owner: Who was seen to own the name; of a look.
        hold: The token that came with a hold.
        seconds: How long the hold lasts, or the name given up rests.
    """

    outcome: Outcome = "done"
    code: str = ""
    owner: str | None = None
    hold: str = ""
    seconds: float = 0.0

    @classmethod
    def to(cls, ask: Callable[[], Answer], *, away: Outcome = "unchanged") -> Answer:
        """What calling this says, with the errors of dibs read as answers.

        Args:
            away: What it means that the database could not answer.
        """
        try:
            return ask()
        except NameTaken as error:
            return cls("refused", error.code)
        except OutcomeUnknown:
            return cls("unknown")
        except StoreUnavailable:
            return cls(away)


class Names(Protocol):
    """What is driven: an app, a service, a library. Used by one thread or by many."""

    def claim(self, name: str, *, owner: str, request: str, hold: str) -> Answer:
        """Take the name for this owner.

        Args:
            request: The same when a request of unknown outcome is repeated.
            hold: The token of the hold that becomes a claim, or empty.
        """
        ...

    def release(self, name: str, *, owner: str) -> Answer:
        """Give the name up, or be refused as `not_owner`."""
        ...

    def look(self, name: str) -> Answer:
        """Read who owns the name, from the database."""
        ...


@runtime_checkable
class Holding(Protocol):
    """What names that can be held add."""

    def hold(self, name: str, *, owner: str, request: str) -> Answer:
        """Hold the name for a while."""
        ...

    def unhold(self, name: str, *, owner: str, hold: str) -> Answer:
        """Give the hold up."""
        ...


@runtime_checkable
class Renaming(Protocol):
    """What an app with renames has in addition."""

    def rename(self, old: str, new: str, *, owner: str, request: str) -> Answer:
        """Give up the old name for the new one, or keep it."""
        ...
