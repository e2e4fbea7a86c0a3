"""Whatever is done in whatever order, a store does what a dict would do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from dibs.store import Claim, Lost, NameStore, Won
from tests.backends import SQLITE, open_store
from tests.support.contract import a_claim, a_name, claim, release, soon
from tests.support.memory import MemoryStore

KEYS = st.sampled_from(("a", "A", "b"))
OWNERS = st.sampled_from(("ada", "bob", "eve"))
TOKENS = st.sampled_from([f"token{i}" for i in range(4)])
CLAIMS = st.builds(
    lambda key, owner, token: a_claim(key, owner=owner, token=f"{token}{owner}{key}"),
    *(KEYS, OWNERS, TOKENS),
)
# What PostgreSQL can hold: no NUL, and no half of a surrogate pair.
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200
)


@dataclass
class Held:
    """What a dict knows of a name."""

    version: int = 0
    by: Claim | None = None


class StoreMachine(RuleBasedStateMachine):
    """Claims, repeated claims, batches and releases against a dict of `Held`."""

    def __init__(self, store: NameStore) -> None:
        super().__init__()
        self.store = store
        self.model: dict[str, Held] = {}

    @rule(wanted=CLAIMS)
    def claim(self, wanted: Claim) -> None:
        self.expect(wanted, claim(self.store, wanted))

    @rule(batch=st.lists(CLAIMS, max_size=4))
    def claim_many(self, batch: list[Claim]) -> None:
        outcomes = self.store.claim_many(batch, deadline=soon())
        for wanted, outcome in zip(batch, outcomes, strict=True):
            self.expect(wanted, outcome)

    def expect(self, wanted: Claim, outcome: object) -> None:
        held = self.model.setdefault(wanted.username.key, Held())
        if held.by is None:
            held.by, held.version = wanted, held.version + 1
        assert isinstance(outcome, Won if held.by.token == wanted.token else Lost)
        row = outcome.row
        assert (row.owner, row.claim_token) == (held.by.owner, held.by.token)
        assert row.version == held.version

    @rule(key=KEYS, owner=OWNERS)
    def release(self, key: str, owner: str) -> None:
        held = self.model.get(key, Held())
        assert release(self.store, key, owner) is (held.by is not None and held.by.owner == owner)
        if held.by is not None and held.by.owner == owner:
            held.by, held.version = None, held.version + 1

    @rule()
    def find(self) -> None:
        found = self.store.find(["a", "A", "b"], deadline=soon())
        seen = {key: (row.version, row.owner, row.free) for key, row in found.items()}
        assert seen == {
            key: (held.version, held.by and held.by.owner, held.by is None)
            for key, held in self.model.items()
        }

    def teardown(self) -> None:
        self.store.close()


@contextmanager
def no_databases() -> Iterator[Callable[[], NameStore]]:
    yield MemoryStore


@contextmanager
def sqlite_databases() -> Iterator[Callable[[], NameStore]]:
    made: list[str] = []

    def fresh() -> NameStore:
        made.append(SQLITE.migrated())
        return open_store(made[-1], pool_size=1)

    yield fresh
    for url in made:
        SQLITE.drop(url)


@pytest.mark.parametrize(
    ("stores", "examples"),
    [(no_databases, 200), (sqlite_databases, 40)],
    ids=["memory", "sqlite"],
)
def test_a_store_does_what_a_dict_would_do(stores, examples) -> None:
    """Claims, retries, batches and releases in any order."""
    with stores() as fresh:
        run_state_machine_as_test(
            lambda: StoreMachine(fresh()),  # type: ignore[arg-type]  # it is only called
            settings=settings(max_examples=examples, stateful_step_count=25),
        )


@settings(max_examples=25)
@given(displays=st.lists(TEXT, min_size=1, max_size=20))
def test_any_text_comes_back_as_it_went_in(store, displays: list[str]) -> None:
    """Every character that the databases can hold survives the way in and out."""
    names = {uuid4().hex: display for display in displays}
    batch = [a_claim(a_name(key, display=display)) for key, display in names.items()]
    store.claim_many(batch, deadline=soon())
    found = store.find(list(names), deadline=soon())
    assert {key: row.display for key, row in found.items()} == names


@settings(max_examples=25)
@given(keys=st.lists(TEXT, min_size=1, max_size=20, unique=True))
def test_distinct_texts_are_distinct_keys(store, keys: list[str]) -> None:
    """No two keys are one to the database unless they are equal."""
    namespace = uuid4().hex
    batch = [a_claim(key, namespace=namespace) for key in keys]
    outcomes = store.claim_many(batch, deadline=soon())
    assert {type(outcome) for outcome in outcomes} == {Won}
    found = store.find(keys, namespace=namespace, deadline=soon())
    assert set(found) == set(keys)
