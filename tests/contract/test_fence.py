"""Nothing is claimed by rules that are not in force: each claim asks the database itself.

Whoever changes the rules while servers run relies on it; see docs/rekey.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dibs.errors import RulesReplaced, StoreUnavailable
from dibs.names import RULES_VERSION
from dibs.store import Claim, Failed, Won
from dibs.store.names.moves import Transfer
from dibs.store.names.quarantine import FREE
from dibs.store.names.store import NameStore
from tests.backends import Backend
from tests.contract.rows import expire
from tests.support.contract import (
    AN_HOUR_MS,
    a_claim,
    a_name,
    a_rename,
    claim,
    release,
    soon,
    win,
)

OTHERS = {
    "another version": f"rules_version = {RULES_VERSION + 1}",
    "on their way to unknown ones": "phase = 'both', other_rules = 990",
}
BACK = f"UPDATE dibs_meta SET rules_version = {RULES_VERSION}, phase = NULL, other_rules = NULL"


class Doing:
    """Each way to a name, on rows that are there; a second call is another request."""

    def __init__(self, store: NameStore) -> None:
        self.store = store
        self.ada = win(store, a_claim("ada", user=True, password_hash="a hash"))
        self.eve = win(store, a_claim("eve", user=True))
        win(store, a_claim("over", lasts=AN_HOUR_MS))
        expire(store, "over")

    def taken(self, wanted: Claim) -> object:
        return self.store.claim(wanted, deadline=soon())

    def a_new_name(self) -> object:
        return self.taken(a_claim("new"))

    def a_user_with_a_password(self) -> object:
        return self.taken(a_claim("new", user=True, password_hash="a hash"))

    def many(self) -> object:
        outcomes = self.store.claim_many([a_claim("new"), a_claim("newer")], deadline=soon())
        errors = [one.error for one in outcomes if isinstance(one, Failed)]
        if errors:
            raise errors[0]
        return outcomes

    def a_name_that_is_free_again(self) -> object:
        return self.taken(a_claim("over"))

    def a_name_that_somebody_has(self) -> object:
        return self.taken(a_claim("ada"))

    def a_hold(self) -> object:
        return self.taken(a_claim("new", lasts=AN_HOUR_MS))

    def a_rename(self) -> object:
        return self.store.rename(a_rename(self.ada, "new"), deadline=soon())

    def another_spelling(self) -> object:
        wish = a_rename(self.ada, a_name("ada", display="ADA"))
        return self.store.rename(wish, deadline=soon())

    def a_transfer(self) -> object:
        wish = Transfer(self.ada, a_claim("new", owner=str(self.ada.owner)), self.eve, FREE)
        return self.store.transfer(wish, deadline=soon())


WAYS = [name for name in vars(Doing) if not name.startswith("_") and name != "taken"]


@pytest.fixture
def doing(backend: Backend, url: str, store: NameStore) -> Iterator[Doing]:
    yield Doing(store)
    backend.execute(BACK, url)


@pytest.mark.parametrize("others", OTHERS)
@pytest.mark.parametrize("way", WAYS)
def test_no_way_to_a_name(
    backend: Backend, url: str, doing: Doing, way: str, others: str, rows: Callable[[], object]
) -> None:
    """Refused with a sentence for the log, and nothing is written; once they are back, done."""
    before = rows()
    backend.execute(f"UPDATE dibs_meta SET {OTHERS[others]}", url)
    with pytest.raises(RulesReplaced, match="by other rules now"):
        getattr(doing, way)()
    assert rows() == before
    backend.execute(BACK, url)
    assert getattr(doing, way)()


def test_what_claims_nothing_goes_on(backend: Backend, url: str, doing: Doing) -> None:
    """Names are given up and found by any rules."""
    backend.execute(f"UPDATE dibs_meta SET {OTHERS['another version']}", url)
    assert release(doing.store, "eve", str(doing.eve.owner))
    assert set(doing.store.find(["ada"], deadline=soon())) == {"ada"}


def test_it_is_an_answer_of_the_database(backend: Backend, url: str, doing: Doing) -> None:
    """Its connection is as good as before, and the error is a 503 to whoever asks."""
    store = doing.store
    backend.execute(f"UPDATE dibs_meta SET {OTHERS['another version']}", url)
    generation = store.transactions.generation
    with pytest.raises(StoreUnavailable):
        store.claim(a_claim("new"), deadline=soon())
    backend.execute(BACK, url)
    assert isinstance(claim(store, a_claim("new")), Won)
    assert store.transactions.generation == generation


@pytest.fixture
def rows(backend: Backend, url: str) -> Callable[[], object]:
    return lambda: [
        backend.execute(f"SELECT COUNT(*), {last} FROM dibs_{table}", url)
        for table, last in (("names", "SUM(version)"), ("users", "0"), ("history", "0"))
    ]
