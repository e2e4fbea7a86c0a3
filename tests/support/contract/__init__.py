"""The contract of a store, as a test suite that every implementation passes.

Make a subclass in a pytest file, give it a fixture `store` and a method `put`,
and pytest finds the rest::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self):
            return MyStore()

        def put(self, store, row): ...

Ask pytest for readable failures with
`pytest.register_assert_rewrite("tests.support.contract")` in a `conftest.py`, before this
module is imported.
"""

from __future__ import annotations

from tests.support.contract.claims import ClaimContract
from tests.support.contract.helpers import (
    AN_HOUR_MS,
    DISTINCT_KEYS,
    PATIENCE_S,
    SPELLINGS,
    a_claim,
    a_name,
    a_row,
    claim,
    kinds,
    look_up,
    lose,
    release,
    settled,
    soon,
    win,
)
from tests.support.contract.lives import LifeContract
from tests.support.contract.moves import MoveContract, a_rename
from tests.support.contract.users import UserContract

__all__ = [
    "AN_HOUR_MS",
    "DISTINCT_KEYS",
    "PATIENCE_S",
    "SPELLINGS",
    "StoreContract",
    "a_claim",
    "a_name",
    "a_rename",
    "a_row",
    "claim",
    "kinds",
    "look_up",
    "lose",
    "release",
    "settled",
    "soon",
    "win",
]


class StoreContract(ClaimContract, UserContract, LifeContract, MoveContract):
    """What every store promises. A subclass brings the fixture `store`, and `put`.

    Each test gets a store without names, users and old state.
    """
