"""A model of a group of two, who both leave, beside somebody who wants their name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.model.model import Broken


class Group(NamedTuple):
    """Everything there is at one moment.

    Attributes:
        key: Who has the key: `group`, a member who was promoted, a claimer, or nobody.
        seats: Which members have a row of their own.
        lock: Who has the key's row locked.
        seen: Whom each of those who leave saw beside them.
        left: Who was told that they have left.
        granted: Whether the claimer was granted the name.
    """

    key: str = "group"
    seats: frozenset[str] = frozenset({"ann", "bob"})
    lock: str = ""
    seen: tuple[tuple[str, frozenset[str]], ...] = ()
    left: frozenset[str] = frozenset()
    granted: bool = False


def steps(world: Group, *, locks: bool) -> Iterator[Group]:
    """What may come next; `locks` says whether who leaves locks the key's row first."""
    for name in sorted({"ann", "bob"} - world.left):
        seen = dict(world.seen).get(name)
        if seen is not None:
            # The last one is promoted to the key; who has the key gives it up.
            key = "group" if len(seen) > 1 else next(iter(seen), "")
            seats = world.seats - {name, key}
            yield world._replace(key=key, seats=seats, left=world.left | {name}, lock="")
        elif not locks or not world.lock:
            others = world.seats - {name} if world.key == "group" else frozenset()
            lock = name if locks else ""
            yield world._replace(seen=(*world.seen, (name, others)), lock=lock)
    if world.key == "" and not world.lock:
        yield world._replace(key="claimer", granted=True)


def explore(*, locks: bool) -> int:
    """Try every order of all steps, and say how many different moments there were.

    Raises:
        Broken: A promise is not kept.
    """
    seen, waiting = {Group()}, [Group()]
    while waiting:
        for after in steps(waiting.pop(), locks=locks):
            for name in {"ann", "bob"} - after.left:
                if after.key != name and name not in after.seats:
                    raise Broken("nobody loses their name", after)
            if after.left == {"ann", "bob"} and after.key not in ("", "claimer"):
                raise Broken("the name is free once all have left", after)
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return len(seen)
