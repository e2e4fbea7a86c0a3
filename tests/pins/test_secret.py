"""What is made with the secret where no client sees it: in Redis, and in the filter's file.

Servers of two versions share both while one replaces the other: a name that one of them freed
at another place than the other looks would stay taken there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast, get_args

import pytest

from dibs.cache.filter import bloom
from dibs.cache.redis.breaker import RedisBreaker
from dibs.cache.redis.counts import RedisCounts
from dibs.cache.redis.taken import Sealer
from dibs.context import Deadline
from dibs.secret import Use, key_of
from tests.pins.test_kept import SECRET

PLACE = "dibs:1:default:Ak_liJxMAHUePi0BrpR1Yw"
COUNTED = "LIMITS/192.0.2.1/check/300/60/second"
COUNT = "dibs:1:limit:13a46153c1d886e1cd5830f9cc21a92c"


def test_every_use_has_a_key_of_its_own() -> None:
    """But holds and claims, whose messages tell them apart: 32 bytes to a hash, and a text."""
    assert key_of("hold", SECRET) == key_of("claim", SECRET)
    keys = {key_of(use, SECRET) for use in get_args(Use)}
    assert len(keys) == len(get_args(Use)) - 1


def test_the_place_and_the_seal_of_a_taken_name() -> None:
    sealer = Sealer(SECRET)
    assert sealer.place("default", "ada") == PLACE
    assert sealer.write_ask(PLACE, 7) == b'c670d0816dc9d81ab43d5d03[7,"ask"]'


def test_the_place_of_a_count() -> None:
    asked: list[str] = []

    class Link:
        def call(self, work: Callable[[Any], object], caches: object) -> None:
            work(self)

        def delete(self, place: str) -> None:
            asked.append(place)

    link = cast(RedisBreaker, Link())
    counts = RedisCounts(link, secret=lambda ends: SECRET, namespace="default")
    counts.remove(COUNTED, Deadline.after(1))
    assert asked == [COUNT]


def test_the_places_of_a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one version of the library, on one kind of machine."""
    monkeypatch.setattr(bloom, "version", lambda name: "1.0")
    monkeypatch.setattr(sys, "byteorder", "little")
    key = bloom.FilterKey(SECRET, namespace="default", rules=1)
    assert key.place("ada") == -154150532054092860232264870497015416496
    assert key.seal(b"a", b"b") == (
        b"700c198cb506965e12bad99a244a2baa66515957074625590181ea4b4938dc34"
    )
