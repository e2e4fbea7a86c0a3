"""Every store passes the one contract."""

import pytest

from dibs.store import NameRow, Store
from dibs.store.names.store import SqlStore
from tests.contract.rows import put
from tests.support.contract import StoreContract
from tests.support.memory import MemoryStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    def put(self, store: Store, row: NameRow) -> None:
        assert isinstance(store, MemoryStore)
        store._names[row.namespace, row.key] = row


class TestSqlStore(StoreContract):
    def put(self, store: Store, row: NameRow) -> None:
        assert isinstance(store, SqlStore)
        put(store, row)
