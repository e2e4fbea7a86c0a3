"""Hashes that no library makes any more, or should: they are read until their owner's next login.

They are computed in Python, each round a call, so their bounds are lower than those of the others.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize

from dibs.accounts.passwords.algorithms import StoredHash
from dibs.observe import Sparse

log = logging.getLogger(__name__)
log.addFilter(Sparse())

MAX_CRYPT_ROUNDS: Final = 1_000_000
"""Of sha512_crypt: passlib's default is 656,000, a second; crypt's is 5,000."""

CRYPT_BYTES: Final = 512
"""Of a password: as in libxcrypt. The work of each round grows with it."""

PHPASS_LOG: Final = range(7, 21)
"""WordPress has 13: 8,192 rounds."""

Check = Callable[[str, str], bool]
"""Given a stored hash and a password as typed."""

HASH64: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def hash64(data: bytes) -> bytes:
    """Three bytes as four characters, the lowest bits first, as crypt has it."""
    out = ""
    for at in range(0, len(data), 3):
        part = data[at : at + 3]
        value = int.from_bytes(part, "little")
        out += "".join(HASH64[value >> shift & 63] for shift in range(0, 8 * len(part), 6))
    return out.encode()


@dataclass(frozen=True, slots=True)
class Sha512Crypt:
    """A hash of crypt's `$6$` (https://www.akkadia.org/drepper/SHA-crypt.txt)."""

    rounds: int
    salt: bytes
    digest: bytes

    def __post_init__(self) -> None:
        if not 1000 <= self.rounds <= MAX_CRYPT_ROUNDS:
            raise ValueError("out of bounds: rounds")

    def matches(self, password: bytes) -> bool:
        if len(password) > CRYPT_BYTES or b"\0" in password:
            return False
        size, sha = len(password), hashlib.sha512
        other = sha(password + self.salt + password).digest()
        first = sha(password + self.salt + _filled(other, size))
        bits = size
        while bits:
            first.update(other if bits & 1 else password)
            bits >>= 1
        last = first.digest()
        key = _filled(sha(password * size).digest(), size)
        salt = _filled(sha(self.salt * (16 + last[0])).digest(), len(self.salt))
        for turn in range(self.rounds):
            middle = (salt if turn % 3 else b"") + (key if turn % 7 else b"")
            last = sha(key + middle + last if turn & 1 else last + middle + key).digest()
        return hmac.compare_digest(hash64(bytes(last[at] for at in _ORDER)), self.digest)


def _filled(digest: bytes, size: int) -> bytes:
    """A digest, repeated until it is as long as this."""
    return (digest * (size // len(digest) + 1))[:size]


def _order() -> list[int]:
    """In which order crypt writes the bytes of a SHA-512."""
    high, middle, low = 0, 21, 42
    order: list[int] = []
    for _ in range(21):
        order += (low, middle, high)
        high, middle, low = middle + 1, low + 1, high + 1
    return [*order, 63]


_ORDER: Final = _order()


@dataclass(frozen=True, slots=True)
class PhpassHash:
    """A portable hash of phpass, as WordPress, Drupal 7 and phpBB (`$H$`) had: MD5, many times."""

    log: int
    salt: bytes
    digest: bytes

    def __post_init__(self) -> None:
        if self.log not in PHPASS_LOG:
            raise ValueError("out of bounds: rounds")

    def matches(self, password: bytes) -> bool:
        if len(password) > CRYPT_BYTES:
            return False
        last = hashlib.md5(self.salt + password, usedforsecurity=False).digest()
        for _ in range(1 << self.log):
            last = hashlib.md5(last + password, usedforsecurity=False).digest()
        return hmac.compare_digest(hash64(last), self.digest)


@dataclass(frozen=True, slots=True)
class SaltedSha:
    """A hash of LDAP's `{SSHA}` (RFC 2307 and after): one SHA of the password and its salt."""

    algorithm: str
    salt: bytes
    digest: bytes

    def __post_init__(self) -> None:
        if not 4 <= len(self.salt) <= 64:
            raise ValueError("out of bounds: salt")

    def matches(self, password: bytes) -> bool:
        made = hashlib.new(self.algorithm, password + self.salt).digest()
        return hmac.compare_digest(made, self.digest)


@dataclass(frozen=True, slots=True)
class KeyedHash:
    """A hash of Flask-Security's: of the password's HMAC-SHA-512 by SECURITY_PASSWORD_SALT."""

    inner: StoredHash
    key: bytes

    def matches(self, password: bytes) -> bool:
        if not self.key:
            log.error("A stored hash is Flask-Security's: set DIBS_FLASK_SECURITY_SALT to check it")
            return False
        # Its forms decompose what is typed; who calls it from code may not.
        typed = normalize("NFKD", password.decode()).encode()
        return any(
            self.inner.matches(b64encode(hmac.digest(self.key, one, "sha512")))
            for one in dict.fromkeys((typed, password))
        )


@dataclass(frozen=True, slots=True)
class HookedHash:
    """A hash that a function of the service's owner checks."""

    stored: str
    check: Check

    def matches(self, password: bytes) -> bool:
        return self.check(self.stored, password.decode()) is True


@dataclass(frozen=True, slots=True)
class Keys:
    """What hashes of other apps need beside themselves.

    Attributes:
        flask_security: SECURITY_PASSWORD_SALT of the app that they come from.
        check: Says of a hash that dibs cannot read whether it is of a password.
    """

    flask_security: bytes = b""
    check: Check | None = None


NO_KEYS: Final = Keys()
