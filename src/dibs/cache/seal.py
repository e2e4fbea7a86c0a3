"""How an entry is written down, so that what comes back is known to be ours and of that name."""

from __future__ import annotations

import base64
import hmac
import json
from hashlib import blake2b
from typing import Any

from dibs.cache.base import Entry

PREFIX = "dibs:1"
SEAL_DIGITS = 24
ASK = "ask"
"""The state of what says nothing but: ask the database."""


class Sealer:
    """Writes and reads entries with the secret that all servers on one database share.

    So two services with one Redis keep out of each other's names; and a value that was written
    by hand, cut short, or sent in reply to another question is a miss and not somebody's name.
    BLAKE2b with a key is a MAC (RFC 7693).

    Args:
        secret: Of the database; any text.
    """

    def __init__(self, secret: str) -> None:
        self._key = blake2b(secret.encode(), digest_size=32, person=b"dibs cache").digest()

    def place(self, namespace: str, key: str) -> str:
        """Where the entry of a name lies: of the same length for every key."""
        at = blake2b(_joined(namespace, key), key=self._key, digest_size=16, person=b"place")
        return f"{PREFIX}:{namespace}:{base64.urlsafe_b64encode(at.digest()).decode()[:22]}"

    def write(self, place: str, entry: Entry) -> bytes:
        """The entry as bytes, sealed."""
        return self._sealed(
            place, [entry.version, entry.state, entry.namespace, entry.key, entry.canonical]
        )

    def write_ask(self, place: str, version: int) -> bytes:
        """A tombstone: as of this version the database is asked."""
        return self._sealed(place, [version, ASK])

    def _sealed(self, place: str, items: list[Any]) -> bytes:
        body = json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()
        return self._seal(place, body) + body

    def _seal(self, place: str, body: bytes) -> bytes:
        seal = blake2b(key=self._key, digest_size=SEAL_DIGITS // 2, person=b"entry")
        seal.update(_joined(place, ""))
        seal.update(body)
        return seal.hexdigest().encode()

    def read(self, place: str, namespace: str, key: str, value: bytes) -> Entry | None:
        """The entry of this name, or None where the database is to be asked.

        Raises:
            Forged: This was not written here for this name.
        """
        seal, body = value[:SEAL_DIGITS], value[SEAL_DIGITS:]
        if not hmac.compare_digest(seal, self._seal(place, body)):
            raise Forged
        version, state, *rest = json.loads(body)
        if state == ASK:
            return None
        own_namespace, own_key, canonical = rest
        if (own_namespace, own_key) != (namespace, key):
            raise Forged
        return Entry(namespace, key, canonical, state, version)


class Forged(Exception):
    """A value that is none of ours."""


def _joined(first: str, second: str) -> bytes:
    # Lengths first, so that no two pairs run together into the same bytes.
    return b"%d:%b%b" % (len(first.encode()), first.encode(), second.encode())
