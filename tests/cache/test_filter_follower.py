"""How a worker's filter learns of names, from every database, and when it holds its tongue."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

import dibs.cache.filter.bloom
import dibs.cache.filter.follower
from dibs.cache.filter.bloom import BloomFilter, Build, Feed
from dibs.cache.filter.follower import FilterFile, SyncedFilter
from dibs.config import load
from dibs.errors import StoreUnavailable
from dibs.names import parse
from dibs.store import Budget
from dibs.store.names.reading import Listing
from dibs.store.names.store import NameStore
from dibs.wiring import build, create_tables
from tests.cache.filters import (
    NOISE_S,
    SEEN_S,
    SPACE,
    Noting,
    answer_elsewhere,
    answers,
    built,
    claim_all,
    claim_elsewhere,
    following,
    is_free,
    recipes,
    seconds_until,
    shelve,
)
from tests.race.harness import in_processes
from tests.support.contract import a_claim, soon, win
from tests.support.memory import MemoryListing, MemoryStore, a_feed

AN_HOUR_MS = 3_600_000


def test_nothing_is_free_before_the_first_answer(tmp_path: Path) -> None:
    """Nor in any other namespace, ever."""
    gate = threading.Event()

    class Waiting(MemoryListing):
        def moment(self) -> tuple[int, str]:
            gate.wait()
            return super().moment()

    with following(Waiting(MemoryStore()), tmp_path) as follower:
        assert not answers(follower)
        gate.set()
        seconds_until(partial(answers, follower))
        assert follower.certainly_free(["ada"], namespace="another") == set()


def test_names_that_are_there_are_known(store: NameStore, tmp_path: Path) -> None:
    claim_all(store, ["ada", "bob"])
    with following(a_feed(store), tmp_path) as follower:
        seconds_until(partial(answers, follower))
        assert follower.certainly_free(["ada", "bob", "eve"], namespace=SPACE) == {"eve"}
        read = follower._counters.read()
        assert (read["filter_maybe"], read["filter_free"] >= 1) == (2, True)


def test_another_process_is_heard_within_two_seconds(
    store: NameStore, url: str, tmp_path: Path
) -> None:
    with following(a_feed(store), tmp_path) as follower:
        seconds_until(partial(answers, follower))
        assert is_free(follower, "ada")
        in_processes(partial(claim_elsewhere, url, "ada"), 1)
        assert seconds_until(lambda: not is_free(follower, "ada")) < SEEN_S
        assert answers(follower)


def test_ones_own_name_is_known_at_once(tmp_path: Path) -> None:
    """Before it has a row: nobody who sees it granted is told that it is free."""
    with following(a_feed(MemoryStore()), tmp_path) as follower:
        seconds_until(partial(answers, follower))
        follower.add("ada", namespace=SPACE)
        assert not is_free(follower, "ada")


def test_ones_own_name_survives_a_change_of_filters(tmp_path: Path) -> None:
    """The new one may have been read before the row was there."""
    with following(a_feed(MemoryStore()), tmp_path) as follower:
        seconds_until(partial(answers, follower))
        follower.add("ada", namespace=SPACE)
        before = follower._current
        shelve(tmp_path, built(follower._feed))
        seconds_until(lambda: follower._current is not before)
        assert answers(follower)
        assert not is_free(follower, "ada")


def test_a_restart_reads_the_file_and_catches_up(
    store: NameStore, url: str, tmp_path: Path
) -> None:
    """Names that were claimed meanwhile are known before the first answer."""
    with following(a_feed(store), tmp_path) as follower:
        seconds_until(partial(answers, follower))
    in_processes(partial(claim_elsewhere, url, "ada"), 1)
    feed = Restarted(store)
    with following(feed, tmp_path) as follower:
        assert seconds_until(partial(answers, follower)) < 1 + NOISE_S
        assert not is_free(follower, "ada")
        assert feed.pages == 0


class Restarted(Listing):
    """Counts the pages of a build, of which a restart needs none."""

    def __init__(self, store: NameStore) -> None:
        super().__init__(store.transactions, SPACE, Budget())
        self.pages = 0

    def keys(self, *, after: str, limit: int) -> list[str]:
        self.pages += 1
        return super().keys(after=after, limit=limit)


# --- names that arrive during a build ---------------------------------------


def test_names_that_arrive_during_a_build_are_known_after_it(store: NameStore) -> None:
    """Behind the page that is being read, in front of it, and from before it began."""
    claim_all(store, [f"m{i}" for i in range(20)])
    feed = a_feed(store)
    with open_transaction(store, "aaa-slow") as commit:
        clock, secret = feed.moment()
        build = Build(feed, recipes(secret), as_of=clock, page=5)
        for _ in range(2):
            assert build.step()
        commit()
        claim_all(store, ["aaa-behind", "zzz-in-front"])
        while build.step():
            pass
    assert "aaa-behind" not in build.known
    asked = time.monotonic()
    followed = SyncedFilter(build.known, 6.0)
    followed.catch_up(feed, feed.moment()[0], asked)
    assert followed.is_fresh()
    assert all(key in build.known for key in ("aaa-slow", "aaa-behind", "zzz-in-front", "m7"))


class open_transaction:  # noqa: N801  # it reads as a function
    """A claim whose row was made, and is not yet there for others."""

    def __init__(self, store: NameStore, key: str) -> None:
        self._store, self._key = store, key

    def __enter__(self):
        self._connection = self._store.engine.connect()
        clock = self._store.transactions.dialect.clock
        self._connection.execute(text(self._store.transactions.dialect.begin))
        self._connection.execute(
            text(
                "INSERT INTO dibs_names (namespace, name_key, canonical, display, rules_version,"
                " state, version, created_at, updated_at) VALUES"
                f" ('default', :key, :key, :key, 1, 'owned', 1, {clock}, {clock})"
            ),
            {"key": self._key},
        )
        return lambda: self._connection.execute(text("COMMIT"))

    def __exit__(self, *error: object) -> None:
        self._connection.close()


def test_many_new_names_come_in_pages(monkeypatch: pytest.MonkeyPatch, store: NameStore) -> None:
    monkeypatch.setattr(dibs.cache.filter.follower, "NEW_PAGE", 7)
    feed = a_feed(store)
    known = built(feed)
    keys = [f"n{i}" for i in range(50)]
    claim_all(store, keys)
    SyncedFilter(known, 6.0).catch_up(feed, feed.moment()[0], time.monotonic())
    assert all(key in known for key in keys)


def test_a_clock_that_is_put_back_hides_nothing() -> None:
    """What is made after it was has an older time than what was seen before."""
    feed = Scripted()
    followed = SyncedFilter(BloomFilter(recipes("secret"), capacity=10, as_of=0), 6.0)
    followed._next_sweep = float("inf")
    followed.catch_up(feed, 1_000_000, time.monotonic())
    followed.catch_up(feed, 400_000, time.monotonic())
    followed.catch_up(feed, 400_500, time.monotonic())
    assert feed.since == [-6_000, 394_000, 394_000]


def test_the_whole_overlap_is_read_from_where_it_was_read_last() -> None:
    """A row that came late between two such polls lies before what the short ones read."""
    feed = Scripted()
    followed = SyncedFilter(BloomFilter(recipes("secret"), capacity=10, as_of=0), 6.0)
    for clock, next_sweep in ((1_000_000, 0.0), (1_010_000, float("inf")), (1_020_000, 0.0)):
        followed._next_sweep = next_sweep
        followed.catch_up(feed, clock, time.monotonic())
    assert feed.since == [-60_000, 994_000, 940_000]


class Scripted:
    """A feed that is never new."""

    def __init__(self) -> None:
        self.since: list[int] = []

    def moment(self) -> tuple[int, str]:
        return 0, "secret"

    def count(self, *, after: str, limit: int) -> tuple[int, str]:
        return 0, after

    def keys(self, *, after: str, limit: int) -> Sequence[str]:
        return []

    def new_keys(self, *, since: int, after: str, limit: int) -> Sequence[tuple[int, str]]:
        self.since.append(since)
        return []


def test_a_build_goes_on_after_a_failure() -> None:
    """With the page that it did not get."""
    store = MemoryStore()
    claim_all(store, "abcdefg")
    feed = Stumbling(store)
    build = Build(feed, recipes("secret"), as_of=0, page=2)
    while True:
        try:
            if not build.step():
                break
        except StoreUnavailable:
            continue
    assert (feed.failures > 4, build.total, build.known.count) == (True, 7, 7)


class Stumbling(MemoryListing):
    """Fails every other time."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.failures = 0
        self._fails = False

    def count(self, *, after: str, limit: int) -> tuple[int, str]:
        self._stumble()
        return super().count(after=after, limit=limit)

    def keys(self, *, after: str, limit: int) -> list[str]:
        self._stumble()
        return super().keys(after=after, limit=limit)

    def _stumble(self) -> None:
        self._fails = not self._fails
        if self._fails:
            self.failures += 1
            raise StoreUnavailable


# --- made anew --------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dibs.cache.filter.bloom, "LEAST_CAPACITY", 100)


@pytest.mark.usefixtures("small")
def test_growth_beyond_its_capacity_has_it_made_anew(tmp_path: Path) -> None:
    store = MemoryStore()
    with following(a_feed(store), tmp_path) as follower:
        seconds_until(partial(answers, follower))
        claim_all(store, [f"n{i}" for i in range(200)])
        seconds_until(lambda: follower._current and follower._current.known.capacity == 300)
        assert not is_free(follower, "n7")


def aged(feed: Feed, folder: Path, hours: float) -> int:
    """Leaves a filter that was made that long ago; returns when."""
    as_of = feed.moment()[0] - int(hours * AN_HOUR_MS)
    shelve(folder, built(feed, as_of=as_of))
    return as_of


def test_after_an_hour_it_is_made_anew(tmp_path: Path) -> None:
    """And used until then."""
    feed = a_feed(MemoryStore())
    as_of = aged(feed, tmp_path, 1.5)
    with following(feed, tmp_path) as follower:
        seconds_until(partial(answers, follower))
        seconds_until(lambda: follower._current and follower._current.known.as_of > as_of)
        assert answers(follower)


def test_what_is_too_old_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    feed = a_feed(MemoryStore())
    aged(feed, tmp_path, 3)
    monkeypatch.setattr(Build, "step", lambda _: True)  # never done
    with following(feed, tmp_path) as follower:
        assert not answers(follower)
        seconds_until(lambda: follower._work)  # what comes after a look at the file
        assert follower._current is None


def test_a_newer_file_is_taken_over(store: NameStore, tmp_path: Path) -> None:
    """As `dibs filter rebuild` writes it."""
    feed = a_feed(store)
    with following(feed, tmp_path) as follower:
        seconds_until(partial(answers, follower))
        newer = built(feed)
        shelve(tmp_path, newer)
        seconds_until(lambda: follower._current and follower._current.known.as_of == newer.as_of)
        assert answers(follower)


def test_two_processes_make_one_filter(store: NameStore, url: str, tmp_path: Path) -> None:
    claim_all(store, ["ada"])
    in_processes(partial(answer_elsewhere, url, tmp_path), 2)
    assert Noting(tmp_path, SPACE).notes.read_text() == "1\n"


def test_without_a_folder_it_is_kept_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And that is said once."""
    (tmp_path / "file").touch()
    with following(a_feed(MemoryStore()), tmp_path / "file" / "home") as follower:
        seconds_until(partial(answers, follower))
    said = [record.message for record in caplog.records if record.name == "dibs.filter"]
    assert len([one for one in said if "in memory alone" in one]) == 1


# --- holding its tongue -----------------------------------------------------


class Failing(Scripted):
    """A feed whose database may be away."""

    away: Exception | None = None

    def moment(self) -> tuple[int, str]:
        if self.away:
            raise self.away
        return super().moment()


@pytest.mark.parametrize("error", [StoreUnavailable(), RuntimeError("a bug")], ids=["away", "bug"])
def test_what_it_has_not_heard_for_two_seconds_it_does_not_say(
    tmp_path: Path, error: Exception
) -> None:
    feed = Failing()
    with following(feed, tmp_path) as follower:
        seconds_until(partial(answers, follower))
        feed.away = error
        assert seconds_until(lambda: not answers(follower)) < SEEN_S + NOISE_S
        feed.away = None
        assert seconds_until(partial(answers, follower)) < 1 + NOISE_S


def test_a_thread_that_hangs_is_as_if_it_was_not_there(tmp_path: Path) -> None:
    hangs, feed = threading.Event(), Scripted()
    with following(feed, tmp_path) as follower:
        seconds_until(partial(answers, follower))
        feed.moment = lambda: (hangs.wait(), (0, "secret"))[1]  # type: ignore[method-assign]
        assert seconds_until(lambda: not answers(follower)) < SEEN_S + NOISE_S
        hangs.set()
        seconds_until(partial(answers, follower))


def test_another_database_is_another_filter(tmp_path: Path) -> None:
    """One that came back from a copy has another secret: nothing is known of its names."""
    first, second = MemoryStore(), MemoryStore()
    claim_all(second, ["ada"])
    second._made.clear()  # made long ago: no poll would find it
    feed = MemoryListing(first)
    with following(feed, tmp_path) as follower:
        seconds_until(partial(answers, follower))
        assert is_free(follower, "ada")
        feed.store = second
        seconds_until(lambda: not is_free(follower, "ada"))
        seconds_until(partial(answers, follower))
        assert not is_free(follower, "ada")


def test_a_forked_process_begins_anew(tmp_path: Path) -> None:
    """A thread does not survive a fork, and without one nothing is heard."""
    store = MemoryStore()
    with following(a_feed(store), tmp_path) as follower:
        seconds_until(partial(answers, follower))
        child = os.fork()
        if not child:
            seconds_until(partial(answers, follower))
            claim_all(store, ["ada"])
            seconds_until(lambda: not is_free(follower, "ada"))
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


def test_nobody_waits_for_the_end(tmp_path: Path) -> None:
    """Not even one that was never asked anything."""
    with following(a_feed(MemoryStore()), tmp_path) as follower:
        pass
    assert not answers(follower)
    assert follower._thread is None


def test_a_claim_counts_by_its_row_and_not_by_its_filter(store: NameStore) -> None:
    """What `add` heard of and was never committed is asked about, and free."""
    known = built(a_feed(store))
    known.add(["ada"])
    assert "ada" in known
    win(store, a_claim("ada"))
    assert store.find(["ada"], deadline=soon())["ada"].state == "owned"


def test_its_thread_ends_with_the_service(tmp_path: Path) -> None:
    """`Parts.close` gives back everything that was opened."""

    def threads() -> set[threading.Thread]:
        return {one for one in threading.enumerate() if one.name == "dibs-filter"}

    before = threads()
    url = f"sqlite:///{tmp_path}/dibs.db"
    settings = load(
        {
            "DIBS_DATABASE_URL": url,
            "DIBS_HOME": str(tmp_path),
            "DIBS_STRATEGY": "membership_filter",
        }
    )
    create_tables(settings)
    parts = build(settings)
    parts.registry.check(parse("ada"), deadline=soon())
    assert len(threads() - before) == 1
    parts.close()
    assert threads() - before == set()


def test_a_filter_that_is_dropped_is_built_anew(store: NameStore, tmp_path: Path) -> None:
    """Here and, since its file is gone, at whoever starts next."""
    with following(a_feed(store), tmp_path) as follower:
        seconds_until(lambda: answers(follower))
        shelf = FilterFile(tmp_path, SPACE)
        seconds_until(shelf.path.exists)
        before = shelf.path.stat().st_ino, shelf.path.stat().st_mtime_ns
        follower.drop()
        assert not answers(follower)
        seconds_until(lambda: answers(follower))
        seconds_until(shelf.path.exists)
        assert (shelf.path.stat().st_ino, shelf.path.stat().st_mtime_ns) != before
