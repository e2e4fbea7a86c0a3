"""Against a world that is simulated, and against every order there is.

The model below knows nothing of the checker's: it is a dict of owners, and time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, permutations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dibs.checker import Operation, judge
from tests.checker.histories import MS, op

NAMES, OWNERS = ("ada", "eve"), ("u1", "u2", "u3")
LASTS_MS = 200
EVERY = settings(max_examples=150)


class World:
    """Names as they should be kept, at one moment after the other."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        self.holds: dict[str, tuple[str, float]] = {}
        self.rests: dict[str, tuple[str, float]] = {}

    def why_not(self, name: str, owner: str, hold: str, now: float) -> str:
        """Why the name cannot be had; empty if it can."""
        if name in self.owners:
            return "taken"
        token, until = self.holds.get(name, ("", 0))
        if until > now and token != hold:
            return "held"
        former, until = self.rests.get(name, ("", 0))
        return "quarantined" if until > now and former != owner else ""

    def take(self, name: str, owner: str) -> None:
        self.holds.pop(name, None)
        self.rests.pop(name, None)
        self.owners[name] = owner

    def do(self, asked: Operation, now: float) -> Operation:
        """What is answered at this moment."""
        did: Operation = getattr(self, f"_{asked.kind}")(asked, now)
        return did

    def _claim(self, asked: Operation, now: float) -> Operation:
        code = self.why_not(asked.name, asked.owner, asked.hold, now)
        if code:
            return refused(asked, code)
        self.take(asked.name, asked.owner)
        return asked

    def _hold(self, asked: Operation, now: float) -> Operation:
        code = self.why_not(asked.name, asked.owner, "", now)
        if code:
            return refused(asked, code)
        self.rests.pop(asked.name, None)
        token = f"{asked.owner} at {now}"
        self.holds[asked.name] = token, now + 1000 * asked.seconds
        return replace(asked, hold=token)

    def _release(self, asked: Operation, now: float) -> Operation:
        if self.owners.get(asked.names[0]) != asked.owner:
            return refused(asked, "not_owner")
        del self.owners[asked.names[0]]
        if asked.seconds:
            self.rests[asked.names[0]] = asked.owner, now + 1000 * asked.seconds
        return asked

    def _rename(self, asked: Operation, now: float) -> Operation:
        if self.owners.get(asked.names[0]) != asked.owner:
            return refused(asked, "not_owner")
        if asked.names[0] == asked.names[1]:
            return asked
        code = self.why_not(asked.name, asked.owner, "", now)
        if code:
            return refused(asked, code)
        self._release(asked, now)
        self.take(asked.name, asked.owner)
        return asked

    def _look(self, asked: Operation, now: float) -> Operation:
        return replace(asked, owner=self.owners.get(asked.name, ""))


def refused(asked: Operation, code: str) -> Operation:
    return replace(asked, outcome="refused", code=code, seconds=0)


def history_of(
    dice: random.Random, size: int, kinds: Sequence[str], names: Sequence[str] = NAMES
) -> list[Operation]:
    """What a right service answers; every answer is true at one moment within its time."""
    world = World()
    found: list[Operation] = []
    for number in range(size):
        now = 100 + 20 * number + dice.randrange(10)
        kind: Any = dice.choice(kinds)
        owner, name = dice.choice(OWNERS), dice.choice(names)
        words = f"{name} {dice.choice(names)}" if kind == "rename" else name
        asked = op(kind, words, owner, now - dice.randrange(60), now + 1 + dice.randrange(60))
        if kind == "hold" or (kind in ("release", "rename") and "hold" in kinds):
            asked = replace(asked, seconds=dice.choice([0.1, LASTS_MS / 1000]))
        tokens = [one.hold for one in found if one.kind == "hold" and one.name == name]
        if kind == "claim" and tokens and dice.random() < 0.5:
            asked = replace(asked, hold=tokens[-1])
        found.append(told(dice, world, asked, now))
    dice.shuffle(found)
    return found


def told(dice: random.Random, world: World, asked: Operation, now: float) -> Operation:
    """The answer, which may be lost on its way, and so may the question."""
    fate = dice.choice(["told"] * 8 + ["answer lost", "question lost"])
    answer = asked if fate == "question lost" else world.do(asked, now)
    if fate == "told":
        return answer
    return replace(asked, outcome="unchanged" if asked.kind == "look" else "unknown")


SEEDS = st.integers(0, 2**64)
EVERYTHING = ("claim", "claim", "hold", "release", "rename", "look")
PLAIN = ("claim", "claim", "release", "look")


@given(SEEDS, st.integers(1, 60))
@EVERY
def test_what_a_right_service_answers_is_accepted(seed: int, size: int) -> None:
    """Every operation, answers and questions lost, holds and quarantines that end."""
    history = history_of(random.Random(seed), size, EVERYTHING)
    verdict = judge(history)
    assert verdict.violations == ()
    assert verdict.undecided == ()


@given(SEEDS, st.integers(1, 6), st.integers(0, 2))
@EVERY
def test_what_is_spoilt_is_rejected_where_no_order_explains_it(
    seed: int, size: int, lies: int
) -> None:
    """One answer turned round, or one operation left out: the verdict is that of all orders."""
    dice = random.Random(seed)
    history = history_of(dice, size, PLAIN, ["ada"])
    for _ in range(lies):
        history = dice.choice(list(spoilt(history)))
    assert bool(judge(history).violations) == (not any(map(explains, orders(history))))


@given(SEEDS, st.integers(1, 6))
@EVERY
def test_with_renames_nothing_is_rejected_that_an_order_explains(seed: int, size: int) -> None:
    """Their two names are judged one by one, so the converse is not promised."""
    dice = random.Random(seed)
    history = dice.choice(list(spoilt(history_of(dice, size, (*PLAIN, "rename")))))
    if any(map(explains, orders(history))):
        assert judge(history).violations == ()


def test_lies_are_found() -> None:
    """In long histories too, with all there is in them; some lies could have been true."""
    found = 0
    for seed in range(300):
        dice = random.Random(seed)
        history = dice.choice(list(spoilt(history_of(dice, 60, EVERYTHING))))
        found += bool(judge(history).violations)
    assert found > 100


def spoilt(history: list[Operation]) -> Iterator[list[Operation]]:
    """The history, and all that differ from it by one lie."""
    yield history
    for at, one in enumerate(history):
        before, after = history[:at], history[at + 1 :]
        yield before + after
        if one.kind == "look":
            for owner in ("", *OWNERS):
                yield [*before, replace(one, owner=owner), *after]
        elif one.outcome == "done":
            code = "not_owner" if one.kind == "release" else "taken"
            yield [*before, refused(one, code), *after]
        else:
            yield [*before, replace(one, outcome="done", code=""), *after]


def orders(history: list[Operation]) -> Iterator[tuple[Operation, ...]]:
    """Every order in which it can have happened, with and without what may have."""
    sure = [one for one in history if one.outcome in ("done", "refused")]
    unsure = [one for one in history if one.outcome == "unknown"]
    for count in range(len(unsure) + 1):
        for some in combinations(unsure, count):
            yield from filter(in_time, permutations([*sure, *some]))


def in_time(order: Sequence[Operation]) -> bool:
    """Whether nothing comes after what began when it was over."""
    return not any(
        later.outcome != "unknown" and later.ended < one.began
        for one, later in combinations(order, 2)
    )


def explains(order: Sequence[Operation]) -> bool:
    """Whether a right service answers so when it is asked in this order."""
    world = World()
    for one in order:
        asked = replace(one, outcome="done", code="")
        answer = world.do(asked, one.began / MS)
        if one.outcome == "unknown":
            if answer.outcome != "done":
                return False
        elif (answer.outcome, answer.code, answer.owner) != (one.outcome, one.code, one.owner):
            return False
    return True
