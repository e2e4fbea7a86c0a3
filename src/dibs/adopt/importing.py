"""People who are there already get their names: in bulk, in batches, as often as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from dibs.adopt.people import Person
from dibs.names import Parser

BATCH = 5000

Decisions = Mapping[tuple[str, str], str]
"""What a plan says of people, by namespace and id: `keep`, `first`, or `rename:` and a name."""

Now = Callable[[Connection, Sequence[Person]], Iterable[Person]]
"""Reads these people again, in the transaction that gives them their names, and keeps their rows
as they are until its end. Who is gone, or has no name any more, is left out."""


class LeftOut(NamedTuple):
    """Somebody who could not be given their name, and the code of the reason."""

    person: Person
    code: str


class Renamed(NamedTuple):
    """Somebody to whom a plan has given another name; the app has to write it into its column."""

    person: Person
    became: str


@dataclass(slots=True)
class Imported:
    """What became of people.

    Attributes:
        people: How many were read.
        adopted: How many have their name from now on.
        already: How many had it before.
        grouped: How many of both are in a group.
        renamed: Who has another name by the plan.
        left_out: Who has none.
    """

    people: int = 0
    adopted: int = 0
    already: int = 0
    grouped: int = 0
    renamed: list[Renamed] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def import_people(
    engine: Engine,
    people: Iterable[Person],
    *,
    kind: str,
    parser: Parser,
    decisions: Decisions | None = None,
    now: Now | None = None,
    batch: int = BATCH,
    progress: Callable[[Imported], None] | None = None,
) -> Imported:
    """Put names into the hands of the people who have them, whatever the rules say of new ones.

    People whose names are one by now become a group, in which each keeps their own.

    Args:
        engine: Of the database that holds the names.
        people: In the order in which they are given their names.
        kind: Of owners: the table of a mapped class, or `user`.
        parser: Which names are one.
        decisions: What a plan says.
        now: Reads a batch again where people may change while this runs.
        batch: How many get their names in one transaction.
        progress: Is told after each batch.

    Raises:
        SchemaError: The database is not set up for dibs.
        StoreUnavailable: The database cannot answer; batches before are kept, so begin again.
    """
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Group:
    """People whose names are one.

    Attributes:
        members: Their ids and names, in the order of names.
        first: The id of the one who is found by other spellings too, if there is one.
    """

    namespace: str
    key: str
    members: Sequence[Person]
    first: str | None = None


def find_groups(engine: Engine) -> Iterable[Group]:
    """All groups there are, by namespace and key."""
    raise NotImplementedError


def make_first(engine: Engine, namespace: str, key: str, owner: str) -> bool:
    """Have a member of a group be found by its other spellings too; say whether they are one."""
    raise NotImplementedError


def undo(
    engine: Engine, *, kind: str, progress: Callable[[int], None] | None = None
) -> Sequence[tuple[str, str, int]]:
    """Take back what an import wrote and nobody has changed since.

    Returns:
        Namespace, key and version of the names that are nobody's now, for caches to be told.
    """
    raise NotImplementedError
