"""One recorded operation: what was asked, from when to when, and the answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Kind = Literal["claim", "hold", "unhold", "rename", "release", "look"]
Outcome = Literal["done", "refused", "unchanged", "unknown"]


class BadHistory(ValueError):
    """A line is not a recorded operation; the message says which."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One question and its answer, as the client saw them.

    Attributes:
        client: Who asked, for people who read the verdict.
        kind: What was asked for. `look` is a reading of the database, not of a cache.
        names: The names, in the one spelling that the recorder's rules make of all that are
            equal; a rename has the old one and the new one.
        owner: Who is to own, or gives up; of a `look` who was seen to own, empty for nobody.
        began: Nanoseconds of `time.monotonic_ns()` just before the question left.
        ended: The same just after the answer was there.
        outcome: `done`, `refused` (with a code), `unchanged` (it failed, and changed nothing),
            `unknown` (it may have been done, or may still be).
        code: Why it was refused: `taken`, `lookalike`, `held`, `quarantined`, `not_owner`;
            empty for "somebody has it", and what else there is says nothing about the name.
        request: The same for every repetition of one request; empty when there is one only.
        hold: The token that a hold was answered with, or that was shown.
        seconds: How long a hold lasts; of a release or rename, how long the name given up rests.
        id: What tells a later line about the same operation from one about another.
    """

    client: str
    kind: Kind
    names: tuple[str, ...]
    owner: str
    began: int
    ended: int
    outcome: Outcome
    code: str = ""
    request: str = ""
    hold: str = ""
    seconds: float = 0.0
    id: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind) or self.outcome not in get_args(Outcome):
            raise BadHistory(f"there is no {self.kind!r} that is {self.outcome!r}")
        if len(self.names) != (2 if self.kind == "rename" else 1) or not all(self.names):
            raise BadHistory(f"a {self.kind} has not the names {self.names!r}")
        if self.ended < self.began:
            raise BadHistory("an operation ended before it began")

    @property
    def name(self) -> str:
        """What was wanted, looked at or given up; of a rename the new name."""
        return self.names[-1]

    def line(self) -> str:
        """It as one line of JSON, without what is as it is by default."""
        values = asdict(self)
        usual = {field.name: field.default for field in fields(self)}
        return json.dumps({key: values[key] for key in values if values[key] != usual[key]})

    def __str__(self) -> str:
        """It in words."""
        what = f"{self.kind} {' to '.join(self.names)}"
        who = f" by {self.owner or 'nobody'}" if self.kind != "look" else ""
        seen = f", seen with {self.owner or 'nobody'}" if self.kind == "look" else ""
        code = f" ({self.code})" if self.code else ""
        return f"{what}{who}: {self.outcome}{code}{seen}, {self.client}"


def parse(lines: Iterable[str]) -> list[Operation]:
    """The operations of JSON lines; of several lines about one the last counts.

    A last line that is cut off, as a killed process leaves it, is passed over: the
    line written before the question left says that it was asked.

    Raises:
        BadHistory: A line is no operation.
    """
    found: dict[str, Operation] = {}
    for number, line in enumerate(lines, 1):
        try:
            operation = _operation(line, number)
        except BadHistory:
            if line.endswith("\n"):
                raise
            break
        found[operation.id or f"line {number}"] = operation
    return list(found.values())


def _operation(line: str, number: int) -> Operation:
    try:
        values: dict[str, Any] = json.loads(line)
        return Operation(**values | {"names": tuple(values["names"])})
    except (BadHistory, ValueError, TypeError, KeyError) as error:
        raise BadHistory(f"line {number} is no operation: {error}") from error
