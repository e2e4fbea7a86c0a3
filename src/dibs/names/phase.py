"""Which rules are in force, and how far names are on their way to others; see docs/rekey.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Step = Literal["both", "moving", "freeing"]


@dataclass(frozen=True, slots=True)
class Phase:
    """What the database says of the rules for names.

    Attributes:
        rules: The version of those that are in force.
        other: Of those that they go to or come from; None if they stay.
        step: `both` while the old rules decide and each claim takes both keys, `moving`
            while the new ones do and names move to their new keys, `freeing` while the old keys
            are given up, which concerns no claim.
    """

    rules: int
    other: int | None = None
    step: Step | None = None

    @property
    def has_twins(self) -> bool:
        """Whether claims take a key by each of two rules."""
        return self.step in ("both", "moving")

    @property
    def token(self) -> int:
        """One number for all of it, as `Dialect.rules` gives it too."""
        if not self.has_twins or self.other is None:
            return self.rules
        both = self.rules + 65536 * self.other
        return both if self.step == "both" else -both


class Twin(NamedTuple):
    """What a name is by the other rules, while names are on their way.

    Attributes:
        key: Its key by those.
        phase: Which they are, and which of the two decide.
    """

    key: str
    phase: Phase
