"""What dibs says of itself: logs that stay readable while something is down, and counters."""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence

JOINERS = "\u200c\u200d"


def root_of(error: BaseException) -> BaseException:
    """What it all began with: a driver's own error, which tells the most."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def counted(number: int, one: str, more: str) -> str:
    """A number with its word."""
    return f"{number:,} {one if number == 1 else more}"


def joined(words: Sequence[str]) -> str:
    """Words as they are listed in a sentence: `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def printable(name: str) -> str:
    """A name as a terminal takes it: what would steer it, or is half a character, is spelled out.

    A joiner is a letter's form in some languages, and stays.
    """
    return "".join(
        one if one.isprintable() or one in JOINERS else one.encode("unicode_escape").decode()
        for one in name
    )


class Sparse(logging.Filter):
    """Lets each kind of line through once a period, saying how many it held back.

    A database that is away for a minute would otherwise write a line a request.
    """

    def __init__(self, period: float = 60.0) -> None:
        super().__init__()
        self._period = period
        self._lock = threading.Lock()
        self._last: dict[object, float] = {}
        self._held: dict[object, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; kinds are told apart by text and first argument."""
        first = record.args[0] if isinstance(record.args, tuple) and record.args else None
        kind = (record.msg, str(first))
        now = time.monotonic()
        with self._lock:
            last = self._last.get(kind)
            if last is not None and now - last < self._period:
                self._held[kind] = self._held.get(kind, 0) + 1
                return False
            self._last[kind] = now
            held = self._held.pop(kind, 0)
        if held:
            record.msg = f"{record.msg} (and {held} more since the last such line)"
        return True


TAB = "\t"
MOST, NAMES = 16_384, 192 * 1024
"""How many numbers the counts of a process may be, and how many bytes their names."""

SIZE = 8 * MOST + NAMES
"""Bytes of memory that hold both."""

NOW = "now_"
"""What the names of numbers begin with that are states, and end with their process."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Up to which each count of a distribution of times goes."""

Key = str | tuple[str | int, ...]
"""The name of a count, or of a distribution with what tells it from others of its kind."""


class Counters:
    """Counts, for people and for metrics; nothing is decided by them.

    They stand in plain memory, which processes may share: numbers first, then a line for the name
    of each, with how many numbers are its own. One process writes it at a time, and the next one
    goes on where that ended, however it ended.

    Args:
        memory: `SIZE` bytes, all of them zero or written by another; of its own when absent.

    Attributes:
        is_read: Whether somebody tells them, so that what every request would pay for is counted.
    """

    is_read = False

    def __init__(self, memory: bytearray | memoryview | None = None) -> None:
        self.keep_in(bytearray(SIZE) if memory is None else memory)

    def keep_in(self, memory: bytearray | memoryview) -> None:
        """From now on count there, on top of what is there; what was counted so far is lost."""
        self._lock = threading.Lock()
        whole = memoryview(memory)
        self._numbers, self._names = whole[: 8 * MOST].cast("d"), whole[8 * MOST :]
        self._places: dict[Key, int] = {}
        self._lines: dict[str, int] = {}
        self._used = self._written = 0
        for key, at, width, ends in _lines(self._names):
            self._lines[_line(key, width)] = at
            self._used, self._written = at + width, ends
            if isinstance(key, str) and key.startswith(NOW):
                self._numbers[at] = 0

    def add(self, name: str, count: float = 1) -> None:
        """Count so many more."""
        if not count:
            return
        at = self._places.get(name)
        if at is None:
            at = self._place(name, 1)
        # No lock: CPython lets no other thread in within this, and a lock would cost as much again.
        numbers = self._numbers
        numbers[at] += count

    def put(self, name: str, number: float) -> None:
        """Say what a state is now; its name begins with `NOW`."""
        self._numbers[self._place(name, 1)] = number

    def measure(
        self, key: tuple[str | int, ...], value: float, bounds: tuple[float, ...] = SECONDS
    ) -> None:
        """Count one more in a distribution: up to the first bound that it does not exceed."""
        at = self._places.get(key)
        if at is None:
            at = self._place(key, len(bounds) + 2)
        numbers = self._numbers
        numbers[at + bisect_left(bounds, value)] += 1
        numbers[at + len(bounds) + 1] += value

    def _place(self, key: Key, width: int) -> int:
        """Where the numbers of a name are; if there is no room any more, where nobody reads."""
        line = _line(key, width)
        with self._lock:
            at = self._lines.get(line)
            if at is None:
                at = self._lines[line] = self._begin(line.encode(), width)
            self._places[key] = at
        return at

    def _begin(self, line: bytes, width: int) -> int:
        at, ends = self._used, self._written + len(line)
        if at + width > MOST - len(SECONDS) - 2 or ends >= NAMES:
            return MOST - len(SECONDS) - 2
        self._names[self._written : ends] = line
        self._names[ends] = ord("\n")  # last: a line without it is none, if this process dies here
        self._used, self._written = at + width, ends + 1
        return at

    def read(self) -> dict[str, float]:
        """All counts so far, without the distributions."""
        with self._lock:
            lines = dict(self._lines)
        return {
            line.removeprefix("1 "): self._numbers[at]
            for line, at in lines.items()
            if line.startswith("1 ")
        }


def _line(key: Key, width: int) -> str:
    return f"{width} {key if isinstance(key, str) else TAB.join(map(str, key))}"


def _lines(names: memoryview) -> Iterator[tuple[Key, int, int, int]]:
    """Each name in memory, where its numbers begin, how many they are, and where its line ends."""
    at = ends = 0
    for line in bytes(names).split(b"\n")[:-1]:
        width, text = line.decode().split(" ", 1)
        ends += len(line) + 1
        yield (text if width == "1" else tuple(text.split(TAB))), at, int(width), ends
        at += int(width)


def numbers_in(memory: memoryview) -> dict[Key, list[float]]:
    """What stands in memory that another process counts in, by name."""
    numbers, names = memory[: 8 * MOST].cast("d"), memory[8 * MOST :]
    return {
        key: [float(one) for one in numbers[at : at + width]] for key, at, width, _ in _lines(names)
    }


COUNTS = Counters()
"""Those of this process."""
