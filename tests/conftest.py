"""What all tests share: the databases, each started when the first test needs it."""

import gc
import os
from collections.abc import Generator, Iterator
from contextlib import suppress
from itertools import chain, zip_longest
from pathlib import Path

import pymysql.connections
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest.register_assert_rewrite("tests.support.contract")
with suppress(ImportError):  # the oldest versions are tested without it
    from hypothesis import HealthCheck, settings

    # How long an example takes says how busy the machine is, and nothing else; and tests that
    # draw names of their own share a database.
    CHECKS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    settings.register_profile("patient", deadline=None, suppress_health_check=CHECKS)
    settings.load_profile("patient")

from dibs.cache.redis import address, breaker  # noqa: E402  # after the rewrite is registered
from dibs.context import CacheTime  # noqa: E402
from dibs.store.names.store import NameStore  # noqa: E402
from tests.backends import BACKENDS, Backend, open_store  # noqa: E402
from tests.services import ServiceMissing  # noqa: E402
from tests.services.tools import TESTED  # noqa: E402
from tests.support import sharding  # noqa: E402
from tests.support.compiled import compile_once  # noqa: E402
from tests.support.programs import processes  # noqa: E402
from tests.support.verified import verify_once  # noqa: E402

GARBAGE = (20_000, 20, 50)
"""It is looked for so seldom: as often as Python does, it takes a twelfth of all processor time."""

os.environ[TESTED] = "1"
compile_once()
verify_once()
sharding.watch()
# PyMySQL reads the system's certificates for each connection: 30 ms of processor time. None here
# is made with TLS.
pymysql.connections.SSL_ENABLED = False


def missing(error: ServiceMissing) -> None:
    """Skips at a developer's desk, aloud (`-ra`); in CI a missing service is a failure."""
    if os.environ.get("CI"):
        pytest.fail(str(error))
    pytest.skip(str(error))


ELSEWHERE = ("browser", "test_schemathesis.py", "hosts", "clusters")
"""Folders and files that have a target of their own in the Makefile."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """No garbage is looked for among thousands of tests, which stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(*GARBAGE)
        gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What has a target of its own is tested only when it is named."""
    name = collection_path.name
    named = any(name in one for one in config.args)
    return True if name in ELSEWHERE and not named else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of many workers none shall be left with the slowest tests in the end: they come first.

    Those that wait for servers take turns with those that compute, file by file, so that neither
    all workers wait at once nor all compute.
    """
    if not hasattr(config, "workerinput"):
        return
    files: list[dict[Path, list[pytest.Item]]] = [{}, {}, {}]
    for item in items:
        waits = item.get_closest_marker("race") or item.get_closest_marker("fault")
        computes = item.get_closest_marker("slow")
        files[0 if waits else 1 if computes else 2].setdefault(item.path, []).append(item)
    waiting, *others = (list(one.values()) for one in files)
    turns = zip_longest(waiting, [*others[0], *others[1]], fillvalue=())
    items[:] = chain.from_iterable(chain.from_iterable(turns))


class Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Tests of one file on one database go to one worker: they share what is slow to make."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        return file + "".join(backend.name for backend in BACKENDS if backend.name in test)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    """Used by `pytest -n`, as in `make test`; without `-n` tests run one after the other."""
    return Together(config, log)


@pytest.fixture(scope="session", autouse=True)
def close_backends() -> Iterator[None]:
    processes()  # before there is a second thread
    yield
    for backend in BACKENDS:
        backend.close()


@pytest.fixture
def impatient() -> None:
    """For tests that are about how long Redis is waited for."""


@pytest.fixture(autouse=True)
def patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for Redis as long as it takes, in all other tests: machines are busy."""
    if "impatient" not in request.fixturenames:
        for module in (address, breaker):
            monkeypatch.setattr(module, "REPLY_SECONDS", 10.0)
        monkeypatch.setattr(CacheTime.__init__, "__defaults__", (30.0,))


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
def store(url: str) -> Iterator[NameStore]:
    store = open_store(url)
    yield store
    store.close()
