"""What each change of a name costs in statements, as the database counts them: all of them.

BEGIN and COMMIT apart, and with the user's row and the lines of the history. The table of
docs/life.md says the same; `test_the_docs_say_what_it_costs` compares them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from dibs.cache import NameFilter, TakenNames
from dibs.names import Parser
from dibs.registry import Registry
from dibs.registry.coherence import Coherence
from dibs.registry.renames import Renames
from dibs.store import NameRow, Won
from dibs.store.accounts.users import Users
from dibs.store.names.moves import Pace, Transfer
from dibs.store.names.quarantine import Quarantine
from dibs.store.names.store import NameStore
from dibs.strategies import STRATEGIES, Sources
from tests.backends import Backend
from tests.contract.statements import every_statement
from tests.support.contract import (
    AN_HOUR_MS,
    a_claim,
    a_name,
    a_rename,
    look_up,
    release,
    soon,
    win,
)

DOCS = Path(__file__).parents[2] / "docs" / "life.md"
RESTING = Quarantine(AN_HOUR_MS, remembered=True)


class Doing:
    """Each operation once, on names of its own."""

    def __init__(self, store: NameStore) -> None:
        self.store = store

    def user(self) -> NameRow:
        return win(self.store, a_claim(uuid4().hex, user=True, password_hash="a hash"))

    def held(self) -> NameRow:
        return win(self.store, a_claim(uuid4().hex, lasts=AN_HOUR_MS))

    def hold(self) -> Callable[[], object]:
        return lambda: win(self.store, a_claim("held", lasts=AN_HOUR_MS))

    def end_a_hold(self) -> Callable[[], object]:
        row = self.held()
        token = row.claim_token
        return lambda: self.store.free(row.key, state="held", token=token, deadline=soon())

    def register(self) -> Callable[[], object]:
        return lambda: win(self.store, a_claim("ada", user=True, password_hash="a hash"))

    def register_a_name_alone(self) -> Callable[[], object]:
        return lambda: win(self.store, a_claim("ada", user=True))

    def first_role(self) -> Callable[[], object]:
        row = win(self.store, a_claim("ada", user=True))
        return lambda: self.store.set_role(str(row.owner), "staff", deadline=soon())

    def register_with_a_hold(self) -> Callable[[], object]:
        row = self.held()
        return lambda: win(self.store, a_claim(row.key, hold=str(row.claim_token), user=True))

    def rename(self) -> Callable[[], object]:
        wish = a_rename(self.user(), "eve", pace=Pace())
        return lambda: self.store.rename(wish, deadline=soon())

    def rename_back(self) -> Callable[[], object]:
        old = self.user()
        now = self.store.rename(a_rename(old, uuid4().hex), deadline=soon())
        assert isinstance(now, Won)
        wish = a_rename(now.row, old.key, pace=Pace())
        return lambda: self.store.rename(wish, deadline=soon())

    def respell(self) -> Callable[[], object]:
        old = self.user()
        wish = a_rename(old, a_name(old.key, display=old.key.upper()), pace=Pace())
        return lambda: self.store.rename(wish, deadline=soon())

    def release(self) -> Callable[[], object]:
        row = self.user()
        return lambda: release(self.store, row.key, str(row.owner), rest=RESTING)

    def delete_a_user(self) -> Callable[[], object]:
        row, users = self.user(), Users(self.store.transactions, "default")
        return lambda: users.delete(str(row.owner), quarantine=AN_HOUR_MS, deadline=soon())

    def transfer(self) -> Callable[[], object]:
        one, other = self.user(), self.user()
        wish = Transfer(one, a_claim(uuid4().hex, owner=str(one.owner)), other, RESTING)
        return lambda: self.store.transfer(wish, deadline=soon())

    def ask_where_an_old_name_leads(self) -> Callable[[], object]:
        old = self.user()
        self.store.rename(a_rename(old, uuid4().hex), deadline=soon())
        strategy = STRATEGIES["unique_constraint"](Sources(self.store, TakenNames(), NameFilter()))
        renames = Renames(
            Registry(self.store, strategy, parser=Parser()),
            self.store,
            Coherence(self.store),
            quarantine=AN_HOUR_MS,
            redirects=True,
            pace=Pace(),
        )

        def ask() -> object:
            row = look_up(self.store, old.key)
            assert row is not None
            return renames.renamed_to(row, deadline=soon())

        return ask


# What is done, and how many statements that takes on each database.
COSTS = {
    "hold": (2, 2, 2),
    "end_a_hold": (3, 3, 3),
    "register": (2, 1, 3),
    "register_a_name_alone": (1, 1, 2),
    "first_role": (4, 4, 4),
    "register_with_a_hold": (5, 5, 5),
    "rename": (7, 6, 8),
    "rename_back": (9, 9, 9),
    "respell": (4, 4, 4),
    "release": (3, 3, 3),
    "delete_a_user": (10, 10, 10),
    "transfer": (10, 9, 11),
    "ask_where_an_old_name_leads": (2, 2, 2),
}
IN_THE_DOCS = {
    "Hold a name": "hold",
    "End a hold early": "end_a_hold",
    "Register with a password": "register",
    "Register a name alone": "register_a_name_alone",
    "Change a user who has only a name": "first_role",
    "Register with a hold": "register_with_a_hold",
    "Rename": "rename",
    "Take one's own old name back": "rename_back",
    "Another spelling of one's own name": "respell",
    "Release a name": "release",
    "Delete a user with one name": "delete_a_user",
    "Transfer a name": "transfer",
    "Ask where an old name leads": "ask_where_an_old_name_leads",
}
DATABASES = ("sqlite", "postgresql", "mariadb")


@pytest.mark.parametrize("what", COSTS)
def test_what_it_costs(backend: Backend, store: NameStore, what: str) -> None:
    """Exactly; and it was done."""
    do = getattr(Doing(store), what)()
    with every_statement(backend, store) as seen:
        assert do()
    expected = COSTS[what][DATABASES.index(backend.name)]
    assert len(seen) == expected, Counter(seen)


def test_the_docs_say_what_it_costs() -> None:
    """Row by row."""
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \| (\d+) \|$", DOCS.read_text(), re.MULTILINE)
    told = {what: tuple(map(int, costs)) for what, *costs in rows}
    assert told == {what: COSTS[key] for what, key in IN_THE_DOCS.items()}
    assert set(IN_THE_DOCS.values()) == COSTS.keys()
