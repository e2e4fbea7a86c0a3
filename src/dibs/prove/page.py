"""The picture of what was found, and a page around it: one file each, for light and dark.

A square is a person. The picture is drawn by hand rather than by matplotlib: it is made of
squares and words, changes its colours with the reader's, and needs nothing to be installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from itertools import groupby
from textwrap import wrap

from dibs.prove import report as words
from dibs.prove.run import Report
from dibs.prove.verdict import Judged, Line

WIDTH, MARGIN, CELL, ACROSS = 400, 16, 11.5, 32
"""As wide as a telephone, so that it need not be made smaller there."""
HEADLINE, LETTERS = 38, 62
"""In a line, of the greater letters and of the smaller."""

STYLE = """
:root { --page: #faf9f6; --ink: #1d2321; --soft: #59615e; --line: #dcdad2; --calm: #a9c9b4;
  --good: #1b6b3a; --bad: #c0281e; --warn: #8a6100; color-scheme: light dark }
@media (prefers-color-scheme: dark) { :root { --page: #151817; --ink: #e9ebe8; --soft: #a3aba6;
  --line: #333937; --calm: #3d6a4e; --good: #86d3a0; --bad: #ff8478; --warn: #e0b64a } }
.p { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif }
.p .back { fill: var(--page) } .p text { fill: var(--ink); font-size: 13px }
.p .soft { fill: var(--soft); font-size: 12px } .p .big { font-size: 17px; font-weight: 650 }
.p .name { font-weight: 650 } .p .bad { fill: var(--bad) } .p .good { fill: var(--good) }
.p .open { fill: var(--warn) } .granted { fill: var(--good) } .truth { fill: var(--calm) }
.refused { fill: none; stroke: var(--soft) } .later { fill: var(--warn) }
.fault, .lie { fill: none; stroke: var(--bad); stroke-width: 2 } .lie { fill: var(--bad) }
"""

# Told apart by shape too: a disc, a square, a ring, a dash, a cross, a diamond.
SHAPES: dict[Judged, str] = {
    "granted": "m0 5a5 5 0 1 0 10 0a5 5 0 1 0-10 0",
    "truth": "m1.5 1.5h7v7h-7z",
    "refused": "m2 2h6v6h-6z",
    "later": "m1 4h8v2h-8z",
    "fault": "m1.5 1.5l7 7m0-7l-7 7",
    "lie": "m5 1l4 4l-4 4l-4-4z",
}


def svg(report: Report, *, headed: bool = True) -> str:
    """The picture, with or without what a page around it says above."""
    parts: list[str] = []
    height = MARGIN - 12.0
    if headed:
        said = [(f"big {report.mood}", one) for one in wrap(words.verdict(report), HEADLINE)]
        said += [("soft", one) for one in wrap(report.url, LETTERS)]
        for at, (kind, one) in enumerate(said):
            height += 20 if at else 28
            parts.append(_text(height, kind, one))
        height += 12
    for line in report.lines:
        height += 22
        drawn = list(_round(line, report.owners(line), height))
        parts += [part for _, part in drawn]
        height = drawn[-1][0]
    height += 12
    for kinds in (list(SHAPES)[:3], list(SHAPES)[3:]):
        height += 18
        for at, kind in enumerate(kinds):
            left = MARGIN + at * 124
            parts.append(f'<path class="{kind}" d="M{left} {height - 9:g}{SHAPES[kind]}"/>')
            parts.append(_text(height, "soft", words.MEANINGS[kind], left + 15))
    height += MARGIN
    label = escape(" ".join([words.verdict(report), *words.findings(report)]), quote=True)
    return (
        f'<svg class="p" xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}"'
        f' viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{label}">\n'
        f"<style>{STYLE}</style>\n"
        f'<rect class="back" width="{WIDTH}" height="{height:g}"/>\n'
        + "\n".join([*parts, "</svg>\n"])
    )


def _text(height: float, kind: str, text: str, left: float = MARGIN) -> str:
    return f'<text class="{kind}" x="{left:g}" y="{height:g}">{escape(text)}</text>'


def _round(line: Line, owners: int, height: float) -> Iterator[tuple[float, str]]:
    """Its title, a mark for each answer and what they mean, each with how far down it reaches."""
    bad = line.failed or owners > 1
    yield height, _text(height, "name bad" if bad else "name", line.title)
    top = height + 7
    marks = list(enumerate(line.judged))
    for kind, some in groupby(marks, key=lambda one: one[1]):
        path = "".join(
            f"M{MARGIN + at % ACROSS * CELL:g} {top + at // ACROSS * CELL:g}{SHAPES[kind]}"
            for at, _ in some
        )
        yield top, f'<path class="{kind}" d="{path}"/>'
    height = top + ((len(marks) - 1) // ACROSS + 1) * CELL
    for said in wrap(words.figures(line, owners), LETTERS):
        height += 14
        yield height, _text(height, "soft", said)


def html(report: Report) -> str:
    """The page: it asks for nothing else, so that it can be put anywhere."""
    from jinja2 import Environment

    template = files("dibs.prove").joinpath("report.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        report=report,
        words=words,
        svg=svg(report, headed=False),
        day=datetime.now(UTC).date(),
    )
