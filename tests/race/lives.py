"""Workers of a service on one database, of which many change names at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

from dibs.config import Settings
from dibs.errors import DibsError
from dibs.names import parse
from dibs.registry.holds import Held
from dibs.store import Deadline, NameRow
from dibs.store.accounts.users import Users
from dibs.store.names.store import NameStore
from dibs.wiring import Parts, build
from tests.support.contract import a_claim, look_up, soon, win

DAY_MS = 86_400_000
# A disk that others keep busy is not what is counted here.
DEADLINE_S = 30


class Worker:
    """One process of a service, as far as names go."""

    def __init__(self, url: str, **settings: Any) -> None:
        given = {"pool_size": 12, "renames": 1000, "deadline": DEADLINE_S} | settings
        self.parts: Parts = build(Settings(database_url=url, redis_url="", **given))
        self.store: NameStore = self.parts.store
        self.users = Users(self.store.transactions, "default")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.parts.close()

    def rename(self, row: NameRow, name: str) -> str:
        """What the owner of this row is told who wants another name."""
        ask = partial(self.parts.renames.rename, name, user_id=str(row.owner))
        return told(lambda: ask(deadline=later()))

    def transfer(self, name: str, to: str, instead: str) -> str:
        """What staff are told."""
        ask = partial(self.parts.renames.transfer, name, to=to, instead=instead)
        return told(lambda: ask(deadline=later()))

    def hold(self, name: str, source: str) -> Held | str:
        """The hold, or why there is none."""
        try:
            return self.parts.holds.hold(
                name, source=source, request=(), repeatable=False, deadline=later()
            )
        except DibsError as error:
            return error.code

    def register(self, name: str) -> str:
        """What somebody new is told."""
        claim = a_claim(parse(name), user=True)
        return told(lambda: self.parts.registry.claim(claim, deadline=later()))

    def delete(self, row: NameRow) -> bool:
        """Whether there was such a user."""
        return self.users.delete(str(row.owner), quarantine=DAY_MS, deadline=later())

    def row(self, name: str) -> NameRow | None:
        """That of a name, whoever has it."""
        return look_up(self.store, parse(name).key)

    def rested(self, row: NameRow) -> list[NameRow]:
        """What the owner of this row may take back."""
        owner = str(row.owner)
        return self.store.names_of("user", owner, state="quarantined", deadline=soon())

    def names_of(self, row: NameRow) -> list[str]:
        """What the owner of this row is called now."""
        rows = self.store.names_of("user", str(row.owner), deadline=soon())
        return [row.display for row in rows]


def later() -> Deadline:
    """When a client of the service stops waiting."""
    return Deadline.after(DEADLINE_S)


def told(ask: Callable[[], object]) -> str:
    """`done`, or the code of the refusal; what else is raised is a fault."""
    try:
        ask()
    except DibsError as error:
        return error.code
    return "done"


def a_user(worker: Worker, name: str) -> NameRow:
    """A new user with this name."""
    return win(worker.store, a_claim(parse(name), user=True))


def in_turn(workers: Sequence[Worker], number: int) -> list[Worker]:
    """So many, each worker as often as the others."""
    return [workers[i % len(workers)] for i in range(number)]
