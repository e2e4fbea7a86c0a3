"""A model of one name: two claimers, a release, a cache and a database, step by step.

Small enough that every order of its steps can be tried, however long each takes.
docs/why-it-holds.md says what it leaves out, and where in the code each of its rules is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Literal, NamedTuple

Rule = Literal["unique", "token", "rows stay", "told first", "tombstones", "versions", "late fills"]
"""What keeps names right: without any one of these there is an order in which they are not."""

FILL, DEADLINE, TOMBSTONE = 1, 1, 3
"""Ticks: how old a fill may be, how long a release may take, how long a tombstone stays.

In the product 2 s, some seconds and 60 s. Only that the last is longer than the other two
together matters.
"""

SENDINGS = 2
"""How often a claim is sent."""


class Row(NamedTuple):
    """The row of the name; `owner` is empty while it is free."""

    owner: str
    token: str
    version: int


class Entry(NamedTuple):
    """What the cache says; a tombstone is not `taken`, and ends after `left` ticks."""

    taken: bool
    version: int
    left: int = 0


class Fill(NamedTuple):
    """A row that was read `age` ticks ago, and is about to be put into the cache."""

    row: Row
    age: int = 0


class Claimer(NamedTuple):
    """Somebody who wants the name.

    Attributes:
        at: Their next step: `start`, `send`, `recall`, `learn`, or `done`.
        answer: What they were told.
        was_taken: Whether somebody else had the name at some moment since they asked.
        sendings: How often their claim may still be sent.
        fill: What they learnt from the database.
    """

    name: str
    at: str = "start"
    answer: str = ""
    was_taken: bool = False
    sendings: int = SENDINGS
    fill: Fill | None = None


class World(NamedTuple):
    """Everything there is at one moment.

    Attributes:
        late: Who sent a claim on a connection that was lost, and that may still arrive.
        release: The next step of Ann's release.
        version: Of the row that it releases.
        since: Ticks since it began.
        reader: What somebody who only looked is about to put into the cache.
    """

    claimers: tuple[Claimer, Claimer] = (Claimer("ann"), Claimer("bob"))
    row: Row | None = None
    cache: Entry | None = None
    late: frozenset[str] = frozenset()
    release: Literal["start", "change", "tell", "done"] = "start"
    version: int = 0
    since: int = 0
    reader: Fill | Literal["start", "done"] = "start"

    @property
    def owner(self) -> str:
        """Who has the name; empty while nobody does."""
        return self.row.owner if self.row else ""


class Broken(Exception):
    """A promise, and an order of steps in which it is not kept."""


class Model:
    """All that can happen, with or without one of the rules."""

    def __init__(self, without: Rule | None = None) -> None:
        self._without = without

    def explore(self) -> int:
        """Try every order of all steps, and say how many different moments there were.

        Raises:
            Broken: In one of them a promise is not kept.
        """
        came_from: dict[World, World | None] = {World(): None}
        waiting = deque(came_from)
        while waiting:
            world = waiting.popleft()
            for step in self._steps(world):
                after = _watched(step)
                if after not in came_from:
                    came_from[after] = world
                    waiting.append(after)
                    if promise := _broken_promise(after):
                        raise Broken(promise, _way_to(after, came_from))
        return len(came_from)

    def _steps(self, world: World) -> Iterator[World]:
        """What may come next."""
        yield _a_tick_later(world)
        for one in world.claimers:
            for after, changed in self._claim(world, one):
                yield _with(after, changed)
        if all(one.at == "send" for one in world.claimers):
            yield from self._together(world)
        for name in world.late:
            yield self._insert(world, name, is_late=True)._replace(late=world.late - {name})
        yield from self._release(world)
        if world.reader == "start" and world.row and world.row.owner:
            yield world._replace(reader=Fill(world.row))
        elif isinstance(world.reader, Fill):
            yield self._put(world, world.reader)._replace(reader="done")

    # --- claims ------------------------------------------------------------------

    def _claim(self, world: World, one: Claimer) -> Iterator[tuple[World, Claimer]]:
        match one.at:
            case "start" if world.cache and world.cache.taken:
                was_taken = world.owner not in ("", one.name)
                yield world, one._replace(at="done", answer="taken", was_taken=was_taken)
            case "start":
                yield world, one._replace(at="send")
            case "send":
                after = self._insert(world, one.name)
                yield after, self._told(world, after, one)
                lost = one._replace(at="recall", sendings=one.sendings - 1)
                yield after, lost  # it was done, and the reply lost
                yield world._replace(late=world.late | {one.name}), lost
            case "recall" if self._is_own(world.row, one.name):
                yield world, self._told(world, world, one)
            case "recall" if one.sendings:
                yield world, one._replace(at="send")
            case "recall":
                yield world, one._replace(at="done", answer="unknown")
            case "learn" if one.fill:
                yield self._put(world, one.fill), one._replace(at="done", fill=None)

    def _together(self, world: World) -> Iterator[World]:
        """Both claims in one transaction: its reply comes, or is lost, for both."""
        for first, second in (("ann", "bob"), ("bob", "ann")):
            after = self._insert(self._insert(world, first), second)
            told = lost = after
            for one in world.claimers:
                told = _with(told, self._told(world, after, one))
                lost = _with(lost, one._replace(at="recall", sendings=one.sendings - 1))
            yield told
            yield lost

    def _insert(self, world: World, name: str, *, is_late: bool = False) -> World:
        """INSERT ... ON CONFLICT DO NOTHING, and the UPDATE that takes over a free row.

        What comes late is the INSERT alone: the UPDATE is sent when its answer is known.
        """
        row = world.row
        if row is None or self._without == "unique":
            return world._replace(row=Row(name, name, 1 + (row.version if row else 0)))
        if row.owner or is_late:
            return world
        return world._replace(row=Row(name, name, row.version + 1))

    def _told(self, before: World, after: World, one: Claimer) -> Claimer:
        """A claimer who knows what the row says: it is theirs, or somebody has it."""
        is_own = after.owner == one.name and (
            after.row != before.row or self._is_own(after.row, one.name)
        )
        fill = Fill(after.row) if after.row else None
        return one._replace(at="learn", answer="granted" if is_own else "taken", fill=fill)

    def _is_own(self, row: Row | None, name: str) -> bool:
        return row is not None and row.token == name and self._without != "token"

    # --- Ann's release -------------------------------------------------------------

    def _release(self, world: World) -> Iterator[World]:
        row, tells_first = world.row, self._without != "told first"
        match world.release:
            case "start" if world.claimers[0].answer == "granted" and row:
                begun = world._replace(release="change", version=row.version)
                yield self._forget(begun) if tells_first else begun
            case "change" if row and world.since <= DEADLINE and row.version == world.version:
                freed = None if self._without == "rows stay" else Row("", "", row.version + 1)
                yield world._replace(row=freed, release="done" if tells_first else "tell", since=0)
                yield world._replace(release="done", since=0)  # the database did not answer
            case "change":
                yield world._replace(release="done", since=0)
            case "tell":
                yield self._forget(world)._replace(release="done")

    def _forget(self, world: World) -> World:
        """A tombstone: as of the version that the row gets, the database is asked."""
        if self._without == "tombstones":
            return world._replace(cache=None)
        return self._write(world, Entry(False, world.version + 1, TOMBSTONE))

    # --- the cache -------------------------------------------------------------------

    def _put(self, world: World, fill: Fill) -> World:
        is_late = fill.age > FILL and self._without != "late fills"
        if is_late or not fill.row.owner:
            return world
        return self._write(world, Entry(True, fill.row.version))

    def _write(self, world: World, entry: Entry) -> World:
        there = world.cache
        if there and there.version > entry.version and self._without != "versions":
            return world
        return world._replace(cache=entry)


def _with(world: World, one: Claimer) -> World:
    ann, bob = world.claimers
    return world._replace(claimers=(one, bob) if one.name == ann.name else (ann, one))


def _older(fill: Fill) -> Fill:
    return fill._replace(age=min(fill.age + 1, FILL + 1))


def _a_tick_later(world: World) -> World:
    cache = world.cache
    if cache and not cache.taken:
        cache = cache._replace(left=cache.left - 1) if cache.left > 1 else None
    for one in world.claimers:
        if one.fill:
            world = _with(world, one._replace(fill=_older(one.fill)))
    return world._replace(
        cache=cache,
        since=min(world.since + 1, DEADLINE + 1) if world.release == "change" else 0,
        reader=_older(world.reader) if isinstance(world.reader, Fill) else world.reader,
    )


def _watched(world: World) -> World:
    """Note for everybody who is asking that somebody else has the name now."""
    for one in world.claimers:
        if one.at not in ("start", "done") and world.owner not in ("", one.name):
            world = _with(world, one._replace(was_taken=True))
    return world


def _broken_promise(world: World) -> str | None:
    for one in world.claimers:
        has_left = one.name == "ann" and world.release != "start"
        if one.answer == "granted" and world.owner != one.name and not has_left:
            return "one holder"
        if one.answer == "taken" and not one.was_taken:
            return "no false taken"
        if one.answer == "taken" and world.owner == one.name:
            return "what was refused is not written later"
    return None


def _way_to(world: World, came_from: dict[World, World | None]) -> list[World]:
    way, before = [world], came_from[world]
    while before is not None:
        way.append(before)
        before = came_from[before]
    return way[::-1]
