"""What an app has before dibs: whose name is theirs alone, whose is not, what breaks a rule.

Only reads. A million people take a few hundred bytes each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from dibs.adopt.people import Person, Source, wrong_id
from dibs.errors import InvalidName
from dibs.names import Parser, Username

Why = Literal["identical", "same_name", "lookalike"]

LONGEST_SHOWN = 100
"""Characters of a name that nobody can have; there are names of a megabyte."""

EXAMPLES = 5
"""Names that are kept for each rule that they break."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a group.

    Attributes:
        id: Who.
        name: As it was found.
        why: `identical` for one whose name somebody else has to the letter, `same_name` for
            another spelling of somebody's name, `lookalike` for one that only looks like others.
    """

    id: str
    name: str
    why: Why


@dataclass(frozen=True, slots=True)
class Group:
    """People whose names are one by now.

    Attributes:
        namespace: Within which they would be unique.
        key: What they have in common.
        members: In the order in which they were found.
    """

    namespace: str
    key: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Unkept:
    """Somebody whose name dibs cannot keep.

    Attributes:
        id: Who.
        name: The beginning of it.
        reasons: The codes of what is wrong.
    """

    id: str
    name: str
    reasons: tuple[str, ...]


@dataclass(slots=True)
class Audit:
    """What was found of some people.

    Attributes:
        where: The column or file.
        people: How many have a name.
        nameless: How many have none.
        left_out: How many rows have no id.
        groups: Those whose names are one, the largest first.
        kept: How many names break a rule for new ones, by its code, and some of them.
        broken: How many people have such a name.
        without_key: Those whose names dibs cannot keep.
        uniques: What keeps the column unique by itself; None of a file.
    """

    where: str
    people: int = 0
    nameless: int = 0
    left_out: int = 0
    broken: int = 0
    groups: list[Group] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    without_key: list[Unkept] = field(default_factory=list)
    uniques: list[str] | None = None

    @property
    def grouped(self) -> int:
        """How many people are in groups."""
        return sum(len(group.members) for group in self.groups)

    @property
    def alone(self) -> int:
        """How many have a name that collides with no other."""
        return self.people - self.grouped - len(self.without_key)

    @property
    def largest(self) -> int:
        """How many are in the largest group."""
        return max((len(group.members) for group in self.groups), default=0)

    @property
    def noticing(self) -> int:
        """How many would notice: those of groups, and those whose names cannot be kept."""
        return self.grouped + len(self.without_key)

    def groups_of(self, why: Why) -> int:
        """How many groups have a member for this reason."""
        return sum(any(one.why == why for one in group.members) for group in self.groups)

    def as_json(self) -> dict[str, Any]:
        """All of it, with the sums."""
        sums = {name: getattr(self, name) for name in ("grouped", "alone", "largest", "noticing")}
        return asdict(self) | sums


Watch = Callable[[Iterable[Person], int], Iterable[Person]]
"""Passes people on, and may show progress: the number is that of all rows."""


def audit(source: Source, watch: Watch = lambda people, _: people) -> Audit:
    """Look at everybody, and change nothing.

    Args:
        source: The people.
        watch: Sees each of them go by.

    Raises:
        ConfigError: A line of a file is broken.
        StoreUnavailable: The database cannot answer.
    """
    found = Audit(source.rows.where, uniques=source.rows.uniques())
    total, found.left_out = source.rows.count()
    people = watch(source.people(), total)
    found.groups = _groups(_keyed(people, source.parser, found), source.parser)
    return found


def _keyed(
    people: Iterable[Person], parser: Parser, found: Audit
) -> Iterable[tuple[Person, Username]]:
    """Those who can keep their names, each with their key; the audit records all others."""
    parser = parser.without_memory()
    for person in people:
        if person.name is None:
            found.nameless += 1
            continue
        found.people += 1
        name: Any = person.name
        try:
            username, broken = parser.parse(name), None
        except InvalidName as error:
            username, broken = None, error
        try:
            username = username or parser.existing(name)
        except InvalidName as error:
            _note(found, person, tuple(dict.fromkeys(one.code for one in error.reasons)))
            continue
        if wrong := wrong_id(person.id):
            _note(found, person, (wrong,))
            continue
        if broken:
            found.broken += 1
            for code in {one.code for one in broken.reasons}:
                found.kept[code] = found.kept.get(code, 0) + 1
                if len(shown := found.examples.setdefault(code, [])) < EXAMPLES:
                    shown.append(username.display)
        yield person, username


def _note(found: Audit, person: Person, reasons: tuple[str, ...]) -> None:
    name = person.name if isinstance(person.name, str) else repr(person.name)
    found.without_key.append(Unkept(person.id, name[:LONGEST_SHOWN], reasons))


def _groups(people: Iterable[tuple[Person, Username]], parser: Parser) -> list[Group]:
    """The groups among these, the largest first."""
    first: dict[str, dict[str, tuple[str, str]]] = {}
    more: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for person, username in people:
        one = person.id, username.display
        before = first.setdefault(person.namespace, {}).setdefault(username.key, one)
        if before is not one:
            more.setdefault((person.namespace, username.key), [before]).append(one)
    groups = [
        Group(namespace, key, _members(members, parser))
        for (namespace, key), members in more.items()
    ]
    return sorted(groups, key=lambda group: -len(group.members))


def _members(members: list[tuple[str, str]], parser: Parser) -> tuple[Member, ...]:
    canonical = [parser.existing(name).canonical for _, name in members]
    times, spellings = Counter(canonical), Counter(name for _, name in members)

    def why(name: str, form: str) -> Why:
        if spellings[name] > 1:
            return "identical"
        return "same_name" if times[form] > 1 else "lookalike"

    return tuple(
        Member(owner, name, why(name, form))
        for (owner, name), form in zip(members, canonical, strict=True)
    )
