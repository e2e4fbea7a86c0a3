"""The plan file: a line for each member of a group, written by the audit and edited by people.

It is CSV in UTF-8, so that any spreadsheet opens it. The column `keep` says what becomes of
somebody's name: `keep` it as it is, be `first` and have the key, or `rename:NEW`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dibs.adopt.audit import Group
from dibs.adopt.csvfile import CsvLines
from dibs.adopt.people import DEFAULT
from dibs.errors import ConfigError, InvalidName
from dibs.names import Parser, Username

COLUMNS = ("key", "id", "name", "why", "keep")
NAMESPACE = "namespace"
KEEP, FIRST, RENAME = "keep", "first", "rename:"

FORMULA = ("=", "+", "-", "@", "'", "\t", "\r")
"""What a spreadsheet would work out, or take away; a name may begin like that."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is planned for somebody.

    Attributes:
        namespace: Within which their name is.
        key: Which group they are in.
        id: Who.
        name: As it was when the plan was written.
        first: Whether they get the key.
        to: The new name they get instead, if any.
        number: Where it stands in the file.
    """

    namespace: str
    key: str
    id: str
    name: str
    first: bool = False
    to: Username | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What people decided about groups; who is not in it keeps their name.

    Attributes:
        lines: By namespace and id.
    """

    lines: Mapping[tuple[str, str], Line]

    @property
    def decisions(self) -> dict[tuple[str, str], str]:
        """What the import is told: `first` or `rename:` and a name, by namespace and id."""
        return {
            who: RENAME + line.to.display if line.to else FIRST
            for who, line in self.lines.items()
            if line.to or line.first
        }

    def check(self, groups: Iterable[Group]) -> None:
        """See that everybody in the plan is in the group that it says.

        Raises:
            ConfigError: Somebody is not; the plan is from another day, or of others.
        """
        members = {(g.namespace, one.id): g.key for g in groups for one in g.members}
        said = [
            f"line {line.number}: nobody with the id {line.id!r} is in the group {line.key!r}"
            for line in self.lines.values()
            if members.get((line.namespace, line.id)) != line.key
        ]
        if said:
            raise ConfigError(
                f"{_all(said)}. Take these lines out, or write the plan anew: `adopt audit --plan`"
            )


def write_plan(path: Path, groups: Iterable[Group]) -> None:
    """Write a plan in which everybody keeps their name.

    Raises:
        ConfigError: The file cannot be written.
    """
    everything = list(groups)
    namespaces = {group.namespace for group in everything} - {DEFAULT}
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow([*COLUMNS, *([NAMESPACE] if namespaces else [])])
            for group in everything:
                for one in group.members:
                    also = [group.namespace] if namespaces else []
                    cells = [group.key, one.id, one.name, one.why, KEEP, *also]
                    out.writerow([_shielded(cell) for cell in cells])
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def read_plan(path: Path, parser: Parser) -> Plan:
    """Read a plan.

    Args:
        path: Of the file.
        parser: Reads the new names.

    Raises:
        ConfigError: A line is broken, somebody is in it twice, or two people would get one key.
    """
    file = CsvLines(path)
    at = {name: file.column(name) for name in ("key", "id", "name", "keep")}
    place = file.column(NAMESPACE) if NAMESPACE in file.head else None
    lines: dict[tuple[str, str], Line] = {}
    firsts: dict[tuple[str, str], Line] = {}
    said: list[str] = []
    for number, fields in file:
        cells = {name: _bare(fields[index]) for name, index in at.items()}
        namespace = DEFAULT if place is None else _bare(fields[place])
        try:
            line = _line(number, namespace, cells, parser)
        except ValueError as error:
            said.append(f"line {number}: {error}")
            continue
        before = lines.setdefault((namespace, line.id), line)
        if before is not line:
            said.append(f"line {number}: the person {line.id!r} is in line {before.number} too")
        said += [
            f"line {number}: {what}, and so does line {other.number}"
            for key, what in _wanted(line)
            if (other := firsts.setdefault((namespace, key), line)) is not line
        ]
    keys = {(line.namespace, line.key) for line in lines.values()}
    said += [
        f"line {line.number}: the new name {str(line.to)!r} is one with those of the group"
        f" {line.to.key!r}; take another one"
        for line in lines.values()
        if line.to and (line.namespace, line.to.key) in keys
    ]
    if said:
        raise ConfigError(f"{path}: {_all(said)}")
    return Plan(lines)


def _line(number: int, namespace: str, cells: Mapping[str, str], parser: Parser) -> Line:
    """The line that these cells are.

    Raises:
        ValueError: They are none; the message says why.
    """
    keep, fixed = cells["keep"].strip(), (namespace, cells["key"], cells["id"], cells["name"])
    if not cells["id"] or not cells["key"]:
        raise ValueError("the column key or id is empty")
    if keep in (KEEP, FIRST):
        return Line(*fixed, first=keep == FIRST, number=number)
    if not keep.startswith(RENAME):
        raise ValueError(f"the column keep takes {KEEP}, {FIRST} or {RENAME}NEW, and has {keep!r}")
    try:
        return Line(*fixed, to=parser.parse(keep.removeprefix(RENAME)), number=number)
    except InvalidName as error:
        raise ValueError(f"{keep!r} names nothing that anybody new could have: {error}") from error


def _wanted(line: Line) -> Iterator[tuple[str, str]]:
    """The key that a line gives to somebody, if it does, and that in words."""
    if line.first:
        yield line.key, f"it makes somebody first of the group {line.key!r}"
    if line.to:
        yield line.to.key, f"it calls somebody {str(line.to)!r}"


def _all(said: list[str], most: int = 5) -> str:
    more = f"; and {len(said) - most} more" if len(said) > most else ""
    return "; ".join(said[:most]) + more


def _shielded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _bare(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell
