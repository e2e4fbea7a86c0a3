"""The figures in rows and columns, for a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dibs.compare.advice import advice
from dibs.compare.figures import CASES, Figures, Level, Report

LEVELS = {
    "decision": "The decision itself, in one process",
    "http": "Over HTTP, `dibs serve` with one worker",
}

MEMORY = 0.05
"""The share of answers from where they were not to come that is worth a word."""

Cell = Callable[[Figures], str]


def number(value: float | None) -> str:
    """Not more digits than say something."""
    if value is None:
        return ""
    if 0 < value < 0.005:  # two digits would call it nothing
        return "<0.01"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def milliseconds(value: float) -> str:
    """Microseconds only where there is nothing else."""
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def times(figures: Figures) -> str:
    """How many times the rate of `unique_constraint`."""
    return "" if figures.ratio is None else f"{figures.ratio:.2f}x"


def cost(figures: Figures) -> str:
    """Statements and requests to Redis an answer."""
    if figures.redis:
        return f"{number(figures.sql)} SQL + {number(figures.redis)} Redis"
    return f"{number(figures.sql)} SQL"


def about(report: Report) -> str:
    """Where and how it was measured, in a line."""
    told = report.about
    servers = " + ".join(filter(None, [told["database"], told["redis"]]))
    return (
        f"{servers}, {told['processors']} processors, {told['clients']} clients,"
        f" {told['names']:,} taken names, {told['rounds']} rounds,"
        f" {told['seconds']:g} s a figure; dibs {told['dibs']}, Python {told['python']}"
    )


def verdict(report: Report) -> str:
    """What became of the answers."""
    levels = _levels(report)
    all_figures = [one for _, level in levels for cases in level.values() for one in cases.values()]
    answers = sum(one.answers for one in all_figures)
    failed = sum(one.failed for one in all_figures)
    without = f"; {failed:,} questions without an answer" if failed else ""
    return f"{report.false_answers:,} false answers among {answers:,}{without}"


def _levels(report: Report) -> list[tuple[str, Level]]:
    named = [("decision", report.decision), ("http", report.http)]
    return [(name, level) for name, level in named if level is not None]


# --- terminal ----------------------------------------------------------------

HEAD = f"{'answers/s':>11}{'':>9}{'p50 ms':>9}{'p99 ms':>9}  "


def terminal(report: Report) -> str:
    """Everything, one block for each case."""
    lines = [about(report)]
    for name, level in _levels(report):
        lines += ["", LEVELS[name].replace("`", "")]
        for case, title in CASES.items():
            lines += ["", f"{title:<40}{HEAD}".rstrip()]
            lines += [_row(strategy, cases[case]) for strategy, cases in level.items()]
    lines += ["", "For whom"]
    lines += [f"  {strategy}: {words}" for strategy, words in advice(report.decision).items()]
    return "\n".join([*lines, "", *notes(report), verdict(report)])


def notes(report: Report) -> list[str]:
    """What one has to know to read the figures right."""
    found = []
    for strategy, cases in report.decision.items():
        memory = cases["check_taken"].sources.get("process", 0.0)
        if memory > MEMORY:
            found.append(
                f"{strategy}: {memory:.0%} of the checks of taken names were answered by the"
                " process's own memory of the last second; with more --names it is less."
            )
        asked = sum(cases["taken"].sources.get(one, 0.0) for one in ("redis", "process"))
        if cases["taken"].redis and 0 < asked < 1 - MEMORY:
            found.append(
                f"{strategy}: Redis was too slow for {1 - asked:.0%} of the taken names, and the"
                " database was asked."
            )
    return found


def _row(strategy: str, figures: Figures) -> str:
    costs = "" if figures.sql is None else f"  {cost(figures)}"
    return (
        f"  {strategy:<38}{figures.rate:>11,.0f}{times(figures):>9}"
        f"{milliseconds(figures.p50_ms):>9}{milliseconds(figures.p99_ms):>9}{costs}"
    ).rstrip()


# --- Markdown ----------------------------------------------------------------


def markdown(report: Report) -> str:
    """Everything, one table for each kind of figure."""
    lines = [f"{about(report)}. {verdict(report)}."]
    for name, level in _levels(report):
        lines += ["", f"**{LEVELS[name]}**", ""]
        lines += _table("answers a second", level, _rate)
        if name == "decision":
            lines += ["", *_table("statements + requests to Redis an answer", level, _sum)]
        lines += ["", *_table("milliseconds: p50 / p99", level, _times_of_answers)]
    words = advice(report.decision)
    lines += ["", "| strategy | for whom |", "|---|---|"]
    lines += [f"| `{strategy}` | {said} |" for strategy, said in words.items()]
    lines += [f"\n{note}" for note in notes(report)]
    return "\n".join(lines) + "\n"


def _table(title: str, level: Level, cell: Cell) -> Iterator[str]:
    heads = ["new name", "taken name", "check, half taken", "check, free", "check, taken"]
    yield f"| {title} | {' | '.join(heads)} |"
    yield "|---|" + "---:|" * len(heads)
    for strategy, cases in level.items():
        yield f"| `{strategy}` | {' | '.join(cell(cases[case]) for case in CASES)} |"


def _rate(figures: Figures) -> str:
    return f"{figures.rate:,.0f} ({times(figures)})"


def _sum(figures: Figures) -> str:
    return f"{number(figures.sql)} + {number(figures.redis)}"


def _times_of_answers(figures: Figures) -> str:
    return f"{milliseconds(figures.p50_ms)} / {milliseconds(figures.p99_ms)}"
