"""The people an app already has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dibs.names import Parser
from dibs.store.host.people import People, Record
from dibs.store.records import MAX_OWNER

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has a name already.

    Attributes:
        id: Which one, as the names table has owners.
        name: As it was found: a `str`, or whatever else the source has there.
        namespace: Within which it is theirs.
    """

    id: str
    name: object
    namespace: str = DEFAULT


def wrong_id(owner: str) -> str | None:
    """Why nobody with this id can own a name, as a code; None if they can."""
    if not 0 < len(owner) <= MAX_OWNER:
        return "id_too_long" if owner else "id_empty"
    return "id_not_text" if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in owner) else None


@dataclass(frozen=True, slots=True)
class Source:
    """People, and by which rules their names are read.

    Attributes:
        rows: Where they are.
        parser: Reads names.
        namespace: Within which their names are unique; None where each row says it.
    """

    rows: People
    parser: Parser
    namespace: str | None = DEFAULT

    def people(self) -> Iterator[Person]:
        """Everybody who has an id; the name of one who has none is None."""
        for page in self.rows.pages():
            yield from map(self.person, page)

    def person(self, record: Record) -> Person:
        """Somebody, as one row says."""
        owner, name, also = record
        return Person(owner, name, str(also) if self.namespace is None else self.namespace)
