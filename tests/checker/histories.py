"""Histories written by hand: who asked for what, from when to when, in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dibs.checker import Operation, Verdict, judge
from dibs.checker.operation import Kind, Outcome

MS = 1_000_000


def op(
    kind: Kind, names: str, owner: str, began: int, ended: int, answer: str = "done", **others: Any
) -> Operation:
    """An operation; `answer` is an outcome, or the code of a refusal; `names` are split."""
    outcomes: tuple[Outcome, ...] = ("done", "unchanged", "unknown")
    outcome: Outcome = next((one for one in outcomes if one == answer), "refused")
    code = "" if outcome == answer else answer
    return Operation(
        f"client of {owner or 'nobody'}",
        kind,
        tuple(names.split()),
        owner,
        began * MS,
        ended * MS,
        outcome,
        code,
        **others,
    )


def rules_broken(history: Sequence[Operation], **others: Any) -> list[str]:
    """The rules that the verdict names; nothing may stay undecided."""
    verdict: Verdict = judge(history, **others)
    assert not verdict.undecided
    return [violation.rule for violation in verdict.violations]
