"""The figures of docs/performance.md and their chart, from a run of benchmarks/performance.py."""

from __future__ import annotations

import json
import re
import sys
from io import StringIO
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.sides import ROOT, fill

PAGE, CHART = ROOT / "docs/performance.md", ROOT / "docs/performance.svg"
# As wide as a telephone is; told apart by shape, too.
WIDE, HIGH, LEFT, RIGHT = 4.4, 0.19, 0.44, 0.86
INK, PALE, OURS, LINE = "#1f2328", "#59636e", "#10538f", "#d1d9e0"
DARK = {INK: "#f0f6fc", PALE: "#9198a1", OURS: "#58a6ff", LINE: "#3d444d"}
BASE = "Flask, hello"

Report = dict[str, Any]


def write(report: Report) -> None:
    """Fill the page, and draw the chart."""
    fill(PAGE, "\n".join(lines(report)))
    CHART.write_text(drawn(report), encoding="utf-8")


# --- the tables --------------------------------------------------------------


def lines(report: Report) -> list[str]:
    said = f"{report['about']}; {report['rounds']} rounds of {report['seconds']} s."
    found = ["![Answers a second of each beside Flask's least answer](performance.svg)", ""]
    found.append(f"Measured {said}")
    for case, sides in report["cases"].items():
        found += ["", f"**{case[0].upper()}{case[1:]}**", ""]
        found += ["| | × Flask | answers/s | server µs | database µs | p50 ms | p99 ms |"]
        found += ["|---|---:|---:|---:|---:|---:|---:|", *map(row, sides)]
    found += ["", "**Memory and start**", "", "| | MiB a worker | seconds until it answers |"]
    found += ["|---|---:|---:|"]
    for name, (seconds, mib) in report["started"].items():
        found.append(f"| {name} | {mib:.0f} | {seconds:.1f} |")
    return found


def row(one: dict[str, Any]) -> str:
    spread = f" ({number(one['low'])} to {number(one['high'])})" if one["name"] != BASE else ""
    p99 = "–" if one["p99_ms"] is None else f"{one['p99_ms']:.1f}"
    worker = f"{one['worker_us']:,.0f}" if one["worker_us"] else "–"
    base = f"{one['database_us']:,.0f}" if one["database_us"] >= 1 else "–"
    return (
        f"| {one['name']} | {number(one['ratio'])}{spread} | {one['rate']:,.0f} | {worker}"
        f" | {base} | {one['p50_ms']:.1f} | {p99} |"
    )


def number(ratio: float) -> str:
    """Two digits that say something."""
    return f"{ratio:.{1 if ratio >= 1 else 2 if ratio >= 0.1 else 3}f}"


# --- the chart ---------------------------------------------------------------


def drawn(report: Report) -> str:
    """An SVG with one scale for all; dark where the reader's page is."""
    cases = report["cases"]
    rows = sum(len(sides) for sides in cases.values()) + 4  # the baseline's own are headings
    figure = Figure(figsize=(WIDE, HIGH * rows + 0.85))
    FigureCanvasAgg(figure)
    figure.patch.set_alpha(0)
    high = HIGH * rows + 0.85
    axes = figure.add_axes((LEFT, 0.3 / high, RIGHT - LEFT, HIGH * rows / high))
    axes.patch.set_alpha(0)
    at = 0.0
    for case, sides in cases.items():
        words(axes, case[0].upper() + case[1:], at, INK, weight="bold")
        for one in sides[1:]:
            at += 1
            mark(axes, one, at)
        at += 1.35
    scale(axes, cases, at)
    rates = sorted(sides[0]["rate"] for sides in cases.values())
    title = "Answers a second beside Flask's least answer"
    base = f"1 = {rates[len(rates) // 2]:,.0f} a second here. Line: lowest and highest round."
    for text, y, size, colour in ((title, 0.16, 10, INK), (base, 0.36, 7.5, PALE)):
        figure.text(0.03, 1 - y / high, text, size=size, color=colour, va="center")
    return themed(figure)


EDGE = (0.03 - LEFT) / (RIGHT - LEFT)


def words(axes: Any, text: str, at: float, colour: str, edge: float = EDGE, **how: Any) -> None:
    """In a column of their own, where no line crosses them."""
    place = {"xy": (edge, at), "xycoords": ("axes fraction", "data"), "annotation_clip": False}
    axes.annotate(text, **place, size=8, color=colour, va="center", **how)


def mark(axes: Any, one: dict[str, Any], at: float) -> None:
    is_ours = one["name"].startswith("dibs")
    colour = OURS if is_ours else PALE
    words(axes, one["name"], at, INK)
    axes.plot([one["low"], one["high"]], [at, at], color=colour, linewidth=1.2)
    axes.plot([one["ratio"]], [at], "D" if is_ours else "o", color=colour, markersize=4.5)
    edge = (0.97 - LEFT) / (RIGHT - LEFT)
    words(axes, number(one["ratio"]), at, colour, edge=edge, ha="right")


def scale(axes: Any, cases: dict[str, Any], end: float) -> None:
    every = [one for sides in cases.values() for one in sides[1:]]
    axes.set_xscale("log")
    axes.set_xlim(min(one["low"] for one in every) / 1.3, max(one["high"] for one in every) * 1.3)
    axes.set_ylim(end - 0.6, -0.8)
    axes.axvline(1, color=PALE, linewidth=0.8)
    axes.grid(axis="x", color=LINE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.tick_params(axis="x", which="major", colors=PALE, labelsize=7.5, length=0)
    axes.tick_params(axis="x", which="minor", length=0)
    axes.tick_params(axis="y", left=False, labelleft=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def themed(figure: Figure) -> str:
    """Without a date, so that the same figures make the same file; with colours for the dark."""
    file = StringIO()
    with rc_context({"svg.hashsalt": "dibs"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    rules = "".join(
        f'[style*="{kind}: {light}"]{{{kind}:{dark} !important}}'
        for light, dark in DARK.items()
        for kind in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>"
    return re.sub(r"(<defs>)", rf"{style}\1", file.getvalue(), count=1)


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
