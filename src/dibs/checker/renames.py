"""Renames, whose two names are otherwise judged one by one: was one ever seen half done?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dibs.checker.operation import Operation
from dibs.checker.rules import Violation
from dibs.checker.steps import Action, Step

Histories = Mapping[str, Sequence[Step]]


def half_done(names: Histories, operations: Sequence[Operation]) -> Iterator[Violation]:
    """Renames that were seen to have left both names to their owner, or neither.

    Only those are judged whose owner had either name once, which makes it certain
    what was seen.
    """
    for rename in operations:
        if rename.kind != "rename" or rename.outcome != "done" or len(set(rename.names)) == 1:
            continue
        old, new = names[rename.names[0]], names[rename.names[1]]
        owned = _steps(old, "take", rename.owner)
        given = _steps(old, "give", rename.owner)
        taken, gone = _steps(new, "take", rename.owner), _steps(new, "give", rename.owner)
        if len(owned) == len(given) == len(taken) == 1:
            seen = _Seen(old, new, rename.owner)
            if seen.both():
                yield _violation(rename, "both names at once")
            if not owned[0].optional and not gone and seen.neither(since=owned[0].ended):
                yield _violation(rename, "neither name for a while")


class _Seen:
    def __init__(self, old: Sequence[Step], new: Sequence[Step], owner: str) -> None:
        self._owner = owner
        self._old = [step for step in old if step.action == "look"]
        self._new = [step for step in new if step.action == "look"]

    def both(self) -> bool:
        """Whether the new name was seen to be theirs, and afterwards the old one still."""
        came = [look.ended for look in self._new if look.owner == self._owner]
        stayed = [look.began for look in self._old if look.owner == self._owner]
        return bool(came and stayed) and min(came) < max(stayed)

    def neither(self, *, since: float) -> bool:
        """Whether the old name was seen to be gone, and afterwards the new one not yet theirs."""
        gone = [
            look.ended for look in self._old if look.owner != self._owner and look.began > since
        ]
        missing = [look.began for look in self._new if look.owner != self._owner]
        return bool(gone and missing) and min(gone) < max(missing)


def _steps(steps: Sequence[Step], action: Action, owner: str) -> list[Step]:
    return [step for step in steps if step.action == action and step.owner == owner]


def _violation(rename: Operation, what: str) -> Violation:
    old, new = rename.names
    text = f"{rename.owner}, renamed from {old} to {new} by one operation, had {what}"
    return Violation("half_a_rename", new, text, (rename,))
