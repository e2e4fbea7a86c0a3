"""What all tests share: the databases, each started when the first test needs it."""

import os
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("dibs.testing")

from dibs.store.sql import SqlStore  # noqa: E402  # after the rewrite is registered
from tests.backends import BACKENDS, Backend, open_store  # noqa: E402
from tests.services import ServiceMissing  # noqa: E402


def missing(error: ServiceMissing) -> None:
    """Skips at a developer's desk, aloud (`-ra`); in CI a missing service is a failure."""
    if os.environ.get("CI"):
        pytest.fail(str(error))
    pytest.skip(str(error))


@pytest.fixture(scope="session", autouse=True)
def close_backends() -> Iterator[None]:
    yield
    for backend in BACKENDS:
        backend.close()


@pytest.fixture(params=BACKENDS, ids=str)
def backend(request: pytest.FixtureRequest) -> Backend:
    """One of the list; a test for some of them only names these, with `indirect=True`."""
    chosen: Backend = request.param
    return chosen


@pytest.fixture
def url(backend: Backend) -> str:
    """A database with the tables of dibs and nothing in them."""
    try:
        return backend.shared()
    except ServiceMissing as error:
        missing(error)
        raise


@pytest.fixture
def empty_url(backend: Backend) -> Iterator[str]:
    """A database of this test's own, without any table."""
    try:
        url = backend.empty()
    except ServiceMissing as error:
        missing(error)
        raise
    yield url
    backend.drop(url)


@pytest.fixture
def own_url(backend: Backend) -> Iterator[str]:
    """A database of this test's own, with the tables, to be spoilt."""
    try:
        url = backend.migrated()
    except ServiceMissing as error:
        missing(error)
        raise
    yield url
    backend.drop(url)


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    store = open_store(url)
    yield store
    store.close()
