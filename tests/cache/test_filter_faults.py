"""A database that stops, and a filter that lies: no name is lost, and none is given twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dibs.cache.filter.bloom import BloomFilter
from dibs.cache.filter.follower import FilterFile, Follower
from dibs.config import Settings
from dibs.errors import ConfigError, NameTaken
from dibs.names import RULES_VERSION, parse
from dibs.store import Budget
from dibs.store.schema import upgrade
from dibs.wiring import Parts, build
from tests.backends import SERVED, Backend, Served, open_store
from tests.cache.filters import (
    NOISE_S,
    SEEN_S,
    SPACE,
    answers,
    following,
    is_free,
    recipes,
    seconds_until,
    shelve,
)
from tests.conftest import missing
from tests.services import Server, ServiceMissing
from tests.support.contract import a_claim, soon, win
from tests.support.memory import a_feed


@pytest.fixture(params=SERVED, ids=str)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One that may be stopped: this test's own."""
    served = Served(request.param.kind)
    try:
        yield served.server
    except ServiceMissing as error:
        missing(error)
    finally:
        served.close()


@pytest.mark.fault
@pytest.mark.parametrize("fault", ["stopped", "frozen"])
def test_without_its_database_nothing_is_certainly_free(
    server: Server, tmp_path: Path, fault: str
) -> None:
    """From two seconds after the last answer until the first one after that."""
    url = server.create_database()
    upgrade(url)
    store = open_store(url, budget=Budget(3.0))
    with following(a_feed(store), tmp_path) as follower:
        seconds_until(partial(answers, follower))
        server.stop() if fault == "stopped" else server.freeze()
        assert seconds_until(lambda: not answers(follower)) < SEEN_S + NOISE_S
        server.start() if fault == "stopped" else server.thaw()
        assert seconds_until(partial(answers, follower)) < 5 + NOISE_S
        win(store, a_claim("ada"))
        assert seconds_until(lambda: not is_free(follower, "ada")) < SEEN_S + NOISE_S
    store.close()


@pytest.fixture
def parts(url: str, tmp_path: Path) -> Iterator[Parts]:
    """The service's parts, as the settings make them."""
    settings = Settings(
        database_url=url, home=str(tmp_path), strategy="membership_filter", password="off"
    )
    parts = build(settings)
    yield parts
    filter_of(parts).close()
    parts.store.close()


def filter_of(parts: Parts) -> Follower:
    follower: Follower = parts.registry._strategy._filter  # type: ignore[attr-defined]
    return follower


def test_a_filter_that_lies_gives_wrong_advice_and_no_name(
    backend: Backend, url: str, parts: Parts, tmp_path: Path
) -> None:
    """One that calls a taken name free: the constraint does not ask it."""
    win(parts.store, a_claim(parse("ada")))
    backend.execute("UPDATE dibs_names SET created_at = 0", url)
    clock, secret = a_feed(parts.store).moment()
    shelve(tmp_path, BloomFilter(recipes(secret), capacity=100, as_of=clock))
    seconds_until(partial(answers, filter_of(parts)))
    assert parts.registry.check(parse("Ada"), deadline=soon()) is None
    with pytest.raises(NameTaken):
        parts.registration.register("Ada", None, request=(b"test", b"1"), deadline=soon())


def test_a_live_check_of_a_new_name_asks_nobody(parts: Parts) -> None:
    """Neither cache nor database; and as soon as it is claimed here, it is taken."""
    seconds_until(partial(answers, filter_of(parts)))
    before = parts.cache.counters.read()
    assert parts.registry.check(parse("grace"), deadline=soon()) is None
    after = parts.cache.counters.read()
    assert after.get("cache_miss") == before.get("cache_miss")
    parts.registration.register("grace", None, request=(b"test", b"1"), deadline=soon())
    assert isinstance(parts.registry.check(parse("GRACE"), deadline=soon()), NameTaken)


def test_the_service_makes_the_filter_that_tests_make(parts: Parts, tmp_path: Path) -> None:
    """Same namespace, same rules, same folder."""
    seconds_until(partial(answers, filter_of(parts)))
    _, secret = a_feed(parts.store).moment()
    path = FilterFile(tmp_path, SPACE).path
    seconds_until(path.exists)
    assert BloomFilter.read(path.read_bytes(), recipes(secret)).count == 0
    assert (parts.settings.namespace, RULES_VERSION) == (SPACE, parts.store.parser.rules_version)


def test_without_the_extra_a_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "dibs.cache.filter.bloom", None)
    with pytest.raises(ConfigError, match=r"pip install 'dibs\[filter\]'"):
        build(Settings(home=str(tmp_path), strategy="membership_filter"))
