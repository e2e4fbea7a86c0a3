"""Whatever lies in Redis under our keys: a miss, no error, and gone when it was read."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from dibs.cache.redis.taken import Sealer
from tests.cache.helpers import SECRET, SPACE, Desk, Process, an_entry
from tests.services import FaultProxy, RedisServer
from tests.support.contract import soon
from tests.support.memory import MemoryStore

Processes = Callable[..., Process]

NAMES = [f"n{i}" for i in range(8)]
SEALER = Sealer(SECRET)


def at(name: str) -> str:
    return SEALER.place(SPACE, name)


def true(name: str) -> bytes:
    return SEALER.write(at(name), an_entry(name, 3))


def elsewhere(name: str) -> bytes:
    """A true entry of another name."""
    return SEALER.write(at("zoe"), an_entry("zoe"))


POISON: dict[str, Callable[[str], bytes]] = {
    "empty": lambda _: b"",
    "garbage": lambda _: b"\xff\x00garbage\r\n",
    "json": lambda _: b'{"taken": true}',
    "truncated": lambda name: true(name)[:-1],
    "huge version": lambda name: b"0" * 24 + json.dumps([2**62, "owned"]).encode(),
    "infinite version": lambda _: b"0" * 24 + b'[1e999,"owned"]',
    "no number": lambda _: b"0" * 24 + b'["9","owned"]',
    "deep": lambda _: b"0" * 24 + b"[" * 5000,
    "large": lambda _: b"0" * 24 + b"x" * 100_000,
    "another service's": lambda name: Sealer("another").write(at(name), an_entry(name, 99)),
    "another name's": elsewhere,
}
TYPES: dict[str, list[str]] = {
    "list": ["RPUSH", "{}", "x"],
    "hash": ["HSET", "{}", "x", "y"],
    "set": ["SADD", "{}", "x"],
    "zset": ["ZADD", "{}", "1", "x"],
    "stream": ["XADD", "{}", "*", "x", "y"],
    "int": ["SET", "{}", "42"],
}


def poison(redis: RedisServer, kind: str) -> None:
    for name in NAMES:
        if kind in TYPES:
            redis.command(*(word.format(at(name)) for word in TYPES[kind]))
        else:
            redis.command("SET", at(name), POISON[kind](name))


@pytest.mark.parametrize("kind", [*POISON, *TYPES])
def test_it_is_a_miss_and_does_not_stay(redis: RedisServer, process: Processes, kind: str) -> None:
    """And what is true can be written again at once, at whatever version."""
    one = process(redis.url).ready()
    poison(redis, kind)
    for _ in range(2):
        assert one.get(*NAMES) == {}
    one.put(*(an_entry(name) for name in NAMES))
    assert one.get(*NAMES).keys() == set(NAMES)


@pytest.mark.parametrize("kind", [*POISON, *TYPES])
def test_a_tombstone_gets_past_it(redis: RedisServer, process: Processes, kind: str) -> None:
    """Or what was read before the release would be written after it."""
    one, other = process(redis.url).ready(), process(redis.url).ready()
    poison(redis, kind)
    one.forget(dict.fromkeys(NAMES, 2))
    assert one.get(*NAMES) == {}
    other.put(*(an_entry(name) for name in NAMES))
    assert other.get(*NAMES) == {}


def test_nobody_becomes_or_loses_an_owner_by_it(redis: RedisServer) -> None:
    """Every name is poisoned between all steps, in every way; the answers are the database's."""
    store = MemoryStore()
    desks = [Desk(store, redis.url) for _ in range(2)]
    sealed = Sealer(store.secret(deadline=soon()))
    for kind in POISON:
        name = "n" + kind.replace(" ", "").replace("'", "")
        place = sealed.place(SPACE, name)

        def spoil(place: str = place, kind: str = kind) -> None:
            redis.command("SET", place, POISON[kind]("n0"))

        spoil()
        row = desks[0].register(name)
        for desk in desks:
            spoil()
            assert desk.is_taken(name)
            spoil()
            assert desk.looks_taken(name)
        spoil()
        desks[0].release(row)
        assert not desks[1].is_taken(name)
    for desk in desks:
        desk.close()


def test_it_is_reported_once_a_minute(
    redis: RedisServer, process: Processes, lines: Callable[[], list[str]]
) -> None:
    """However many keys there are."""
    one = process(redis.url).ready()
    for _ in range(3):
        poison(redis, "garbage")
        for name in NAMES:
            one.get(name)
    assert one.count("cache_forged") == 3 * len(NAMES)
    assert len(lines()) == 1, lines()


STRAYS = {
    "status": b"+OK\r\n",
    "integer": b":1\r\n",
    "large integer": b":7\r\n",
    "text": b"$5\r\nhello\r\n",
    "nothing": b"$-1\r\n",
    "list": b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    "list of one number": b"*1\r\n:1\r\n",
    "no list": b"*-1\r\n",
    "list in a list": b"*1\r\n*1\r\n:1\r\n",
    "another name's": b"*1\r\n$%d\r\n%b\r\n" % (len(elsewhere("")), elsewhere("")),
    "error": b"-ERR something\r\n",
    "no text": b"-\xff\xfe\r\n",
    "no Redis": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.mark.fault
@pytest.mark.parametrize("kind", STRAYS)
@pytest.mark.parametrize("command", ["MGET", "EVALSHA"])
def test_a_reply_to_another_question(
    own_redis: RedisServer, proxy: FaultProxy, process: Processes, command: str, kind: str
) -> None:
    """Nothing is believed, nothing is raised; every later answer is right again."""
    one = process(RedisServer.url_via(own_redis.url, proxy.port), connections=1)
    other = process(own_redis.url).ready()
    other.put(an_entry("bob"))
    one.ready()
    proxy.stray_at(command.encode(), STRAYS[kind])
    assert set(one.get("ada")) <= set()
    one.put(an_entry("ada"))
    assert proxy.wait_for_hits()
    for _ in range(3):
        one.ready()
        found = one.get("bob", "eve", "ada")
        assert set(found) <= {"bob", "ada"}
        assert all(found[key] == an_entry(key) for key in found)
    one.ready()
    assert "bob" in one.get("bob")
