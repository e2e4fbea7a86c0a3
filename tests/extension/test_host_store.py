"""The store of names on a host's own engine: it passes the contract, and leaves nothing behind."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.pool import QueuePool, StaticPool

from dibs.context import Budget
from dibs.errors import StoreUnavailable
from dibs.names import Parser
from dibs.store import NameRow, NameStore
from dibs.store.database.engine import parse_url
from dibs.store.host.connection import NameTable
from dibs.store.host.transactions import HostStore, HostTransactions
from dibs.store.models import ALL_TABLES
from tests.backends import MARIADB, POSTGRESQL, SQLITE
from tests.contract.rows import put
from tests.support.contract import StoreContract, a_claim, soon, win
from tests.support.contract.claims import ClaimContract

pytestmark = pytest.mark.slow

BUDGET = Budget()
PATIENT = Budget(deadline=15)  # a batch of 1,200 in one statement takes a busy machine seconds


def host_store(engine: Engine, budget: Budget = BUDGET) -> HostStore:
    table = NameTable("default", {}, Parser())
    return HostStore(HostTransactions(engine, budget), table, tables=ALL_TABLES)


def begins_itself(engine: Engine) -> None:
    """As SQLAlchemy's documentation has it, for SAVEPOINTs."""

    @event.listens_for(engine, "connect")
    def leave_it_to_us(connection: Any, record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")


class OnHostsEngine:
    """On an engine with these options."""

    options: Mapping[str, Any] = MappingProxyType({})
    driver: str | None = None

    @pytest.fixture
    def store(self, url: str) -> Iterator[NameStore]:
        address = parse_url(url)
        if self.driver is not None:
            pytest.importorskip(self.driver.partition("+")[2])
            address = address.set(drivername=self.driver)
        engine = create_engine(address, **self.options)
        self.prepare(engine)
        yield host_store(engine, PATIENT)
        engine.dispose()

    def prepare(self, engine: Engine) -> None:
        """Add a host's own listeners."""

    def put(self, store: NameStore, row: NameRow) -> None:
        put(store, row)


class TestAsItComes(OnHostsEngine, StoreContract):
    pass


@pytest.mark.parametrize("backend", [SQLITE], ids=str, indirect=True)
class TestSqliteThatBeginsItself(OnHostsEngine, ClaimContract):
    def prepare(self, engine: Engine) -> None:
        begins_itself(engine)


class TestAutocommit(OnHostsEngine, ClaimContract):
    options = MappingProxyType({"isolation_level": "AUTOCOMMIT"})


@pytest.mark.parametrize("backend", [POSTGRESQL, MARIADB], ids=str, indirect=True)
class TestStrictestIsolation(OnHostsEngine, ClaimContract):
    options = MappingProxyType({"isolation_level": "SERIALIZABLE"})


@pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)
class TestPsycopg2(OnHostsEngine, StoreContract):
    driver = "postgresql+psycopg2"


@pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)
class TestPsycopg2Autocommit(OnHostsEngine, ClaimContract):
    driver = "postgresql+psycopg2"
    options = MappingProxyType({"isolation_level": "AUTOCOMMIT"})


SEEN = {
    "sqlite": ["PRAGMA busy_timeout", "PRAGMA synchronous"],
    "postgresql": [
        "SHOW statement_timeout",
        "SHOW lock_timeout",
        "SHOW idle_in_transaction_session_timeout",
        "SHOW transaction_isolation",
    ],
    "mysql": [
        "SELECT @@innodb_lock_wait_timeout",
        "SELECT @@session.tx_isolation",
        "SELECT @@max_statement_time",
        "SELECT @@autocommit",
    ],
}


@pytest.mark.parametrize("options", [{}, {"isolation_level": "AUTOCOMMIT"}], ids=["usual", "auto"])
def test_a_connection_goes_back_as_it_came(url: str, options: dict[str, Any]) -> None:
    """After a claim that is won, one that is lost, a look, and an error: the one of the pool."""
    engine = create_engine(
        parse_url(url), poolclass=QueuePool, pool_size=1, max_overflow=0, **options
    )

    def state() -> list[object]:
        with engine.connect() as connection:
            of_session = [connection.execute(text(s)).scalar() for s in SEEN[engine.dialect.name]]
            driver = connection.connection.driver_connection
            return [*of_session, id(driver), connection.get_isolation_level()]

    before, store = state(), host_store(engine)
    win(store, a_claim("ada"))
    assert state() == before
    store.claim(a_claim("ada"), deadline=soon())
    store.find(["ada"], deadline=soon())
    assert state() == before
    with pytest.raises(ZeroDivisionError):
        store.transactions.write(lambda run: 1 // 0, changed=bool, deadline=soon())
    assert state()[:-2] == before[:-2]
    store.close()
    assert state()[:-2] == before[:-2]
    engine.dispose()


def test_waits_are_bounded_in_each_transaction(url: str) -> None:
    """As on an engine of dibs' own; what a host has set lower stays."""
    asked = {
        "sqlite": "PRAGMA busy_timeout",
        "postgresql": "SELECT setting FROM pg_settings WHERE name = 'lock_timeout'",
        "mysql": "SELECT @@innodb_lock_wait_timeout * 1000",
    }
    engine = create_engine(parse_url(url))
    store = host_store(engine)
    sql = asked[engine.dialect.name]
    found = store.transactions.read(lambda run: run.rows(sql, {}), deadline=soon())
    assert int(found[0][0]) == 1000 * BUDGET.lock
    engine.dispose()


@pytest.mark.parametrize("backend", [SQLITE], ids=str, indirect=True)
def test_the_only_connection_is_not_taken_from_under_a_transaction(url: str) -> None:
    """To return it would undo what the host has not committed yet, silently."""
    engine = create_engine(url, poolclass=StaticPool)
    store = host_store(engine)
    with engine.connect() as hosts:
        hosts.execute(text("CREATE TABLE mine (id INTEGER)"))
        hosts.execute(text("INSERT INTO mine VALUES (1)"))
        with pytest.raises(StoreUnavailable):
            store.find(["ada"], deadline=soon())
        with pytest.raises(StoreUnavailable):
            store.claim(a_claim("ada"), deadline=soon())
        hosts.commit()
        assert hosts.execute(text("SELECT COUNT(*) FROM mine")).scalar() == 1
    win(store, a_claim("ada"))
    engine.dispose()
