"""Servers that may be stopped, frozen and killed: these tests' own, never the shared ones."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from dibs.store.database.dialects import dialect_for
from dibs.store.database.dialects.base import Pooled
from dibs.store.database.rows import claim_params
from dibs.store.names.store import NameStore
from tests.backends import SERVED, Served, open_store
from tests.conftest import missing
from tests.fault.helpers import BUDGET
from tests.services import FaultProxy, Server, ServiceMissing
from tests.support.contract import a_claim


@pytest.fixture(scope="session", params=SERVED, ids=str)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    served = Served(request.param.kind)
    try:
        _ = served.server
    except ServiceMissing as error:
        missing(error)
    yield served
    served.close()


@pytest.fixture
def server(served: Served) -> Iterator[Server]:
    """A running server, put right again after whatever the test does to it."""
    yield served.server
    if served.server._process is None:
        served.server.start()
    served.server.thaw()


@pytest.fixture
def url(served: Served, server: Server) -> str:
    """A database of this test's own, since sessions of another may outlive it for a while."""
    return served.migrated()


@pytest.fixture
def store(url: str) -> Iterator[NameStore]:
    """Straight to the server."""
    store = open_store(url, budget=BUDGET)
    yield store
    store.close()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def pooled() -> Pooled:
    """What the proxy is taken for."""
    return "no"


@pytest.fixture
def via(server: Server, url: str, proxy: FaultProxy, pooled: Pooled) -> Iterator[NameStore]:
    """Through the proxy, with the same database behind it."""
    store = open_store(server.url_via(url, proxy.port), budget=BUDGET, pooled=pooled)
    yield store
    store.close()


@pytest.fixture
def stuck(url: str) -> Iterator[Connection]:
    """A transaction that has written the name `stuck`, and does not end."""
    engine = create_engine(url, poolclass=NullPool)
    insert = dialect_for(engine.dialect.name).insert(1, told=True)
    with engine.connect() as connection:
        connection.execute(text(insert), claim_params([a_claim("stuck")]))
        yield connection
