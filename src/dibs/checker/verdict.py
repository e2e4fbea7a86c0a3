"""The judgement of a whole history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dibs.checker.operation import Operation
from dibs.checker.rules import Story, Violation, half_done, no_order
from dibs.checker.search import MOST_NODES, Search
from dibs.checker.steps import FREE, Allowance, State, Step, by_name, is_judged

EXACT = Allowance()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a history has come to.

    Attributes:
        operations: How many were recorded.
        judged: How many of them say something about a name.
        counts: How many of each kind and outcome.
        names: How many names they are about.
        violations: What cannot be.
        undecided: Names for which it was not found out whether an order explains the answers.
    """

    operations: int
    judged: int
    counts: Mapping[tuple[str, str], int]
    names: int
    violations: tuple[Violation, ...]
    undecided: tuple[str, ...]

    def __str__(self) -> str:
        """The figures and every violation, for people."""
        lines = [f"{self.operations} operations, {self.judged} judged, {self.names} names"]
        lines += [f"  {kind} {what}: {n}" for (kind, what), n in sorted(self.counts.items())]
        lines += [f"violations: {len(self.violations)}", *map(str, self.violations)]
        if self.undecided:
            lines.append(f"undecided: {', '.join(self.undecided)}")
        return "\n".join(lines)


def judge(
    history: Sequence[Operation],
    *,
    owners: Mapping[str, str] | None = None,
    allowance: Allowance = EXACT,
    most_nodes: int = MOST_NODES,
) -> Verdict:
    """Decide for each name whether some order explains all that was answered.

    Args:
        history: What was recorded, in any order.
        owners: Who owned which name before.
        allowance: What is forgiven.
        most_nodes: How many situations of one name are looked at before it is given up.
    """
    names = by_name(history, allowance)
    start = {name: State("owned", owner, "before") for name, owner in (owners or {}).items()}
    violations: list[Violation] = []
    undecided: list[str] = []
    for name, steps in sorted(names.items()):
        found, open_ = _judge_name(name, steps, start.get(name, FREE), most_nodes)
        violations += found
        undecided += [name] if open_ else []
    violations += half_done(names, history)
    return Verdict(
        operations=len(history),
        judged=sum(map(is_judged, history)),
        counts=Counter((one.kind, one.outcome) for one in history),
        names=len(names),
        violations=tuple(violations),
        undecided=tuple(undecided),
    )


def _judge_name(
    name: str, steps: Sequence[Step], start: State, most_nodes: int
) -> tuple[list[Violation], bool]:
    """What is wrong with one name, and whether that is not known."""
    result = Search(steps, start, most_nodes).run()
    if result.verdict == "explained":
        return [], False
    told = Story(name, steps, start).violations()
    if result.verdict == "impossible":
        return told or [no_order(name, result.state, result.stuck)], False
    return told, not told
