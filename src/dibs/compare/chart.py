"""One picture: how many answers a second each strategy gives, and what one answer costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dibs.compare.figures import BASELINE, CASES, Report
from dibs.compare.table import cost, times, verdict
from dibs.config.extras import installing
from dibs.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = ("fresh", "taken", "check_free", "check_taken")
FORMATS = (".svg", ".png")

# As wide as a telephone is, so that it need not be made smaller there; letters in proportion.
INCHES = (4.4, 7.4)
DOTS_PER_INCH = 220
START, LEFT, RIGHT = 0.035, 0.345, 0.975
EDGE = (START - LEFT) / (RIGHT - LEFT)
"""Where names begin, seen from the bars."""

# Told apart by lightness too, for those who see no colours and for printers.
COLOURS = {
    "query_then_insert": "#c2c7cc",
    "unique_constraint": "#8b949e",
    "cache_aside": "#e08e0b",
    "membership_filter": "#10538f",
}
INK, PALE, LINE, PAPER = "#1f2328", "#59636e", "#e4e7ea", "#ffffff"
FACTORS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
ROOM = 0.22
"""The part of the scale that is added on its right, where the ratios stand."""


def require_matplotlib() -> None:
    """See that charts can be drawn, before anything is measured.

    Raises:
        ConfigError: matplotlib is missing.
    """
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as missing:
        raise ConfigError(f"a chart needs matplotlib: {installing('compare')}") from missing


def draw(report: Report, files: list[Path]) -> None:
    """Draw the chart into each of the files, in the format that its name ends with.

    Raises:
        OSError: A file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, facecolor=PAPER)
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(SHOWN), 1)
    for panel, case in zip(panels, SHOWN, strict=True):
        _panel(panel, report, case)
    _scale(panels, report)
    _words(figure, report)
    for file in files:
        unsaid = ("Date", "Creator") if file.suffix == ".svg" else ("Software",)
        # The same figures make the same file, whenever it is drawn.
        with rc_context({"svg.hashsalt": "dibs"}):
            figure.savefig(file, dpi=DOTS_PER_INCH, metadata=dict.fromkeys(unsaid))


def _words(figure: Any, report: Report) -> None:
    told = report.about
    servers = " + ".join(filter(None, [told["database"], told["redis"]]))
    below = f"{servers}, {told['processors']} processors, {told['clients']} clients in one process"
    title, meaning = "dibs: strategies compared", f"Answers a second, as many times {BASELINE}'s"
    figure.text(START, 0.984, title, size=13, weight="bold", color=INK, va="top")
    figure.text(START, 0.955, meaning, size=9, color=PALE, va="top")
    figure.text(START, 0.030, below, size=7.5, color=PALE)
    figure.text(START, 0.012, f"{verdict(report)}.", size=7.5, color=PALE)
    figure.subplots_adjust(left=LEFT, right=RIGHT, top=0.895, bottom=0.095, hspace=0.3)


def _panel(panel: Axes, report: Report, case: str) -> None:
    """Bars from 1, to the right for more and to the left for less, on a scale of factors."""
    figures = [report.decision[strategy][case] for strategy in report.decision]
    panel.barh(
        range(len(figures)),
        [(one.ratio or 1) - 1 for one in figures],
        left=1,
        height=0.62,
        color=[COLOURS[strategy] for strategy in report.decision],
    )
    for line, (strategy, one) in enumerate(zip(report.decision, figures, strict=True)):
        _write(panel, strategy, line - 0.20, EDGE, INK, size=8.5)
        _write(panel, cost(one), line + 0.24, EDGE, PALE, size=7)
        _write(panel, times(one), line, 1, INK, size=8.5, ha="right")
    base = report.decision[BASELINE][case].rate
    _write(panel, CASES[case], -1, EDGE, INK, size=10.5, weight="bold")
    _write(panel, f"1 = {base:,.0f} a second", -1, 1, PALE, size=8, ha="right")
    panel.axvline(1, color=PALE, linewidth=0.8)
    panel.set_ylim(len(figures) - 0.45, -0.55)
    for spine in panel.spines.values():
        spine.set_visible(False)


def _scale(panels: Sequence[Axes], report: Report) -> None:
    """One for all panels, told below the last."""
    every = [one[case].ratio or 1 for one in report.decision.values() for case in SHOWN]
    low, high = min(0.45, *every), max(2.2, *every)
    for panel in panels:
        panel.set_xscale("log")
        panel.grid(axis="x", color=LINE, linewidth=0.6)
        panel.set_axisbelow(True)
        panel.set_xticks([factor for factor in FACTORS if low <= factor <= high])
        panel.set_xlim(low, high * (high / low) ** ROOM)
        panel.xaxis.set_major_formatter(lambda factor, _: f"{factor:g}x")
        panel.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
        panel.tick_params(which="minor", gridOn=False)
    panels[-1].tick_params(which="major", labelbottom=True, labelsize=7.5, colors=PALE)


def _write(panel: Axes, text: str, line: float, at: float, colour: str, **how: Any) -> None:
    """In a column of its own, which begins or ends there as seen from the bars."""
    place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "annotation_clip": False}
    panel.annotate(text, (at, line), color=colour, va="center", **place, **how)
