"""The life of one name, as a small machine: what may happen in which state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dibs.checker.operation import Operation

Action = Literal["take", "hold", "give", "unhold", "look", "refused"]

NEVER = float("inf")
NS = 1_000_000_000
HELD_BY_ANOTHER = {"", "taken", "lookalike", "held", "quarantined"}
"""Refusals that say that somebody has the name; `not_owner` says that the client does not."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is forgiven, in seconds.

    Attributes:
        clocks: How far the database's clock may be from the recorder's, over the length of
            a hold or a quarantine.
        stale: For how long a refusal may be late: it may speak of what was true so long
            before the question. For caches that say so.
    """

    clocks: float = 0.1
    stale: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What an operation does to one name.

    Attributes:
        began: From when on it can have happened.
        ended: Until when; never over when its outcome is unknown.
        optional: Whether it may not have happened at all.
        action: What it does.
        owner: Whose doing it is; of a look, who was seen.
        request: Which request asks.
        over_from: When a hold or quarantine that it begins can be over.
        over_by: When it certainly is.
        operation: Where it comes from.
    """

    began: float
    ended: float
    optional: bool
    action: Action
    owner: str
    request: str
    over_from: float
    over_by: float
    operation: Operation

    @property
    def changes(self) -> bool:
        """Whether the name is not as it was, after it."""
        return self.action in ("take", "hold", "give", "unhold")


@dataclass(frozen=True, slots=True)
class State:
    """The state of a name. `since` is the step that began a hold or a quarantine."""

    kind: Literal["free", "owned", "held", "resting"]
    owner: str = ""
    request: str = ""
    since: Step | None = None

    def __str__(self) -> str:
        """It in words."""
        words = {"free": "nobody has it", "held": "it is held", "resting": "it is quarantined"}
        return words.get(self.kind, f"{self.owner} owns it")


FREE = State("free")


def after(state: State, step: Step) -> State | None:
    """The state after this step, or None if it cannot happen in this one."""
    return RULES[step.action](state, step)


def _is_open(state: State, step: Step) -> bool:
    """Whether a claim or a hold can have the name."""
    since = state.since
    if since is None:
        return state.kind == "free"
    if step.ended >= since.over_from:
        return True
    shown = step.operation.hold
    if state.kind == "held":
        return step.action == "take" and bool(shown) and shown == since.operation.hold
    return step.owner == since.owner  # one's own name, given up a moment ago


def _take(state: State, step: Step) -> State | None:
    if state.kind == "owned":  # a repetition of the request that won
        return state if (state.owner, state.request) == (step.owner, step.request) else None
    return State("owned", step.owner, step.request) if _is_open(state, step) else None


def _hold(state: State, step: Step) -> State | None:
    if state.since is not None and state.since.request == step.request:
        return state
    return State("held", step.owner, since=step) if _is_open(state, step) else None


def _give(state: State, step: Step) -> State | None:
    if state.kind != "owned" or state.owner != step.owner:
        return None
    return State("resting", since=step) if step.operation.seconds > 0 else FREE


def _unhold(state: State, step: Step) -> State | None:
    shown, since = step.operation.hold, state.since
    is_it = state.kind == "held" and since is not None and since.operation.hold == shown
    return FREE if is_it and shown else None


def _look(state: State, step: Step) -> State | None:
    seen = state.owner if state.kind == "owned" else ""
    return state if seen == step.owner else None


def _refused(state: State, step: Step) -> State | None:
    """A refusal is right if it was true at some moment, and changes nothing."""
    code = step.operation.code
    if code == "not_owner":
        return state if state.kind != "owned" or state.owner != step.owner else None
    if state.kind == "owned":
        mine = (state.owner, state.request) == (step.owner, step.request)
        return state if code in ("", "taken", "lookalike") and not mine else None
    if state.since is None or step.began > state.since.over_by:
        return None
    if state.kind == "held":
        shown = step.operation.hold
        mine = bool(shown) and state.since.operation.hold == shown
        return state if code in ("", "held") and not mine else None
    return state if code in ("", "quarantined") else None


RULES = {
    "take": _take,
    "hold": _hold,
    "give": _give,
    "unhold": _unhold,
    "look": _look,
    "refused": _refused,
}


def is_judged(operation: Operation) -> bool:
    """Whether the answer says anything about a name."""
    if operation.outcome == "refused":
        return operation.code == "not_owner" or (
            operation.code in HELD_BY_ANOTHER and operation.kind in ("claim", "hold", "rename")
        )
    return operation.outcome == "done" or (
        operation.outcome == "unknown" and operation.kind != "look"
    )


def by_name(operations: Iterable[Operation], allowance: Allowance) -> dict[str, list[Step]]:
    """What happened to each name, in the order of the questions.

    A rename is two steps, one for each of its names, with the same times.
    """
    found: dict[str, list[Step]] = {}
    for number, operation in enumerate(operations):
        if is_judged(operation):
            for name, action in _actions(operation):
                step = _step(operation, action, number, allowance)
                found.setdefault(name, []).append(step)
    for steps in found.values():
        steps.sort(key=lambda step: (step.began, step.ended))
    return found


def _actions(operation: Operation) -> list[tuple[str, Action]]:
    old, new = operation.names[0], operation.name
    if operation.outcome == "refused":
        # `not_owner` is about the old name.
        return [(old if operation.code == "not_owner" else new, "refused")]
    match operation.kind:
        case "claim":
            return [(new, "take")]
        case "rename":
            # Another spelling of one's own name: the owner stays the same.
            return [(old, "give"), (new, "take")] if old != new else [(old, "look")]
        case "release":
            return [(new, "give")]
        case "hold" | "unhold" | "look":
            return [(new, operation.kind)]


def _step(operation: Operation, action: Action, number: int, allowance: Allowance) -> Step:
    unknown = operation.outcome == "unknown"
    ended = NEVER if unknown else float(operation.ended)
    lasts, slack = operation.seconds * NS, allowance.clocks * NS
    return Step(
        began=operation.began - (allowance.stale * NS if action == "refused" else 0),
        ended=ended,
        optional=unknown,
        action=action,
        owner=operation.owner,
        request=operation.request or f"#{number}",
        over_from=operation.began + lasts - slack,
        over_by=ended + lasts + slack,
        operation=operation,
    )
