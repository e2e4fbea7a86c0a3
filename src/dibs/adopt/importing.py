"""People who are there already get their names: in bulk, in batches, as often as it takes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from dibs.adopt.people import Person, wrong_id
from dibs.adopt.plan import FIRST, RENAME
from dibs.context import acting_as
from dibs.errors import ConfigError, InvalidName, RulesReplaced, SchemaError, StoreUnavailable
from dibs.names import Parser, Username
from dibs.signals import announce
from dibs.store import schema
from dibs.store.database.dialects import UPGRADE, Kind, dialect_for
from dibs.store.database.transactions import RowVanished
from dibs.store.host.connection import BulkRun, HostRun
from dibs.store.models import NAME_TABLES
from dibs.store.names.adoption import (
    ACTOR,
    Adopted,
    Entry,
    Written,
    adopt,
    is_empty,
    read_members,
    rename,
    renamed_by_plan,
    take_back,
)
from dibs.store.names.groups import lock, name_first
from dibs.store.names.history import append
from dibs.store.names.reading import read
from dibs.store.records import NameRow

BATCH, PAGE = 5000, 1000
TRIES = 30
PAUSE_S = 0.1
UNDER_WAY = (
    "names are on their way to other rules, and nobody is imported meanwhile: `adopt rekey"
    " --status` says what ends that; then import again"
)

T = TypeVar("T")

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
        grouped: How many of both are in a group since.
        renamed: Who has another name by a plan, which the app's column does not say yet.
        left_out: Who has none, or by `rename_taken` keeps theirs in spite of the plan.
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
        batch: How many get their names in one transaction; fewer where one alone can write.
        progress: Is told after each batch.

    Raises:
        ConfigError: Names are on their way to other rules.
        SchemaError: The database is not set up for dibs.
        StoreUnavailable: The database cannot answer; batches before are kept, so begin again.
    """
    work = _Import(engine, kind, parser.without_memory(), decisions or {}, now)
    with engine.connect() as connection:
        if schema.is_new(connection):
            schema.write_rules(connection, parser.rules_version)
        schema.verify(connection, parser, tables=NAME_TABLES)
        if (phase := schema.phase_of(connection)).step:
            raise ConfigError(f"{UNDER_WAY}; {phase}")
    work.renamed = in_transaction(engine, partial(renamed_by_plan, kind=kind))
    work.written = Written() if in_transaction(engine, is_empty) else None
    stream, dialect = iter(people), dialect_for(engine.dialect.name)
    batch = min(batch, dialect.at_once)
    # The database works on one batch while Python reads and parses the next.
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(work.read, stream, batch)
        while page := ahead.result():
            ahead = reader.submit(work.read, stream, batch)
            began = time.monotonic()
            work.adopt(page)
            dialect.give_way(time.monotonic() - began)
            if progress is not None:
                progress(work.done)
    work.finish()
    return work.done


BREATH = 50
"""So many names are read in one go by the thread that reads ahead."""

Wish = tuple[Entry, Username]
"""Somebody with the name that they have, and the one that a plan gives them instead."""


@dataclass(slots=True)
class _Import:
    """A running import and its progress."""

    engine: Engine
    kind: str
    parser: Parser
    decisions: Decisions
    now: Now | None
    done: Imported = field(default_factory=Imported)
    renames: list[Wish] = field(default_factory=list)
    firsts: list[Entry] = field(default_factory=list)
    renamed: Mapping[tuple[str, str], str] = field(default_factory=dict)
    written: Written | None = None

    def read(self, people: Iterator[Person], batch: int) -> list[Entry | LeftOut]:
        """The next of these people who have a name, with it as a value; none at the end."""
        page: list[Entry | LeftOut] = []
        for one in islice(_named(people), batch):
            if len(page) % BREATH == 0:
                time.sleep(0)  # or the thread that has an answer would wait 5 ms for this one
            page.append(self._entry(one))
        return page

    def _entry(self, person: Person) -> Entry | LeftOut:
        if wrong_id(person.id):
            return LeftOut(person, "id")
        name: Any = person.name
        try:
            return Entry(self.parser.existing(name), person.id, person.namespace)
        except InvalidName as error:
            return LeftOut(person, error.reasons[0].code if error.reasons else error.code)

    def adopt(self, page: Sequence[Entry | LeftOut]) -> None:
        """Give a batch their names, in one transaction."""
        try:
            batch = in_transaction(self.engine, partial(self._adopt, page=page))
        except RulesReplaced as error:
            raise ConfigError(UNDER_WAY) from error
        done = self.done
        done.people += len(page)
        done.adopted += batch.adopted.new
        done.already += batch.adopted.already
        done.grouped += batch.adopted.grouped
        done.left_out += batch.left_out
        done.left_out += [LeftOut(_person(one), "taken") for one in batch.adopted.taken]
        done.renamed += batch.waiting
        self.renames += batch.renames
        self.firsts += batch.firsts

    def _adopt(self, run: HostRun, page: Sequence[Entry | LeftOut]) -> _Batch:
        batch = _Batch()
        if self.now is not None:
            page = list(self._as_now(self.now, run, page))
        entries = [one for one in page if isinstance(one, Entry)]
        batch.left_out += [one for one in page if isinstance(one, LeftOut)]
        if self.decisions or self.renamed:
            entries = [one for one in entries if self._is_open(one, batch)]
        # Where somebody else writes too, all are looked for from the first try that is lost: by
        # the next one people may have other names, which nobody has looked for either.
        written, self.written = self.written, None
        adopt(run, entries, self.kind, batch.adopted, written)
        self.written = written
        return batch

    def _is_open(self, one: Entry, batch: _Batch) -> bool:
        """Keep what a plan says of somebody; say whether they are to be given their name."""
        at, name = (one.namespace, one.owner), one.username.display
        if (called := self.renamed.get(at, name)) != name:
            # By a plan before, and the app does not say so yet.
            batch.adopted.already += 1
            batch.waiting.append(Renamed(_person(one), called))
            return False
        plan = self.decisions.get(at, "")
        if plan.startswith(RENAME):
            batch.renames.append((one, self.parser.existing(plan.removeprefix(RENAME))))
        elif plan == FIRST:
            batch.firsts.append(one)
        return True

    def _as_now(
        self, now: Now, run: HostRun, page: Sequence[Entry | LeftOut]
    ) -> Iterator[Entry | LeftOut]:
        read = {(who.namespace, who.id): (who, one) for one in page for who in [_person(one)]}
        for who in _named(now(run.connection, [who for who, _ in read.values()])):
            before, one = read.get((who.namespace, who.id), (None, None))
            yield one if one is not None and before == who else self._entry(who)

    def finish(self) -> None:
        """Once everybody has their name, do what the plan says of it."""
        for one, new in self.renames:
            if in_transaction(self.engine, partial(rename, old=one, new=new, kind=self.kind)):
                self.done.renamed.append(Renamed(_person(one), new.display))
            else:
                self.done.left_out.append(LeftOut(_person(one), "rename_taken"))
        for entry in self.firsts:
            make_first(self.engine, *entry.place, entry.owner)


@dataclass(slots=True)
class _Batch:
    adopted: Adopted = field(default_factory=Adopted)
    left_out: list[LeftOut] = field(default_factory=list)
    renames: list[Wish] = field(default_factory=list)
    waiting: list[Renamed] = field(default_factory=list)
    firsts: list[Entry] = field(default_factory=list)


def _person(one: Entry | LeftOut) -> Person:
    if isinstance(one, LeftOut):
        return one.person
    return Person(one.owner, one.username.display, one.namespace)


def _named(people: Iterable[Person]) -> Iterator[Person]:
    return (one for one in people if one.name is not None)


def in_transaction(engine: Engine, work: Callable[[HostRun], T]) -> T:
    """Do this and commit; start over if another transaction won.

    Raises:
        SchemaError: The database is not set up for dibs.
        StoreUnavailable: The database cannot answer, or it lost every time.
    """
    dialect = dialect_for(engine.dialect.name)
    theirs: type[Exception] = engine.dialect.loaded_dbapi.Error
    for _ in range(TRIES):
        try:
            with engine.connect() as connection, acting_as(ACTOR):
                if dialect.commits_at_once(connection.connection.driver_connection):
                    usual = connection.default_isolation_level
                    connection = connection.execution_options(isolation_level=usual)
                run = BulkRun(connection)
                dialect.begin_on(connection)
                done = work(run)
                connection.commit()
        except (DBAPIError, theirs, RowVanished) as error:
            lost = isinstance(error, RowVanished)
            kind = Kind.RESTART if lost else dialect.classify(error)
            if kind in (Kind.AWAY, Kind.REFUSED):
                raise StoreUnavailable from error
            if kind is Kind.SCHEMA:
                raise SchemaError(f"A table of dibs is missing: run `{UPGRADE}`.") from error
            if kind not in (Kind.RESTART, Kind.UNIQUE, Kind.TIMEOUT):
                raise
            time.sleep(PAUSE_S * random.random())  # noqa: S311  # so that two do not meet again
        else:
            announce(run.noted)
            return done
    raise StoreUnavailable


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


def find_groups(engine: Engine) -> Iterator[Group]:
    """All groups there are, by namespace and key.

    Raises:
        StoreUnavailable: The database cannot answer.
    """
    for (namespace, key), rows in groupby(_members(engine), key=lambda row: row.group):
        members = [Person(str(row.owner), row.display, namespace) for row in rows]
        place = namespace, key
        found = in_transaction(engine, partial(read, places={place}))
        first = found[place].owner if place in found else None
        yield Group(namespace, key, members, first)


def _members(engine: Engine) -> Iterator[NameRow]:
    namespace, after = "", ""
    while True:
        read = partial(read_members, namespace=namespace, after=after, limit=PAGE)
        page, namespace = in_transaction(engine, read)
        if not page and not namespace:
            return
        yield from page
        after = page[-1].key if page else ""


def make_first(engine: Engine, namespace: str, key: str, owner: str) -> bool:
    """Have a member of a group be found by its other spellings too; say whether they are one.

    Raises:
        StoreUnavailable: Nothing was changed.
    """

    def work(run: HostRun) -> bool:
        row, members = lock(run, (namespace, key))
        member = next((one for one in members if one.owner == owner), None)
        if row is None or row.state != "group" or member is None:
            return False
        if row.owner != owner:
            append(run, [name_first(run, row, member)])
        return True

    return in_transaction(engine, work)


def undo(
    engine: Engine,
    *,
    kind: str,
    users: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[NameRow]:
    """Take back what an import wrote and nobody has changed since.

    Args:
        engine: Of the database that holds the names.
        kind: Of owners.
        users: Whether they are users of the service; see `take_back`.
        progress: Is told how many names were taken back.

    Returns:
        The names whose rows have changed, as of their new versions: caches are to be told.

    Raises:
        StoreUnavailable: The database cannot answer; what was taken back stays so.
    """
    changed: list[NameRow] = []
    names, last = 0, ""
    while True:
        work = partial(take_back, kind=kind, after=last, limit=PAGE, users=users)
        undone, last = in_transaction(engine, work)
        names += undone.names
        changed += undone.rows
        if not last:
            return changed
        if progress is not None:
            progress(names)
