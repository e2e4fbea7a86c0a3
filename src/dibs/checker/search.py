"""Whether some order of what happened to a name explains every answer.

Linearizability after Wing and Gong (1993) with the memory of Lowe (2017): a step may
come next if no other one had ended before it began. Each name is searched by itself
(Horn and Kroening, 2015).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dibs.checker.steps import FREE, NEVER, State, Step, after

MOST_NODES = 200_000
"""How many situations of one name are looked at before it is called undecided."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the search has come to.

    Attributes:
        verdict: Whether there is an order, there is none, or it was not found out.
        state: How the name stood where the search got furthest.
        stuck: What may have come next there, and cannot have.
    """

    verdict: Literal["explained", "impossible", "undecided"]
    state: State = FREE
    stuck: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A situation: the first `base` certain steps are done and those of `beyond`.

    Attributes:
        beyond: Of the later certain steps, a bit for each.
        used: Of the steps of unknown outcome, a bit for each.
    """

    base: int
    beyond: int
    used: int
    state: State


@dataclass(slots=True)
class Search:
    """The search for one name.

    Args:
        steps: In the order of their beginnings.
        start: How the name stood before.
    """

    steps: Sequence[Step]
    start: State = FREE
    limit: int = MOST_NODES
    _certain: list[Step] = field(init=False)
    _unknown: list[Step] = field(init=False)

    def __post_init__(self) -> None:
        self._certain = [step for step in self.steps if not step.optional]
        self._unknown = [step for step in self.steps if step.optional]

    def run(self) -> Result:
        """Go on from each situation to all that can follow it, the likeliest first."""
        first = self._settled(Node(0, 0, 0, self.start))
        stack, seen, furthest = [self._following(first)], {first}, first
        while stack:
            if furthest.base == len(self._certain):
                return Result("explained")
            if len(seen) >= self.limit:
                return self._result("undecided", furthest)
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
            elif node not in seen:
                seen.add(node)
                stack.append(self._following(node))
                furthest = max(furthest, node, key=lambda one: (one.base, one.beyond.bit_count()))
        return self._result("impossible", furthest)

    def _result(self, verdict: Literal["impossible", "undecided"], node: Node) -> Result:
        stuck = tuple(self._certain[at] for at in self._next(node))
        return Result(verdict, node.state, stuck)

    def _following(self, node: Node) -> Iterator[Node]:
        """The situations after one more step that changes something.

        What ended first is tried first, and what may not have happened at all last.
        """
        candidates = self._next(node)
        for at in sorted(candidates, key=lambda at: self._certain[at].ended):
            state = after(node.state, self._certain[at])
            if state is not None:
                yield self._settled(self._with(node, at, state))
        end = min((self._certain[at].ended for at in candidates), default=NEVER)
        for at, step in enumerate(self._unknown):
            if step.began > end:
                break
            state = None if node.used >> at & 1 else after(node.state, step)
            if state is not None and state != node.state:
                yield self._settled(Node(node.base, node.beyond, node.used | 1 << at, state))

    def _settled(self, node: Node) -> Node:
        """The situation after everything that was only seen and may come next.

        No order is lost: what fits here and changes nothing need not come later.
        """
        while True:
            for at in self._next(node):
                step = self._certain[at]
                if not step.changes and after(node.state, step) is not None:
                    node = self._with(node, at, node.state)
                    break
            else:
                return node

    def _next(self, node: Node) -> list[int]:
        """The certain steps that nothing undone had ended before."""
        found, end, at = [], NEVER, node.base
        while at < len(self._certain) and self._certain[at].began <= end:
            if not node.beyond >> (at - node.base) & 1:
                found.append(at)
                end = min(end, self._certain[at].ended)
            at += 1
        return found

    def _with(self, node: Node, at: int, state: State) -> Node:
        beyond, base = node.beyond | 1 << (at - node.base), node.base
        while beyond & 1:
            beyond, base = beyond >> 1, base + 1
        return Node(base, beyond, node.used, state)
