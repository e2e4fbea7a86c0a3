"""Every store passes the one contract."""

import pytest

from dibs.store import NameRow, NameStore
from tests.contract.rows import put
from tests.support.contract import StoreContract
from tests.support.memory import MemoryStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    def put(self, store: NameStore, row: NameRow) -> None:
        assert isinstance(store, MemoryStore)
        store._names[row.namespace, row.key] = row


def test_a_store_in_memory_does_all_anew() -> None:
    """It is a `NameStore` to whoever takes one; nothing in it may ask for a database."""
    public = {name for name in vars(NameStore) if not name.startswith("_")}
    assert public <= set(vars(MemoryStore))


class TestSqlStore(StoreContract):
    def put(self, store: NameStore, row: NameRow) -> None:
        put(store, row)
