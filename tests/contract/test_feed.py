"""What a store lists of its keys: every one, in pages, and the new ones by when they were made."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from dibs.store import NameStore
from dibs.store.names.reading import NEW
from tests.backends import Backend
from tests.support.contract import DISTINCT_KEYS, a_claim, release, soon, win
from tests.support.memory import MemoryStore, a_feed

SPACE = "default"
A_MINUTE_MS = 60_000


class Feeding:
    """What every store does. A subclass brings the fixture `store`."""

    def test_pages_hold_every_key_once(self, store: NameStore) -> None:
        """In the order of their bytes, whatever the collation."""
        claim_all(store, DISTINCT_KEYS)
        assert walk(store, limit=3) == sorted(DISTINCT_KEYS, key=str.encode)

    def test_other_namespaces_have_other_keys(self, store: NameStore) -> None:
        win(store, a_claim("ada", namespace="there"))
        assert walk(store, limit=3) == []
        assert new(store) == []
        assert a_feed(store).count(after="", limit=9) == (0, "")

    def test_what_was_released_is_still_listed(self, store: NameStore) -> None:
        """Its row is kept."""
        ada = a_claim("ada")
        win(store, ada)
        release(store, "ada", ada.owner)
        assert walk(store, limit=3) == ["ada"]
        assert [key for _, key in new(store)] == ["ada"]

    def test_a_count_says_how_many_and_where_to_go_on(self, store: NameStore) -> None:
        claim_all(store, "abcde")
        counts: list[int] = []
        after = ""
        while not counts or counts[-1] == 2:
            count, after = a_feed(store).count(after=after, limit=2)
            counts.append(count)
        assert (counts, after) == ([2, 2, 1], "e")

    def test_new_keys_are_those_made_since(self, store: NameStore) -> None:
        """By the clock that `moment` reads."""
        before = store.clock(deadline=soon())
        claim_all(store, "ab")
        after = wait_for_the_clock(store)
        claim_all(store, "c")
        assert {key for _, key in new(store, since=before)} == set("abc")
        assert [key for _, key in new(store, since=after)] == ["c"]

    def test_new_keys_come_in_pages_without_gap_or_repetition(self, store: NameStore) -> None:
        """Also where one batch made many at the same millisecond."""
        claim_all(store, [f"n{i:02}" for i in range(40)])
        claim_all(store, [f"m{i:02}" for i in range(40)])
        seen: list[tuple[int, str]] = []
        since, after = 0, ""
        while page := new(store, since=since, after=after, limit=7):
            seen += page
            since, after = page[-1]
        assert len(seen) == 80
        assert seen == sorted(set(seen))

    def test_the_moment_is_now(self, store: NameStore) -> None:
        """And the secret says which database this is."""
        clock, secret = a_feed(store).moment()
        assert abs(clock - 1000 * time.time()) < A_MINUTE_MS
        assert secret == store.secret(deadline=soon())


class TestMemoryStore(Feeding):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestSqlStore(Feeding):
    """On every database."""


def claim_all(store: NameStore, keys: Sequence[str]) -> None:
    store.claim_many([a_claim(key) for key in keys], deadline=soon())


def walk(store: NameStore, *, limit: int) -> list[str]:
    keys: list[str] = []
    while page := a_feed(store).keys(after=keys[-1] if keys else "", limit=limit):
        assert len(page) <= limit
        keys += page
    return keys


def new(
    store: NameStore, *, since: int = 0, after: str = "", limit: int = 100
) -> list[tuple[int, str]]:
    return a_feed(store).new_keys(since=since, after=after, limit=limit)


def wait_for_the_clock(store: NameStore) -> int:
    """Its next millisecond but one: SQLite rounds."""
    began = store.clock(deadline=soon())
    while (clock := store.clock(deadline=soon())) < began + 2:
        pass
    return clock


PLANS = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN", "mariadb": "EXPLAIN"}


def test_new_keys_are_found_by_an_index(backend: Backend, store: NameStore) -> None:
    """Not by reading the table: it is asked twice a second, and more often after a restart."""
    for start in range(0, 500, 20):  # those of one statement have one time
        claim_all(store, [f"n{i}" for i in range(start, start + 20)])
    url = store.engine.url.render_as_string(hide_password=False)
    if backend.name == "postgresql":  # which does so by itself within a minute
        backend.execute("ANALYZE dibs_names", url)
    clock = store.clock(deadline=soon())
    for since in (clock, 0):
        sql = NEW.format(namespace=store.transactions.dialect.unindexed("namespace"))
        for name, value in {
            "since": since,
            "after": "'a'",
            "namespace": f"'{SPACE}'",
            "limit": 9,
        }.items():
            sql = sql.replace(f":{name}", str(value))
        plan = str(backend.execute(f"{PLANS[backend.name]} {sql}", url))
        assert "dibs_names_created" in plan
        assert "filesort" not in plan
