"""What a stored hash asks to be computed, within bounds, and the computing of it.

A value here has been seen to be affordable: making one that is not is a
`ValueError`, so nothing is ever computed for it. A row that was tampered with, or
imported from a careless source, then costs no more than a wrong password.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from argon2.exceptions import HashingError
from argon2.low_level import ARGON2_VERSION, Type, hash_secret_raw

from dibs.errors import Overloaded
from dibs.observe import Sparse

log = logging.getLogger(__name__)
log.addFilter(Sparse())

MAX_MEMORY_KIB: Final = 256 * 1024
"""256 MiB: what a worker can spare, and more than any library's default (Django's is 100)."""

MAX_ARGON2_WORK: Final = 1024 * 1024
"""KiB times passes: 1 GiB, about a second, a fifth of the shortest deadline."""

MAX_LANES: Final = 16
"""Argon2 starts a thread for each lane; Django's default is 8."""

MAX_ROUNDS: Final = 5_000_000
"""Of PBKDF2: five times Werkzeug's default; 1.1 s with SHA-256, 2.6 s with SHA-512."""

MAX_SCRYPT_WORK: Final = 1024 * 1024 * 1024
"""128 times n, r and p, in bytes: 1 GiB, about a second; Werkzeug's default is 32 MiB."""

BCRYPT_COSTS: Final = range(4, 17)
"""Each is twice the last: 4 is the algorithm's least; 12 is usual, 0.25 s; 16 takes 4 s."""

BCRYPT_BYTES: Final = 72
"""Bcrypt reads no more of a password."""

DIGEST_BYTES: Final = range(16, 65)
"""A shorter digest is met by chance too easily; no library writes a longer one."""

ARGON2_SALT_BYTES: Final = range(8, 1025)
"""Argon2's own least (RFC 9106, 3.1, has 16 for passwords); the rest is never that long."""


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"out of bounds: {what}")


class StoredHash(Protocol):
    """A hash that was parsed and is affordable."""

    def matches(self, password: bytes) -> bool:
        """Whether this password made it; takes as long as the parameters say."""
        ...


@dataclass(frozen=True, slots=True)
class Argon2:
    """How dear an argon2 hash is.

    The defaults are OWASP's first choice for argon2id: 21 ms of CPU where it was measured.
    https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html

    Attributes:
        memory_kib: Memory, in KiB; at least 8 for each lane (RFC 9106, 3.1).
        passes: Times that the memory is written.
        lanes: Threads of one hash. One is best where requests themselves run in parallel.

    Raises:
        ValueError: It is out of bounds.
    """

    memory_kib: int = 19456
    passes: int = 2
    lanes: int = 1

    def __post_init__(self) -> None:
        _expect(1 <= self.lanes <= MAX_LANES, "lanes")
        _expect(8 * self.lanes <= self.memory_kib <= MAX_MEMORY_KIB, "memory")
        _expect(1 <= self.passes <= MAX_ARGON2_WORK // self.memory_kib, "passes times memory")

    def raw(
        self,
        password: bytes,
        salt: bytes,
        *,
        kind: Type = Type.ID,
        version: int = ARGON2_VERSION,
        length: int = 32,
    ) -> bytes:
        """The digest alone, of so many bytes.

        Raises:
            Overloaded: There is no memory, or no thread, for it.
        """
        try:
            return hash_secret_raw(
                password, salt, self.passes, self.memory_kib, self.lanes, length, kind, version
            )
        except (HashingError, MemoryError) as error:
            # All that can be wrong with the arguments was seen to above.
            raise Overloaded from error


@dataclass(frozen=True, slots=True)
class Argon2Hash:
    """A hash of argon2id, argon2i or argon2d, of version 16 (argon2 1.0) or 19 (1.3)."""

    kind: Type
    version: int
    cost: Argon2
    salt: bytes
    digest: bytes

    def __post_init__(self) -> None:
        _expect(len(self.salt) in ARGON2_SALT_BYTES, "salt")
        _expect(len(self.digest) in DIGEST_BYTES, "digest")

    def matches(self, password: bytes) -> bool:
        made = self.cost.raw(
            password, self.salt, kind=self.kind, version=self.version, length=len(self.digest)
        )
        return hmac.compare_digest(made, self.digest)

    def is_as_today(self, today: Argon2) -> bool:
        """Whether a new hash would be made in the same way."""
        return (
            (self.kind, self.version, self.cost) == (Type.ID, ARGON2_VERSION, today)
            and len(self.salt) >= 16
            and len(self.digest) == 32
        )


@dataclass(frozen=True, slots=True)
class Pbkdf2Hash:
    """A hash of PBKDF2 (RFC 8018) with SHA-1, SHA-256 or SHA-512, as long as that one's digest."""

    algorithm: str
    rounds: int
    salt: bytes
    digest: bytes

    def __post_init__(self) -> None:
        _expect(1 <= self.rounds <= MAX_ROUNDS, "rounds")
        _expect(len(self.digest) == hashlib.new(self.algorithm).digest_size, "digest")

    def matches(self, password: bytes) -> bool:
        made = hashlib.pbkdf2_hmac(self.algorithm, password, self.salt, self.rounds)
        return hmac.compare_digest(made, self.digest)


@dataclass(frozen=True, slots=True)
class ScryptHash:
    """A hash of scrypt (RFC 7914), with its own names for the parameters."""

    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    def __post_init__(self) -> None:
        _expect(self.n >= 2 and self.n & (self.n - 1) == 0, "n is no power of two")
        # RFC 7914, 2: n is less than 2^(128 * r / 8).
        _expect(self.r >= 1 and self.n.bit_length() <= 16 * self.r, "r")
        _expect(128 * self.n * self.r <= MAX_MEMORY_KIB * 1024, "memory")
        _expect(1 <= self.p <= MAX_SCRYPT_WORK // (128 * self.n * self.r), "p")
        _expect(len(self.digest) in DIGEST_BYTES, "digest")

    def matches(self, password: bytes) -> bool:
        n, r, p = self.n, self.r, self.p
        # What is needed; the default of 32 MiB is less than Werkzeug's parameters take.
        room, size = 128 * r * (n + p + 4), len(self.digest)
        made = hashlib.scrypt(password, salt=self.salt, n=n, r=r, p=p, maxmem=room, dklen=size)
        return hmac.compare_digest(made, self.digest)


Prehash = Literal["django", "passlib", "passlib2"]


@dataclass(frozen=True, slots=True)
class BcryptHash:
    """A hash of bcrypt; `$2a$`, `$2b$` and `$2y$` are one algorithm.

    Of a password only the first 72 bytes count, as in every library that made
    such hashes. The hash is replaced at its next login, by one of all that is
    typed then. A password with a zero byte matches none: libraries disagree on it.

    Attributes:
        cost: Binary logarithm of the rounds.
        salt: As bcrypt takes it: `$2b$12$` and 22 characters.
        digest: The 31 characters after it.
        prehash: What bcrypt got instead of the password: its SHA-256 in hexadecimal digits for
            `django`, in base64 for `passlib`, and there keyed with the salt for `passlib2`.
    """

    cost: int
    salt: bytes
    digest: bytes
    prehash: Prehash | None = None

    def __post_init__(self) -> None:
        _expect(self.cost in BCRYPT_COSTS, "cost")
        # Of the 22nd character two bits count; what leaves the others set is refused by bcrypt.
        _expect(self.salt[-1:] in b".Oeu", "salt")

    def matches(self, password: bytes) -> bool:
        if self.prehash == "django":
            password = hashlib.sha256(password).hexdigest().encode()
        elif self.prehash == "passlib":
            password = b64encode(hashlib.sha256(password).digest())
        elif self.prehash == "passlib2":
            password = b64encode(hmac.digest(self.salt[-22:], password, "sha256"))
        if b"\0" in password:
            return False
        if (hashpw := _hashpw()) is None:
            log.error("A stored hash is bcrypt's and cannot be checked: pip install bcrypt")
            return False
        made = hashpw(password[:BCRYPT_BYTES], self.salt)
        return hmac.compare_digest(made, self.salt + self.digest)


def _hashpw() -> Callable[[bytes, bytes], bytes] | None:
    """Bcrypt itself, loaded when the first hash needs it; None if it is not installed."""
    try:
        import bcrypt
    except ImportError:
        return None
    return bcrypt.hashpw
