"""Taken names in Redis, where every worker sees them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from itertools import islice
from typing import Any, cast

from redis import Redis
from redis.exceptions import InvalidResponse, OutOfMemoryError

from dibs.cache.redis.address import Client
from dibs.cache.redis.breaker import Away, Command, RedisBreaker, in_one_go, script
from dibs.cache.taken import STALE_FILL_SECONDS, Entry
from dibs.context import CacheTime, Deadline
from dibs.errors import StoreError
from dibs.observe import Counters
from dibs.secret import key_of

PREFIX = "dibs:1"
SEAL_DIGITS = 24
ASK = "ask"
"""The state of what says nothing but: ask the database."""


class Sealer:
    """Writes and reads entries with the secret that all servers on one database share.

    So two services with one Redis keep out of each other's names; and a value that was written
    by hand, cut short, or sent in reply to another question is a miss and not somebody's name.
    BLAKE2b with a key is a MAC (RFC 7693).
    """

    def __init__(self, secret: str) -> None:
        self._key = key_of("cache", secret)

    def place(self, namespace: str, key: str) -> str:
        """Where the entry of a name lies: of the same length for every key."""
        at = blake2b(_joined(namespace, key), key=self._key, digest_size=16, person=b"place")
        return f"{PREFIX}:{namespace}:{base64.urlsafe_b64encode(at.digest()).decode()[:22]}"

    def write(self, place: str, entry: Entry) -> bytes:
        """The entry as bytes, sealed."""
        return self.sealed(
            place, [entry.version, entry.state, entry.namespace, entry.key, entry.canonical]
        )

    def write_ask(self, place: str, version: int) -> bytes:
        """A tombstone: as of this version the database is asked."""
        return self.sealed(place, [version, ASK])

    def sealed(self, place: str, items: list[Any]) -> bytes:
        """Anything as bytes that count at this place alone."""
        body = json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()
        return self._seal(place, body) + body

    def _seal(self, place: str, body: bytes) -> bytes:
        seal = blake2b(key=self._key, digest_size=SEAL_DIGITS // 2, person=b"entry")
        seal.update(_joined(place, ""))
        seal.update(body)
        return seal.hexdigest().encode()

    def read(self, place: str, namespace: str, key: str, value: bytes) -> Entry | None:
        """The entry of this name, or None: ask the database. What is not ours is `Forged`."""
        version, state, *rest = json.loads(self.opened(place, value))
        if state == ASK:
            return None
        own_namespace, own_key, canonical = rest
        if (own_namespace, own_key) != (namespace, key):
            raise Forged
        return Entry(namespace, key, canonical, state, version)

    def opened(self, place: str, value: bytes) -> bytes:
        """What was sealed for this place; what is not ours is `Forged`."""
        seal, body = value[:SEAL_DIGITS], value[SEAL_DIGITS:]
        if not hmac.compare_digest(seal, self._seal(place, body)):
            raise Forged
        return body

    def is_entry(self, place: str, value: bytes | None) -> bool:
        """Whether that is what this database's servers have written there, and no tombstone."""
        if value is None or value.endswith(f'"{ASK}"]'.encode()):
            return False
        with suppress(Forged):
            return bool(self.opened(place, value))
        return False


class Forged(Exception):
    """A value that is none of ours."""


def namespace_at(place: str) -> str:
    """The namespace of what lies at a place that a `Sealer` has made."""
    return place.removeprefix(f"{PREFIX}:").rpartition(":")[0]


def _joined(first: str, second: str) -> bytes:
    # Lengths first, so that no two pairs run together into the same bytes.
    return b"%d:%b%b" % (len(first.encode()), first.encode(), second.encode())


log = logging.getLogger("dibs.cache")

TOMBSTONE_MS = 60_000
"""How long the database is asked about a name that was freed: longer than any fill may take."""

MAX_OWED = 10_000
"""How many tombstones are kept for the time when Redis is back."""

PAGE, DROP_SECONDS = 500, 60.0
"""Entries that are looked at together, and how long it may take to look at all."""

PUT_SHA = script("put.lua")

Write = tuple[str, bytes, int, int, str]
"""Place, value, version of the row, milliseconds, SHA-1 of a value there that is forged."""


class RedisCache:
    """A `TakenCache` that Redis may lose, refuse, delay or forge without a wrong answer.

    Args:
        secret: Gives the secret of the database; may raise `StoreError`.
        counters: Gets `cache_forged`, `cache_late_fill`, `cache_outdated` and `cache_refused`.
    """

    def __init__(
        self, link: RedisBreaker, *, secret: Callable[[Deadline], str], counters: Counters
    ) -> None:
        self._link = link
        link.on_return = self._begin
        self._secret = secret
        self._counters = counters
        self._sealer: Sealer | None = None
        self._owed: dict[str, Write] = {}
        self._owed_lock = threading.Lock()

    def get(self, keys: Sequence[str], *, namespace: str, deadline: Deadline) -> dict[str, Entry]:
        sealer = self._sealed(deadline)
        if sealer is None:
            return {}
        places = [sealer.place(namespace, key) for key in keys]
        try:
            if len(places) == 1:
                (values,) = self._link.ask([("MGET", *places)], _is_values, deadline.caches)
            else:
                values = self._link.call(lambda client: _mget(client, places), deadline.caches)
        except (Away, OutOfMemoryError):
            return {}
        found: dict[str, Entry] = {}
        forged: list[Write] = []
        for key, place, value in zip(keys, places, values, strict=True):
            try:
                if value is not None and (entry := sealer.read(place, namespace, key, value)):
                    found[key] = entry
            except Forged:
                forged.append(_instead(sealer, place, value or b""))
        if forged:
            # Taken away, or its version would keep every true entry out.
            self._counters.add("cache_forged", len(forged))
            log.warning(
                "Redis at %s holds what dibs has not written: %s", self._link.shown, forged[0][0]
            )
            self._write(forged, deadline.caches)
        return found

    def put(self, entries: Sequence[Entry], *, began: float, deadline: Deadline) -> None:
        sealer = self._sealed(deadline)
        if sealer is None:
            return
        age = time.monotonic() - began
        writes: list[Write] = []
        for entry in entries:
            place = sealer.place(entry.namespace, entry.key)
            # The time left was told when the row was read.
            lifetime = entry.lifetime - int(age * 1000)
            if lifetime > 0:
                writes.append((place, sealer.write(place, entry), entry.version, lifetime, ""))
        if age > STALE_FILL_SECONDS:
            self._counters.add("cache_late_fill", len(writes))
        elif writes:
            self._write(writes, deadline.caches)

    def forget(self, namespace: str, versions: Mapping[str, int], *, deadline: Deadline) -> None:
        sealer = self._sealed(deadline)
        if sealer is None:
            return
        writes: dict[str, Write] = {}
        for key, version in versions.items():
            place = sealer.place(namespace, key)
            writes[key] = (place, sealer.write_ask(place, version), version, TOMBSTONE_MS, "")
        written = self._write(list(writes.values()), deadline.caches)
        if written is not None:
            if older := [key for key, done in zip(writes, written, strict=True) if not done]:
                # Unless what is newer there is forged, and gone once it is read.
                self.get(older, namespace=namespace, deadline=deadline)
                self._write([writes[key] for key in older], deadline.caches)
            return
        try:  # a full Redis refuses to write, but not this
            deleted: list[Command] = [("DEL", write[0]) for write in writes.values()]
            self._link.ask(deleted, _is_bit, deadline.caches)
        except (Away, OutOfMemoryError):
            self._owe(list(writes.values()))

    def drop(self, *, deadline: Deadline) -> bool:
        sealer = self._sealed(deadline)
        try:
            if sealer is not None:
                self._link.call(partial(_drop_all, sealer), CacheTime(DROP_SECONDS))
        except (Away, OutOfMemoryError):
            return False
        return sealer is not None

    def close(self) -> None:
        """Give back every connection."""
        self._link.close()

    def _sealed(self, deadline: Deadline) -> Sealer | None:
        if self._sealer is None:
            try:
                self._sealer = Sealer(self._secret(deadline))
            except StoreError:
                return None
        return self._sealer

    def _write(self, writes: Sequence[Write], caches: CacheTime) -> list[int] | None:
        """Write all; 1 for each that was written and 0 where newer is known, or None."""
        try:
            written = self._link.ask(_put(writes), _is_bit, caches)
        except OutOfMemoryError as error:
            self._counters.add("cache_refused")
            log.warning("Redis at %s is full: %s", self._link.shown, error)
            return None
        except Away:
            return None
        self._counters.add("cache_outdated", written.count(0))
        return written

    # --- after an absence --------------------------------------------------

    def _owe(self, writes: Sequence[Write]) -> None:
        with self._owed_lock:
            for write in writes[: MAX_OWED - len(self._owed)]:
                self._owed[write[0]] = write
        # Redis may be there again by now, or was only busy.
        self._link.nudge()

    def _begin(self, client: Client) -> None:
        """See that Redis takes a write and gives it back, and write what is owed."""
        probe = ("dibs:1:probe", b"0" * 24 + b"[0]", 0, 1000, "")
        in_one_go(client, _put([probe]))
        _mget(client, [probe[0]])
        with self._owed_lock:
            owed = list(self._owed.values())
        for start in range(0, len(owed), 100):
            in_one_go(client, _put(owed[start : start + 100]))
        with self._owed_lock:
            for write in owed:
                if self._owed.get(write[0]) is write:
                    del self._owed[write[0]]


def _mget(client: Client, places: Sequence[str]) -> list[bytes | None]:
    """The values; MGET calls one of another type absent, where GET would raise."""
    get: Any = client.mget if isinstance(client, Redis) else client.mget_nonatomic
    values = get(places)
    if not _is_values(values, len(places)):
        raise InvalidResponse("a reply to another question")
    return cast("list[bytes | None]", values)


def _instead(sealer: Sealer, place: str, value: bytes) -> Write:
    """What takes this value away, if it is still there; its version counts for nothing."""
    sha = hashlib.sha1(value, usedforsecurity=False).hexdigest()
    return place, sealer.write_ask(place, 0), 0, 1, sha


def _drop_all(sealer: Sealer, client: Client) -> None:
    """Take all entries of a database away; its tombstones stay, and what others have there."""
    scan: Any = client.scan_iter(f"{PREFIX}:*", count=PAGE)
    while found := [place.decode(errors="replace") for place in islice(scan, PAGE)]:
        values = zip(found, _mget(client, found), strict=True)
        writes = [_instead(sealer, at, value) for at, value in values if sealer.is_entry(at, value)]  # type: ignore[arg-type]
        if writes:
            in_one_go(client, _put(writes))


def _is_values(reply: object, number: int = 1) -> bool:
    return (
        isinstance(reply, list)
        and len(reply) == number
        and all(value is None or isinstance(value, bytes) for value in reply)
    )


def _put(writes: Sequence[Write]) -> list[Command]:
    """The script for each; every one touches a single key, as a cluster wants it."""
    return [("EVALSHA", PUT_SHA, 1, *write) for write in writes]


def _is_bit(reply: object) -> bool:
    return reply in (0, 1)
