"""What was measured, and the figures that are made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

BASELINE = "unique_constraint"
"""What the others are measured by: nothing is asked before the insert."""

CASES = {
    "fresh": "Register a new name",
    "taken": "Register a taken name",
    "check": "Check a name (half of them taken)",
    "check_free": "Check a free name",
    "check_taken": "Check a taken name",
}
"""The questions, by their key."""


@dataclass(slots=True)
class Slice:
    """What one strategy did in one case for a moment.

    Attributes:
        seconds: From the first question to the last answer.
        took: Seconds of each answer.
        sql: Statements, without those that the next two count.
        users: Rows of users, which are the same for all strategies.
        frames: BEGIN, COMMIT and ROLLBACK.
        redis: Requests to Redis.
        sources: Who had the last word, by answer: `database`, `redis` or `process`.
        wrong: False answers.
        failed: Questions to which the database had no answer.
    """

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)
    sql: int = 0
    users: int = 0
    frames: int = 0
    redis: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    failed: int = 0

    def add(self, other: Slice) -> None:
        """Add the counts of another thread or a later round."""
        self.took += other.took
        self.sql += other.sql
        self.users += other.users
        self.frames += other.frames
        self.redis += other.redis
        self.sources += other.sources
        self.wrong += other.wrong
        self.failed += other.failed

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.took) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Figures:
    """One strategy in one case.

    Attributes:
        answers: How many were measured.
        rate: Answers a second, the median of the rounds.
        ratio: How many times the rate of `unique_constraint` in the same round; the median.
        p50_ms: Milliseconds in which half of the answers came.
        p99_ms: Milliseconds in which 99 of 100 came.
        sql: Statements an answer, without users, BEGIN and COMMIT; None where nobody counted.
        users: Rows of users an answer.
        frames: BEGIN, COMMIT and ROLLBACK an answer.
        redis: Requests to Redis an answer.
        sources: Share of the answers for which the database was asked, Redis was the last that
            was, or nobody outside of the process.
        false_answers: How many were wrong.
        failed: How many questions got no answer.
    """

    answers: int
    rate: float
    ratio: float | None
    p50_ms: float
    p99_ms: float
    sql: float | None
    users: float | None
    frames: float | None
    redis: float | None
    sources: Mapping[str, float]
    false_answers: int
    failed: int


Level = Mapping[str, Mapping[str, Figures]]
"""Figures by strategy and case."""


@dataclass(frozen=True, slots=True)
class Report:
    """A whole comparison.

    Attributes:
        about: Where and how it was measured.
        decision: What each strategy itself costs, within one process.
        http: What a client of `dibs serve` sees of that, if that was asked for.
        stray: How many names more or fewer were stored than were won.
    """

    about: Mapping[str, Any]
    decision: Level
    http: Level | None
    stray: int

    @property
    def false_answers(self) -> int:
        """How many answers were wrong, over all; must be 0."""
        levels = [self.decision, self.http or {}]
        cases = [
            figures for level in levels for cases in level.values() for figures in cases.values()
        ]
        return abs(self.stray) + sum(figures.false_answers for figures in cases)

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {**asdict(self), "false_answers": self.false_answers}


Rounds = Sequence[Mapping[str, Mapping[str, Slice]]]
"""Slices by round, strategy and case."""


def summarise(rounds: Rounds, *, counted: bool = True) -> Level:
    """The figures of several rounds.

    Args:
        rounds: Each with the same strategies and cases.
        counted: Whether statements were.
    """
    return {
        strategy: {case: _figures(rounds, strategy, case, counted=counted) for case in cases}
        for strategy, cases in rounds[0].items()
    }


def _figures(rounds: Rounds, strategy: str, case: str, *, counted: bool) -> Figures:
    slices = [one[strategy][case] for one in rounds]
    whole = Slice()
    for each in slices:
        whole.add(each)
    answers, took = len(whole.took), sorted(whole.took)
    each_of = [whole.sql, whole.users, whole.frames, whole.redis]
    sql, users, frames, redis = (_per(n, answers) if counted else None for n in each_of)
    return Figures(
        answers=answers,
        rate=round(median(one.rate for one in slices), 1),
        ratio=_ratio(rounds, strategy, case),
        p50_ms=_at(took, 0.50),
        p99_ms=_at(took, 0.99),
        sql=sql,
        users=users,
        frames=frames,
        redis=redis,
        sources={name: _per(number, answers) for name, number in whole.sources.items()},
        false_answers=whole.wrong,
        failed=whole.failed,
    )


def _ratio(rounds: Rounds, strategy: str, case: str) -> float | None:
    """Within each round, because a machine is not as fast now as it was a minute ago."""
    if not all(BASELINE in one and one[BASELINE][case].took for one in rounds):
        return None
    return round(median(one[strategy][case].rate / one[BASELINE][case].rate for one in rounds), 3)


def _per(number: int, answers: int) -> float:
    return round(number / answers, 4) if answers else 0.0


def _at(took: Sequence[float], share: float) -> float:
    return round(1000 * took[min(len(took) - 1, int(share * len(took)))], 3) if took else 0.0
