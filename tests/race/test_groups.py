"""Groups that change at once: members leave, are promoted, spell anew; others claim or come."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from string import ascii_lowercase

import pytest
from sqlalchemy import Engine, create_engine

from dibs.adopt.importing import import_people
from dibs.adopt.people import Person
from dibs.names import Parser
from dibs.store import Claim, Failed, Lost, NameRow, NameStore, Won
from dibs.store.database.rows import name_row
from dibs.store.database.runs import Run
from dibs.store.names import groups
from dibs.store.names.moves import Rename
from dibs.store.names.quarantine import Quarantine
from tests.backends import POSTGRESQL, Backend, open_store
from tests.race.harness import at_once
from tests.support.contract import AN_HOUR_MS, claim, soon

pytestmark = pytest.mark.race

PARSER, KIND = Parser(), "users"
ROUNDS = 10
Members = dict[str, str]


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url, pool_size=8)
    yield engine
    engine.dispose()


@pytest.fixture
def stores(url: str) -> Iterator[Sequence[NameStore]]:
    stores = [open_store(url) for _ in range(4)]
    yield stores
    for store in stores:
        store.close()


def adopt(engine: Engine, members: Members, batch: int = 5000) -> None:
    people = [Person(owner, name) for owner, name in members.items()]
    import_people(engine, people, kind=KIND, parser=PARSER, batch=batch)


def all_rows(store: NameStore) -> list[NameRow]:
    sql = store.transactions.dialect.select_where("1 = 1")
    return store.transactions.read(
        lambda run: [name_row(row) for row in run.rows(sql, {})], deadline=soon()
    )


def assert_sound(store: NameStore) -> Counter[str]:
    """A group has two members or more, a key outside of groups has none; who owns how many."""
    rows = all_rows(store)
    members = Counter(row.group for row in rows if row.is_member and row.state == "owned")
    keys = {(row.namespace, row.key): row for row in rows if not row.is_member}
    for at, row in keys.items():
        left = members[at]
        assert left >= 2 if row.state == "group" else left == 0, (row, left)
    assert set(members) <= set(keys)
    return Counter(str(row.owner) for row in rows if row.state == "owned")


def release(store: NameStore, owner: str) -> bool:
    """Give all names of an owner back, whatever their keys are by then."""
    for _ in range(50):
        rows = store.names_of(KIND, owner, deadline=soon())
        if not rows:
            return True
        for row in rows:
            store.release(
                row.key, owner=owner, version=row.version, rest=Quarantine(0), deadline=soon()
            )
    return False


def a_name() -> str:
    return "".join(random.choices(ascii_lowercase, k=10))


def leave_at_once(
    engine: Engine, stores: Sequence[NameStore], spellings: Sequence[str], rounds: int = ROUNDS
) -> None:
    """All members of new groups leave at the same moment."""
    for _ in range(rounds):
        name = a_name()
        members = {f"{name}-{i}": spell for i, spell in enumerate(of(name, spellings))}
        adopt(engine, members)
        leaving: list[Callable[[], object]] = [
            partial(release, stores[i % len(stores)], owner) for i, owner in enumerate(members)
        ]
        at_once(leaving)
        owners = assert_sound(stores[0])
        assert not set(owners) & set(members)
        row = stores[0].find([PARSER.existing(name).key], deadline=soon())
        assert [one.state for one in row.values()] == ["free"]


def of(name: str, spellings: Sequence[str]) -> list[str]:
    change = {"low": str.lower, "up": str.upper, "title": str.title}
    return [change[one](name) for one in spellings]


def test_all_members_leave_at_once(engine: Engine, stores: Sequence[NameStore]) -> None:
    leave_at_once(engine, stores, ["low", "up"])
    leave_at_once(engine, stores, ["low", "up", "title"])


@pytest.mark.parametrize("backend", [POSTGRESQL], indirect=True, ids=str)
def test_without_a_lock_on_the_key_that_goes_wrong(
    backend: Backend, engine: Engine, stores: Sequence[NameStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the race before would see it."""
    del backend
    whole = groups.lock

    def unlocked(run: Run, group: tuple[str, str]) -> groups.Members:
        monkeypatch.setattr(run.dialect, "lock_rows", run.dialect.select_where)
        return whole(run, group)

    monkeypatch.setattr(groups, "lock", unlocked)
    with pytest.raises(AssertionError):
        leave_at_once(engine, stores, ["low", "up", "title"], rounds=100)


@pytest.mark.parametrize("fault", ["no promotion", "staff let in"])
def test_what_else_could_be_forgotten_is_seen(
    engine: Engine, stores: Sequence[NameStore], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "no promotion":
        monkeypatch.setattr(groups, "_promote", lambda run, row, last: [])
    else:
        is_open = NameRow.open_to

        def let_in(row: NameRow, wanted: Claim) -> bool:
            return wanted.by_staff or is_open(row, wanted)

        monkeypatch.setattr(NameRow, "open_to", let_in)
    with pytest.raises(AssertionError):
        claim_beside_promotion(engine, stores)


def claim_beside_promotion(engine: Engine, stores: Sequence[NameStore]) -> None:
    """One of two leaves, while others want the name: it is the other one's, before and after."""
    for _ in range(ROUNDS):
        name = a_name()
        adopt(engine, {f"{name}-1": name, f"{name}-2": name.upper()})
        wishes = [
            Claim(PARSER.existing(name.title()), KIND, f"x{i}", secrets.token_hex(8), by_staff=True)
            for i in range(4)
        ]
        jobs: list[Callable[[], object]] = [partial(release, stores[0], f"{name}-1")]
        jobs += [partial(claim, stores[i % len(stores)], wish) for i, wish in enumerate(wishes)]
        _, *outcomes = at_once(jobs)
        assert all(isinstance(outcome, Lost) for outcome in outcomes), outcomes
        assert assert_sound(stores[0])[f"{name}-2"] == 1
        row = stores[0].find([PARSER.existing(name).key], deadline=soon())
        assert [(one.state, one.owner) for one in row.values()] == [("owned", f"{name}-2")]


def test_claim_beside_a_promotion(engine: Engine, stores: Sequence[NameStore]) -> None:
    claim_beside_promotion(engine, stores)


def test_imports_beside_each_other_and_beside_sign_ups(
    engine: Engine, stores: Sequence[NameStore]
) -> None:
    """Everybody who was there keeps their name, and who got one meanwhile has it too."""
    dice = random.Random(7)
    bases = [f"person{i}q" for i in range(60)]
    members = {f"p{i}": name for i, name in enumerate(bases)}
    members |= {f"q{i}": name.upper() for i, name in enumerate(dice.sample(bases, 15))}
    wanted = [name.title() for name in dice.sample(bases, 30)]

    def sign_up(at: int) -> list[tuple[Claim, object]]:
        told: list[tuple[Claim, object]] = []
        for name in wanted[at::3]:
            wish = Claim(PARSER.existing(name), KIND, f"new-{name}", secrets.token_hex(8))
            told.append((wish, claim(stores[at], wish)))
        return told

    jobs: list[Callable[[], object]] = [partial(sign_up, at) for at in range(3)]
    jobs += [partial(adopt, engine, members, batch) for batch in (7, 11)]
    *answers, _, _ = at_once(jobs)
    outcomes = [one for told in answers if isinstance(told, list) for one in told]
    assert not [one for _, one in outcomes if isinstance(one, Failed)]
    winners = [wish.owner for wish, one in outcomes if isinstance(one, Won)]
    owners = assert_sound(stores[0])
    assert owners == Counter([*members, *winners])
    named = {row.owner: row.display for row in all_rows(stores[0]) if row.state == "owned"}
    assert {owner: named[owner] for owner in members} == members
    adopt(engine, members)
    assert assert_sound(stores[0]) == owners


def test_a_member_who_spells_anew_beside_one_who_leaves(
    engine: Engine, stores: Sequence[NameStore]
) -> None:
    rest = Quarantine(AN_HOUR_MS, remembered=True)
    for _ in range(ROUNDS):
        name = a_name()
        adopt(engine, {f"{name}-1": name, f"{name}-2": name.upper()})

        def spell(name: str = name) -> object:
            outcome = None
            while outcome is None:
                (row,) = stores[1].names_of(KIND, f"{name}-2", deadline=soon())
                wish = Claim(PARSER.existing(name.title()), KIND, f"{name}-2", secrets.token_hex(8))
                outcome = stores[1].rename(Rename(wish, row, rest), deadline=soon())
            return outcome

        jobs: list[Callable[[], object]] = [partial(release, stores[0], f"{name}-1"), spell]
        _, outcome = at_once(jobs)
        assert isinstance(outcome, Won)
        assert_sound(stores[0])
        row = stores[0].find([PARSER.existing(name).key], deadline=soon())
        assert [(one.owner, one.display) for one in row.values()] == [(f"{name}-2", name.title())]
