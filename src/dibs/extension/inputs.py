"""What a form or a schema of the app's own says of a name: advice, since only a claim decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dibs.errors import NameHeld, NameLookalike, NameQuarantined, NameReserved, NameTaken
from dibs.web.component import WORDS
from dibs.web.i18n import say

if TYPE_CHECKING:
    from dibs.extension import Dibs

TAKEN = (NameTaken, NameLookalike, NameHeld, NameQuarantined, NameReserved)
SAID = {error.code: error.message for error in TAKEN}

Owner = Callable[[], object]


@dataclass(frozen=True, slots=True)
class NameCheck:
    """How names that somebody puts in are looked at.

    Args:
        dibs: Whose names are meant: those of a `Dibs`, or of `dibs.namespace("projects")`.
        owner: Says for whom: a user who changes their name may keep it, and may take back what
            they gave up. Without it, or where it says None, for a stranger.
        suggestions: How many other names are told of, if the name cannot be had.
        message: Said instead of our own words, if the name cannot be had.
    """

    dibs: Dibs
    owner: Owner | None = None
    suggestions: int = 5
    message: str | None = None

    def refusals(self, name: str) -> tuple[list[str], list[str]]:
        """What is wrong with the name, in the reader's language, and names that are free.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        found = self.dibs.check(name, owner=self.owner() if self.owner else None)
        if found.available:
            return [], []
        said = [say(one.message, one.params) for one in found.reasons if not self.message]
        others = self.dibs.suggest(name, count=self.suggestions) if self.suggestions else []
        said = said or [self.message or say(SAID[str(found.reason)])]
        if others:
            said.append(f"{say(WORDS['suggestions'])} {', '.join(others)}")
        return said, others
