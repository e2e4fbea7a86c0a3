"""People in a CSV file, read strictly: a line that is broken is named, not guessed at."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from dibs.errors import ConfigError

USUAL_NAMES = ("username", "name")
USUAL_ID = "id"

OTHER_SEPARATORS = (";", "\t", "|")
"""Of spreadsheets in some countries, and of databases; taken for a part of a column's name."""


class CsvLines:
    """The lines of a CSV file with a head, in UTF-8.

    Args:
        path: Of the file.

    Attributes:
        head: The names of its columns.

    Raises:
        ConfigError: It cannot be read, is empty, or names a column twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head = next(self._all(), (0, []))[1]
        if not self.head:
            raise ConfigError(f"{path} is empty: its first line is to name the columns")
        if twice := sorted({one for one in self.head if self.head.count(one) > 1}):
            raise ConfigError(f"{path} has more than one column {twice[0]!r}")

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Every line but the head, with the number of its first line in the file.

        Raises:
            ConfigError: A line is broken; the message has its number.
        """
        lines = self._all()
        next(lines)
        for number, fields in lines:
            if len(fields) != len(self.head):
                raise self.broken(
                    number, f"it has {len(fields)} fields, the first line has {len(self.head)}"
                )
            yield number, fields

    def column(self, name: str) -> int:
        """At which place of every line this column stands.

        Raises:
            ConfigError: There is none of this name.
        """
        if name not in self.head:
            said = f"{self.path} has no column {name!r}; its first line is {','.join(self.head)}"
            if others := [one for one in OTHER_SEPARATORS if one in self.head[0]]:
                said += f"; save the file with commas between the fields, instead of {others[0]!r}"
            raise ConfigError(said)
        return self.head.index(name)

    def broken(self, number: int, what: str) -> ConfigError:
        """The error that names a line and what is wrong there."""
        return ConfigError(f"{self.path}, line {number}: {what}")

    def _all(self) -> Iterator[tuple[int, list[str]]]:
        try:
            with self.path.open("rb") as file:
                reader, number = csv.reader(self._decoded(file), strict=True), 1
                try:
                    for fields in reader:
                        if fields:
                            yield number, fields
                        number = reader.line_num + 1
                except csv.Error as error:
                    raise self.broken(number, f"it is no CSV ({error})") from error
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}") from error

    def _decoded(self, lines: Iterator[bytes]) -> Iterator[str]:
        for number, raw in enumerate(lines, 1):
            try:
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise self.broken(number, "it is not UTF-8; save the file as UTF-8") from error


class CsvPeople:
    """The people in a CSV file.

    Args:
        path: Of the file.
        names: The column of their names. Default: `username`, or else `name`.
        ids: The columns that say who they are. Default: `id`.
        also: Further columns that are wanted of each.

    Attributes:
        where: The file.
        kind: What their names are owned by.

    Raises:
        ConfigError: The file cannot be read, or lacks a column.
    """

    kind = "user"

    def __init__(
        self, path: Path, names: str | None, ids: Sequence[str], also: Sequence[str] = ()
    ) -> None:
        self._lines, self.where = CsvLines(path), str(path)
        usual = next((one for one in USUAL_NAMES if one in self._lines.head), USUAL_NAMES[0])
        self._name = self._lines.column(names or usual)
        if len(ids) > 1:
            raise ConfigError("--id takes one column of a CSV file")
        self._id = self._lines.column(ids[0] if ids else USUAL_ID)
        self._also = [self._lines.column(one) for one in also]
        self._ids: set[str] = set()

    def pages(self) -> Iterator[list[tuple[str, object, object]]]:
        """Everybody, in the order of the file; an empty field is no name.

        Raises:
            ConfigError: A line is broken, or an id is missing or there twice.
        """
        seen: dict[str, int] = {}
        for number, fields in self._lines:
            owner = fields[self._id]
            if not owner:
                raise self._lines.broken(number, "it has no id")
            if (before := seen.setdefault(owner, number)) != number:
                raise self._lines.broken(number, f"the id {owner!r} is in line {before} too")
            yield [(owner, fields[self._name] or None, tuple(fields[at] for at in self._also))]

    def count(self) -> tuple[int, int]:
        """How many people there are; all of them have an id."""
        return sum(1 for _ in self._lines), 0

    def existing(self, owners: Collection[str]) -> set[str]:
        """Which of these ids are in the file."""
        self._ids = self._ids or {fields[self._id] for _, fields in self._lines}
        return self._ids & set(owners)

    def uniques(self) -> None:
        """A file does not say what keeps its names unique."""
