"""What one claim costs, beside the bare INSERT that it cannot do without.

Within a group the number in brackets is the ratio to the fastest.
"""

from collections.abc import Iterator
from itertools import count

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from dibs.store.names.store import NameStore
from tests.backends import Backend
from tests.support.contract import a_claim, win

INSERT = """
    INSERT INTO dibs_names (namespace, name_key, canonical, display, rules_version, state,
                            owner_kind, owner, claim_token, version, created_at, updated_at)
    VALUES ('bench', {0}, {0}, {0}, 1, 'owned', 'user', {0}, {0}, 1, 0, 0)
"""
ROUNDS, WARM_UP = 1000, 20


@pytest.fixture
def names(backend: Backend, benchmark: BenchmarkFixture) -> Iterator[str]:
    """Names that nobody has, one after the other."""
    benchmark.group = backend.name
    return (f"name{i}" for i in count())


def run(benchmark: BenchmarkFixture, work: object, names: Iterator[str]) -> None:
    """Calls `work` with a new name each time."""
    benchmark.pedantic(  # type: ignore[no-untyped-call]
        work, setup=lambda: ((next(names),), {}), rounds=ROUNDS, warmup_rounds=WARM_UP
    )


def test_bare_insert(benchmark: BenchmarkFixture, store: NameStore, names: Iterator[str]) -> None:
    """The driver alone, on a connection of the store's own pool: one row, one durable commit."""
    connection = store.engine.raw_connection()
    mark = "?" if store.engine.dialect.name == "sqlite" else "%s"
    statement = INSERT.format(mark)

    def insert(name: str) -> None:
        cursor = connection.cursor()
        cursor.execute(statement, [name] * 5)
        cursor.close()

    run(benchmark, insert, names)
    connection.close()


def test_claim(benchmark: BenchmarkFixture, store: NameStore, names: Iterator[str]) -> None:
    """A name."""
    run(benchmark, lambda name: win(store, a_claim(name)), names)


def test_claim_with_its_user(
    benchmark: BenchmarkFixture, store: NameStore, names: Iterator[str]
) -> None:
    """A name and its user, as a registration writes them."""
    run(benchmark, lambda name: win(store, a_claim(name, user=True)), names)
