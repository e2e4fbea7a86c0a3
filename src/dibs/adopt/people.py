"""Who is there before dibs is."""

from __future__ import annotations

from dataclasses import dataclass

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
