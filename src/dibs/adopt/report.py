"""What an audit found, in words: for a terminal, in Markdown, and as a page to pass on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, Template

from dibs.adopt.audit import Audit, Why
from dibs.observe import counted, printable

SHOWN = 50
"""Groups, and people without a key, that a report names; JSON and the plan have all."""

LABELS: dict[Why, str] = {
    "same_name": "the same name, spelled otherwise",
    "lookalike": "names that look alike",
    "identical": "the same name to the letter",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table.

    Attributes:
        label: What was counted.
        number: How many; None where it is no number.
        note: What else is to be said.
        part: Whether it is a part of the line above.
    """

    label: str
    number: int | None
    note: str = ""
    part: bool = False


def summary(found: Audit) -> str:
    """The audit in a sentence, without where it was."""
    if not found.people:
        return "Nobody has a name."
    said = f"{counted(found.people, 'person has', 'people have')} a name, and"
    said += f" {found.alone:,} of them {'is' if found.alone == 1 else 'are'} alone with it"
    if found.groups:
        groups = counted(len(found.groups), "group", "groups")
        said += f"; {found.grouped:,} share theirs in {groups}"
    if found.without_key:
        said += f"; {len(found.without_key):,} have one that cannot be kept"
    return f"{said}."


def rows(found: Audit) -> Iterator[Row]:
    """The table."""
    yield Row("people with a name", found.people)
    if found.nameless:
        yield Row("people without one", found.nameless)
    if found.left_out:
        yield Row("rows without an id", found.left_out, "nobody can own their names")
    yield Row("alone", found.alone, "nothing changes for them")
    largest = f"{found.grouped:,} people; the largest has {found.largest}" if found.groups else ""
    yield Row("groups", len(found.groups), largest)
    for why, label in LABELS.items():
        if (groups := found.groups_of(why)) or why != "identical":
            note = "only one of them can own it" if why == "identical" else ""
            yield Row(label, groups, note, part=True)
    yield Row("kept against a rule", found.broken)
    for code, number in Counter(found.kept).most_common():
        some = found.examples[code]
        more = f" and {number - len(some):,} more" if number > len(some) else ""
        yield Row(code, number, ", ".join(some) + more, part=True)
    codes = Counter(code for one in found.without_key for code in one.reasons).most_common()
    listed = ", ".join(f"{code} {number:,}" for code, number in codes)
    yield Row("without a key", len(found.without_key), listed)
    if found.uniques is not None:
        by = ", ".join(found.uniques) or "nothing: two rows may have one name"
        yield Row("kept unique so far", None, f"by {by}")
    yield Row("people who would notice", found.noticing)


def terminal(found: Audit) -> str:
    """The sentence and the table."""
    lines = [f"{printable(found.where)}: {summary(found)}", ""]
    for row in rows(found):
        label = ("  " if row.part else "") + row.label
        number = "" if row.number is None else f"{row.number:,}"
        lines.append(f"  {label:<36}{number:>11}  {printable(row.note)}".rstrip())
    return "\n".join(lines)


def markdown(found: Audit) -> str:
    """The same, and the first groups."""
    title = _marked(f"{found.where}: {summary(found)}")
    lines = [f"# {title}", "", "| | | |", "|---|---:|---|"]
    for row in rows(found):
        label = f"of these: {row.label}" if row.part else row.label
        number = "" if row.number is None else f"{row.number:,}"
        lines.append(f"| {label} | {number} | {_marked(row.note)} |")
    if found.groups:
        lines += ["", "## Groups", "", "| names | ids |", "|---|---|"]
    for group in found.groups[:SHOWN]:
        names = ", ".join(_marked(one.name) for one in group.members)
        ids = ", ".join(_marked(one.id) for one in group.members)
        lines.append(f"| {names} | {ids} |")
    if (more := len(found.groups) - SHOWN) > 0:
        lines += ["", f"And {counted(more, 'more group', 'more groups')}."]
    if found.without_key:
        lines += ["", "## Without a key", "", "| name | id | why |", "|---|---|---|"]
    for one in found.without_key[:SHOWN]:
        why = ", ".join(one.reasons)
        lines.append(f"| {_marked(one.name)} | {_marked(one.id)} | {why} |")
    if (more := len(found.without_key) - SHOWN) > 0:
        lines += ["", f"And {more:,} more."]
    return "\n".join(lines) + "\n"


def _marked(text: str) -> str:
    """Text with Markdown and HTML escaped."""
    spelled = printable(text)
    return "".join(f"&#{ord(one)};" if one in "\\`*_{}[]<>()#!|&~:@" else one for one in spelled)


def html(found: Audit) -> str:
    """A page that needs nothing else, with one chart: whom it touches."""
    return _template().render(
        audit=found,
        title=summary(found),
        rows=list(rows(found)),
        pieces=_pieces(found),
        shown=SHOWN,
        date=f"{datetime.now(UTC):%-d %B %Y}",
    )


def _pieces(found: Audit) -> list[dict[str, Any]]:
    """Whom it touches, by why: label and number of people."""
    people = Counter[str](one.why for group in found.groups for one in group.members)
    people["without_key"] = len(found.without_key)
    labels = LABELS | {"without_key": "a name that cannot be kept"}
    return [
        {"why": why, "label": label, "people": people[why]}
        for why, label in labels.items()
        if people[why]
    ]


@cache
def _template() -> Template:
    pages = Environment(
        loader=PackageLoader("dibs.adopt", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"printable": printable, "number": "{:,}".format}
    return pages.get_template("report.html")
