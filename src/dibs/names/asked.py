"""A name that somebody asks about: one that can be had, or that breaks rules."""

from __future__ import annotations

from dataclasses import dataclass

from dibs.errors import InvalidName
from dibs.names.skeleton import Lookalikes
from dibs.names.username import Parser, Username, parse_existing

MIXED = {"mixed_scripts"}
"""What a name breaks that may look like one that somebody has, which says more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was read of a name.

    Attributes:
        username: Whom to look for; None if nobody can have the name.
        broken: Which rules a new name would break, if any.
    """

    username: Username | None
    broken: InvalidName | None = None

    @property
    def canonical(self) -> str | None:
        """The canonical form of a name that keeps every rule."""
        return None if self.username is None or self.broken else self.username.canonical


def ask(raw: str, parser: Parser, *, lookalikes: Lookalikes) -> Asked:
    """Read a name that is asked about; nothing is raised, whatever it is."""
    try:
        return Asked(parser.parse(raw))
    except InvalidName as error:
        broken = error
    if {reason.code for reason in broken.reasons} != MIXED:
        return Asked(None, broken)
    try:
        return Asked(parse_existing(raw, lookalikes=lookalikes), broken)
    except InvalidName:
        return Asked(None, broken)
