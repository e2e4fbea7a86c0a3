"""Which rules are in force, and how far names are on their way to others; see docs/rekey.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from dibs.names.skeleton import MODES, OLD_RULES, RULES, rules_version

Step = Literal["both", "moving", "freeing"]

OTHER = 65536
"""What the other version is multiplied by in a token; `Dialect.rules` says it in SQL."""


STEPS: dict[Step, str] = {
    "both": "the keys of {} are taken too",
    "moving": "names move from the keys of {}",
    "freeing": "the keys of {} are given up",
}


WORDS = {rules_version(mode, rules): mode for mode in MODES for rules in (OLD_RULES, RULES)}


def told(version: int) -> str:
    """A rules version with its mode of look-alikes: `40 (standard)`; an unknown one alone."""
    return f"{version} ({WORDS[version]})" if version in WORDS else str(version)


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
        both = self.rules + OTHER * self.other
        return both if self.step == "both" else -both

    @classmethod
    def of(cls, token: int) -> Phase:
        """What a token says; of names whose old keys are given up, that they have one key."""
        other, rules = divmod(abs(token), OTHER)
        return cls(rules, other, "both" if token > 0 else "moving") if other else cls(rules)

    def __str__(self) -> str:
        decides = f"rules version {told(self.rules)} decides"
        if self.step is None or self.other is None:
            return decides
        return f"{decides}, and {STEPS[self.step].format(told(self.other))}"


class Twin(NamedTuple):
    """What a name is by the other rules, while names are on their way.

    Attributes:
        key: Its key by those.
        phase: Which they are, and which of the two decide.
    """

    key: str
    phase: Phase
