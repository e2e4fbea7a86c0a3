"""One picture: how many answers a second each strategy gives, and what one answer costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dibs.compare.figures import BASELINE, CASES, Figures, Report
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
DARK = "membership_filter"
INK, PALE, PAPER = "#1f2328", "#59636e", "#ffffff"


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
    title, meaning = "dibs: strategies compared", f"Answers a second relative to {BASELINE}"
    figure.text(START, 0.984, title, size=13, weight="bold", color=INK, va="top")
    figure.text(START, 0.955, meaning, size=9, color=PALE, va="top")
    figure.text(START, 0.030, below, size=7.5, color=PALE)
    figure.text(START, 0.012, f"{verdict(report)}.", size=7.5, color=PALE)
    figure.subplots_adjust(left=LEFT, right=RIGHT, top=0.895, bottom=0.065, hspace=0.34)


def _panel(panel: Axes, report: Report, case: str) -> None:
    strategies = list(report.decision)
    figures = [report.decision[strategy][case] for strategy in strategies]
    lengths = [one.ratio or 0.0 for one in figures]
    longest = max(lengths) or 1.0
    panel.barh(
        range(len(strategies)),
        lengths,
        height=0.74,
        color=[COLOURS[strategy] for strategy in strategies],
    )
    for line, (strategy, one) in enumerate(zip(strategies, figures, strict=True)):
        _name(panel, line, strategy, one)
        _figure(panel, line, one, longest, PAPER if strategy == DARK else INK)
    panel.set_title(CASES[case], size=10.5, weight="bold", color=INK, loc="left", x=EDGE, pad=5)
    panel.set_xlim(0, longest)
    panel.set_ylim(len(strategies) - 0.45, -0.55)
    panel.axis("off")


def _name(panel: Axes, line: int, strategy: str, figures: Figures) -> None:
    """On the left, with what an answer costs below."""
    for words, up, size, colour in ((strategy, -0.20, 8.5, INK), (cost(figures), 0.24, 7.0, PALE)):
        panel.annotate(
            words,
            (EDGE, line + up),
            xycoords=("axes fraction", "data"),
            annotation_clip=False,
            size=size,
            color=colour,
            va="center",
        )


def _figure(panel: Axes, line: int, figures: Figures, longest: float, inside_ink: str) -> None:
    """In the bar, or beside it where it is short."""
    inside = (figures.ratio or 0) > 0.55 * longest
    panel.annotate(
        f"{times(figures)}  {figures.rate:,.0f}/s",
        (figures.ratio or 0, line),
        xytext=(-4 if inside else 4, 0),
        textcoords="offset points",
        ha="right" if inside else "left",
        va="center",
        size=8.5,
        color=inside_ink if inside else INK,
    )
