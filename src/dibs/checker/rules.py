"""What is wrong with a history, in words.

Each rule is a necessary condition, so what it reports is wrong in every order. They are
asked about names that no order explains, and about those that were not decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Literal

from dibs.checker.operation import Operation
from dibs.checker.steps import FREE, State, Step

Rule = Literal[
    "two_owners",
    "lost_claim",
    "refused_without_holder",
    "not_the_owner",
    "half_a_rename",
    "no_order",
]
MOST_OF_A_KIND = 3
"""So many violations of one rule are told for each name."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that cannot be.

    Attributes:
        rule: Which promise was broken.
        name: Whose.
        text: What happened, for people.
        operations: Those that contradict each other.
    """

    rule: Rule
    name: str
    text: str
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        """It with its rule."""
        return f"{self.rule}: {self.name}: {self.text}"


class Story:
    """The steps of one name, looked at as the promises are worded."""

    def __init__(self, name: str, steps: Sequence[Step], start: State = FREE) -> None:
        self.name = name
        self.start = start
        self.takes = [step for step in steps if step.action == "take"]
        self.gives = [step for step in steps if step.action == "give"]
        self.holds = [step for step in steps if step.action == "hold"]
        self.looks = [step for step in steps if step.action == "look"]
        self.refusals = [step for step in steps if step.action == "refused"]

    def violations(self) -> list[Violation]:
        """What each rule finds, a few of each."""
        rules = (self._two_owners, self._lost, self._refused, self._not_the_owner)
        return [found for rule in rules for found in islice(rule(), MOST_OF_A_KIND)]

    # --- at most one owner -------------------------------------------------

    def _two_owners(self) -> Iterator[Violation]:
        granted = [step for step in self.takes if not step.optional]
        for first, second in pairwise(granted):
            same = (first.owner, first.request) == (second.owner, second.request)
            if not (same or self._may_follow(first, second) or self._may_follow(second, first)):
                text = (
                    f"claimed by {first.owner} ({_when(first)}), claimed by {second.owner}"
                    f" ({_when(second)}), and nobody released it between"
                )
                yield self._violation("two_owners", text, first, second)

    def _may_follow(self, first: Step, second: Step) -> bool:
        """Whether the second may have been granted after the first had given the name up."""
        return first.began <= second.ended and self._given(first, second)

    # --- every acknowledged claim is still there ----------------------------

    def _lost(self) -> Iterator[Violation]:
        for look in self.looks:
            before = [s for s in self.takes if not s.optional and s.ended < look.began]
            for take in before[-1:]:
                if take.owner != look.owner and not self._given(take, look):
                    seen = f"owned by {look.owner}" if look.owner else "owned by nobody"
                    text = (
                        f"claimed by {take.owner} ({_when(take)}), never released by them, and"
                        f" seen {seen} ({_when(look)})"
                    )
                    yield self._violation("lost_claim", text, take, look)

    def _given(self, take: Step, later: Step) -> bool:
        """Whether the name may have been given up between the two."""
        return any(
            give.owner == take.owner and give.ended >= take.began and give.began <= later.ended
            for give in self.gives
        )

    # --- no refusal without somebody else ----------------------------------

    def _refused(self) -> Iterator[Violation]:
        for refusal in self.refusals:
            if refusal.operation.code != "not_owner" and not self._somebody(refusal):
                own = any(step.owner == refusal.owner for step in self.looks)
                text = (
                    f"refused to {refusal.owner} ({_when(refusal)}) as"
                    f" {refusal.operation.code or 'taken'}, and nobody else can have had it then"
                    + ("; it was seen to be their own" if own else "")
                )
                yield self._violation("refused_without_holder", text, refusal)

    def _somebody(self, refusal: Step) -> bool:
        """Whether anybody else may have had the name when it was refused."""
        code = refusal.operation.code
        if code in ("", "taken", "lookalike"):
            if any(self._may_own(take, refusal) for take in self.takes):
                return True
            if self.start.kind == "owned":
                return True
        timed = self.holds if code in ("", "held") else []
        if code in ("", "quarantined"):
            timed = timed + [give for give in self.gives if give.operation.seconds]
        return any(s.began <= refusal.ended and refusal.began <= s.over_by for s in timed)

    def _may_own(self, take: Step, refusal: Step) -> bool:
        mine = (take.owner, take.request) == (refusal.owner, refusal.request)
        return not mine and take.began <= refusal.ended and not self._is_over(take, refusal)

    def _is_over(self, take: Step, later: Step) -> bool:
        """Whether the name was certainly given up between the two."""
        return not take.optional and any(
            give.owner == take.owner and take.ended < give.began and give.ended < later.began
            for give in self.gives
            if not give.optional
        )

    # --- nobody owns or gives up what is not theirs -------------------------

    def _not_the_owner(self) -> Iterator[Violation]:
        for step in [*self.gives, *self.looks]:
            if step.optional or not step.owner or self._may_have(step):
                continue
            did = "was seen as its owner" if step.action == "look" else "could give it up"
            text = f"{step.owner} {did} ({_when(step)}), and had not claimed it, or not kept it"
            yield self._violation("not_the_owner", text, step)

    def _may_have(self, step: Step) -> bool:
        """Whether the one who gives the name up, or is seen to own it, can own it."""
        return self.start.owner == step.owner or any(
            take.owner == step.owner and take.began <= step.ended and not self._is_over(take, step)
            for take in self.takes
        )

    def _violation(self, rule: Rule, text: str, *steps: Step) -> Violation:
        return Violation(rule, self.name, text, tuple(step.operation for step in steps))


def no_order(name: str, state: State, stuck: Sequence[Step]) -> Violation:
    """What is told when every rule holds and still no order explains the answers."""
    candidates = "; ".join(f"{step.operation} ({_when(step)})" for step in stuck)
    text = f"no order explains the answers; where {state}, none of these fits: {candidates}"
    return Violation("no_order", name, text, tuple(step.operation for step in stuck))


# --- no rename half done: otherwise its two names are judged one by one ---------


def half_done(
    names: Mapping[str, Sequence[Step]], operations: Sequence[Operation]
) -> Iterator[Violation]:
    """Renames that were seen to have left both names to their owner, or neither.

    Only those are judged whose owner had either name once, which makes it certain
    what was seen.
    """
    for rename in operations:
        if rename.kind != "rename" or rename.outcome != "done" or len(set(rename.names)) == 1:
            continue
        old, new = (names[name] for name in rename.names)
        owned, given, taken, gone = (
            [step for step in steps if step.action == action and step.owner == rename.owner]
            for steps, action in ((old, "take"), (old, "give"), (new, "take"), (new, "give"))
        )
        if not len(owned) == len(given) == len(taken) == 1:
            continue
        had, lost = _looks(old, rename.owner)
        has, lacks = _looks(new, rename.owner)
        if _is_before(has, had):  # the old name still, after the new one was theirs
            yield _half(rename, "both names at once")
        lost = [look for look in lost if look.began > owned[0].ended]
        if not owned[0].optional and not gone and _is_before(lost, lacks):
            yield _half(rename, "neither name for a while")


def _looks(steps: Sequence[Step], owner: str) -> tuple[list[Step], list[Step]]:
    """Those that saw the name with this owner, and those that did not."""
    looks = [step for step in steps if step.action == "look"]
    return [one for one in looks if one.owner == owner], [
        one for one in looks if one.owner != owner
    ]


def _is_before(earlier: Sequence[Step], later: Sequence[Step]) -> bool:
    """Whether one of the first was over before one of the others began."""
    ended, began = [look.ended for look in earlier], [look.began for look in later]
    return bool(ended and began) and min(ended) < max(began)


def _half(rename: Operation, what: str) -> Violation:
    old, new = rename.names
    text = f"{rename.owner}, renamed from {old} to {new} by one operation, had {what}"
    return Violation("half_a_rename", new, text, (rename,))


def _when(step: Step) -> str:
    """When it was asked and answered, in seconds of the recorder's clock."""
    operation = step.operation
    return f"{operation.client}, {operation.began / 1e9:.6f} to {operation.ended / 1e9:.6f}"
