"""What each answer costs in statements, as the database counts them.

BEGIN, COMMIT and the row of the user apart: the design's table of costs. The
MySQL family needs one locking read a claim, because its row counts lie.
"""

import pytest

from dibs.store.names.store import NameStore
from tests.backends import POSTGRESQL, Backend
from tests.contract.rows import put
from tests.contract.statements import statements
from tests.support.contract import a_claim, a_row, lose, soon, win

BY_ROW_COUNT = {"fresh": ["INSERT"], "taken": ["INSERT", "SELECT"]}
BY_LOCKING_READ = {"fresh": ["INSERT", "SELECT"], "taken": ["INSERT", "SELECT"]}


@pytest.fixture
def costs(backend: Backend) -> dict[str, list[str]]:
    return BY_LOCKING_READ if backend.name == "mariadb" else BY_ROW_COUNT


@pytest.mark.parametrize("user", [False, True])
def test_a_fresh_name_costs_one_statement(
    backend: Backend, store: NameStore, costs, user: bool
) -> None:
    """The INSERT itself says who won."""
    with statements(backend, store) as seen:
        win(store, a_claim("ada", user=user))
    assert seen == costs["fresh"]


def test_a_taken_name_costs_one_more_to_say_why(backend: Backend, store: NameStore, costs) -> None:
    """A loser is shown the row."""
    win(store, a_claim("ada"))
    with statements(backend, store) as seen:
        lose(store, a_claim("ada"))
    assert seen == costs["taken"]


def test_a_free_row_costs_one_more_to_take_over(backend: Backend, store: NameStore, costs) -> None:
    """One conditional UPDATE."""
    put(store, a_row("ada", "held", owner="o", expires_in_ms=-1000))
    with statements(backend, store) as seen:
        win(store, a_claim("ada"))
    assert seen == [*costs["taken"], "UPDATE"]


def test_a_look_up_costs_one_statement(backend: Backend, store: NameStore) -> None:
    """However many names: nothing around it, no BEGIN, no ping."""
    with statements(backend, store) as seen:
        store.find([f"n{i}" for i in range(100)], deadline=soon())
    assert seen == ["SELECT"]


def test_a_batch_costs_what_one_costs(backend: Backend, store: NameStore, costs) -> None:
    """One statement a table; on PostgreSQL one more for the short lock time-out."""
    short = ["SELECT"] if backend.name == "postgresql" else []
    with statements(backend, store) as seen:
        store.claim_many([a_claim(f"n{i}", user=True) for i in range(50)], deadline=soon())
    assert seen == short + costs["fresh"]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE dibs_names SET updated_at = clock_timestamp() WHERE name_key = :key",
        "DELETE FROM dibs_sessions WHERE id = :id AND expires_at > clock_timestamp()",
        "SELECT version FROM dibs_names WHERE owner = :owner ORDER BY name_key FOR UPDATE",
    ],
)
@pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)
def test_a_statement_that_shards_refuse_is_noticed(store: NameStore, sql: str) -> None:
    """Whatever test sends it."""
    with pytest.raises(AssertionError, match="clock_timestamp|primary key"):
        store.transactions.read(lambda run: run.rows(sql, {}), deadline=soon())
