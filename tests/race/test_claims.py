"""Of all who ask at once exactly one gets the name, and the others are told who did."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from dibs.names import parse
from dibs.store import Claim, Failed, Lost, NameRow, Outcome, Won
from dibs.store.names.store import NameStore
from tests.backends import POSTGRESQL, Backend, open_store
from tests.contract.rows import put
from tests.race.harness import assert_one_winner, at_once, claim_at_once, claim_from_processes
from tests.support.contract import a_claim, a_row, kinds, look_up, release, soon, win

pytestmark = pytest.mark.race

# Case, width, composition: 12 ways to write one name.
SPELLINGS = [
    case(form)
    for case in (str.lower, str.upper, str.title)
    for form in ("zoës", "zoe\u0308s", "ｚｏëｓ", "zｏës")
]
assert len({parse(spelling).key for spelling in SPELLINGS}) == 1


@pytest.fixture
def stores(url: str) -> Iterator[list[NameStore]]:
    """Two workers of a service: what one process knows, the other does not."""
    stores = [open_store(url, pool_size=12) for _ in range(2)]
    yield stores
    for store in stores:
        store.close()


def by_id(owners: list[str | None]) -> list[str]:
    return sorted(owner for owner in owners if owner)


def users_of(store: NameStore) -> list[str]:
    return [user.id for user in store.users(limit=1000, after=None, deadline=soon())]


def someone(name: str, number: int, token: str | None = None) -> Claim:
    """Every second one has a password: on PostgreSQL her claim is a single statement."""
    password_hash = "$argon2id$..." if number % 2 else None
    return a_claim(name, token=token, user=True, password_hash=password_hash)


def test_one_of_many_threads_wins(stores: list[NameStore]) -> None:
    """Twenty-four threads, ten names, one winner each, and one user."""
    winners = []
    for name in "abcdefghij":
        outcomes = claim_at_once(stores, [someone(name, i) for i in range(24)])
        winners.append(assert_one_winner(outcomes).owner)
    assert users_of(stores[0]) == by_id(winners)


def test_one_of_many_processes_wins(url: str, store: NameStore) -> None:
    """Nothing that one process keeps in memory decides."""
    names = [f"n{i}" for i in range(40)]
    answers = claim_from_processes(url, names, processes=4)
    winners = [assert_one_winner(outcomes).owner for outcomes in answers]
    assert users_of(store) == by_id(winners)


def test_one_spelling_wins(stores: list[NameStore]) -> None:
    """Twelve spellings of one name are one name."""
    outcomes = claim_at_once(stores, [a_claim(parse(spelling)) for spelling in SPELLINGS])
    assert assert_one_winner(outcomes).display in SPELLINGS


def test_one_request_sent_many_times_at_once_wins_every_time(stores: list[NameStore]) -> None:
    """One token, one owner, one user, whichever copy came first."""
    token = "one-request"
    copies = [someone("ada", i, token) for i in range(12)]
    outcomes = settled(claim_at_once(stores, copies))
    assert kinds(outcomes) == [Won] * len(copies)
    assert len({outcome.row.owner for outcome in outcomes}) == 1
    assert users_of(stores[0]) == [outcomes[0].row.owner]


def test_batches_in_opposite_orders_do_not_deadlock(stores: list[NameStore]) -> None:
    """Everybody is answered, and each name has one winner."""
    keys = [f"n{i:03}" for i in range(60)]
    orders = [keys, keys[::-1], keys[30:] + keys[:30], keys[1::2] + keys[::2]]
    batches = [[a_claim(key, user=True) for key in order] for order in orders]
    answers = at_once(
        [
            partial(stores[i % 2].claim_many, batch, deadline=soon())
            for i, batch in enumerate(batches)
        ]
    )
    for key in keys:
        assert_one_winner([o for answer in answers for o in settled(answer) if o.row.key == key])


def test_an_expired_hold_is_taken_over_once(stores: list[NameStore]) -> None:
    """Thirty-two want it the moment it is free."""
    put(stores[0], a_row("ada", "held", owner="old", expires_in_ms=-1))
    row = assert_one_winner(claim_at_once(stores, [a_claim("ada") for _ in range(32)]))
    assert row.version == 8
    assert look_up(stores[0], "ada") == row


def test_release_against_claim(stores: list[NameStore]) -> None:
    """Whoever comes after the release may win, at most one, and never together with the owner."""
    for name in "abcdefgh":
        owner = a_claim(name)
        first = win(stores[0], owner)
        claims = [a_claim(name) for _ in range(8)]
        give_back = partial(release, stores[1], name, owner.owner)
        jobs: list[Callable[[], Any]] = [give_back, partial(claim_at_once, stores, claims)]
        released, outcomes = at_once(jobs)
        assert released is True
        assert_at_most_one_winner(first, outcomes, look_up(stores[0], name))


def assert_at_most_one_winner(
    first: NameRow, outcomes: list[Outcome | Failed], now: NameRow | None
) -> None:
    winners = [outcome.row for outcome in settled(outcomes) if isinstance(outcome, Won)]
    assert now is not None
    assert winners == ([now] if now.state == "owned" else [])
    assert now.version == 2 + len(winners)
    assert all(o.row in (first, now) for o in settled(outcomes) if isinstance(o, Lost))


def settled(outcomes: Sequence[Outcome | Failed]) -> list[Won | Lost]:
    assert not [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    return [outcome for outcome in outcomes if isinstance(outcome, (Won, Lost))]


@pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)
@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_one_winner_at_every_isolation_level(backend: Backend, own_url: str, level: str) -> None:
    """Losers that get 40001 run again and are told the truth; no error comes out."""
    database = own_url.rpartition("/")[2]
    setting = f"default_transaction_isolation = '{level}'"
    backend.execute(f"ALTER DATABASE {database} SET {setting}", own_url)
    store = open_store(own_url, pool_size=6)
    for i in range(200):
        assert_one_winner(claim_at_once([store], [someone(f"n{i}", j) for j in range(6)]))
    assert len(users_of(store)) == 200
    store.close()
