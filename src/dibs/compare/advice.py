"""What each strategy is good for: derived from the figures, so true where they were measured."""

from __future__ import annotations

from collections.abc import Mapping

from dibs.compare.figures import BASELINE, Figures, Level
from dibs.observe import joined

FASTER = 1.15
"""Less than this is noise: runs on a busy machine differ by about a tenth."""

SLOWER = 1 / FASTER
NOTHING = 0.05
"""Statements or requests an answer that are not worth a word."""

SPOKEN = {
    "fresh": "new names",
    "taken": "taken names",
    "check_free": "checks of free names",
    "check_taken": "checks of taken names",
}
"""The cases that are judged; `check` is a mixture of two of them."""

Cases = Mapping[str, Figures]


def advice(level: Level) -> dict[str, str]:
    """A sentence or two for each strategy."""
    return {strategy: _of(level, strategy) for strategy in level}


def _of(level: Level, strategy: str) -> str:
    ours, base = level[strategy], level[BASELINE]
    if strategy == BASELINE:
        return _of_baseline(level)
    wins = [_times(ours, case) for case in SPOKEN if (ours[case].ratio or 0) >= FASTER]
    losses = [_loss(ours, base, case) for case in SPOKEN if (ours[case].ratio or 0) <= SLOWER]
    none = [SPOKEN[case] for case in SPOKEN if _work(ours[case]) <= NOTHING]
    less = [SPOKEN[case] for case in SPOKEN if NOTHING < _work(ours[case]) < _work(base[case])]
    said = [f"For {joined(wins)}." if wins else f"Not faster here than `{BASELINE}`."]
    if losses:
        said.append(f"Slower: {joined(losses)}.")
    if none:
        said.append(f"No database for {joined(none)}.")
    if less:
        said.append(f"Fewer statements for {joined(less)}.")
    if not (wins or none or less):
        said.append("Not worth it here.")
    if any((one.redis or 0) > NOTHING for one in ours.values()):
        said.append("Needs Redis.")
    return " ".join(said)


def _of_baseline(level: Level) -> str:
    """It is what the others are measured by, so it is judged by whether they beat it."""
    best = [
        SPOKEN[case]
        for case in SPOKEN
        if all(
            (cases[case].ratio or 0) < FASTER
            for strategy, cases in level.items()
            if strategy != BASELINE
        )
    ]
    needs = "Needs nothing but the database."
    return f"For {joined(best)}: none is faster. {needs}" if best else needs


def _times(cases: Cases, case: str) -> str:
    return f"{SPOKEN[case]} ({cases[case].ratio:.2f}x)"


def _loss(ours: Cases, base: Cases, case: str) -> str:
    """With the reason, where the counts tell it."""
    in_vain = (ours[case].redis or 0) > NOTHING and _work(ours[case]) >= _work(base[case])
    why = ": Redis is asked in vain" if in_vain and case != "fresh" else ""
    return f"{_times(ours, case)[:-1]}{why})"


def _work(figures: Figures) -> float:
    """What one answer has the database do, BEGIN and COMMIT included."""
    return (figures.sql or 0) + (figures.frames or 0)
