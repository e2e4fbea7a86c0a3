"""How hashes are written down: here, by passlib, Werkzeug and Django.

A format is one pattern and what is made of its parts. Patterns cover the whole
string, so nothing is guessed, and none can be made to take long.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Callable
from typing import Final

from argon2.low_level import Type

from dibs.accounts.passwords.algorithms import (
    Argon2,
    Argon2Hash,
    BcryptHash,
    Pbkdf2Hash,
    Prehash,
    ScryptHash,
    StoredHash,
)
from dibs.accounts.passwords.older import (
    HASH64,
    NO_KEYS,
    HookedHash,
    KeyedHash,
    Keys,
    PhpassHash,
    SaltedSha,
    Sha512Crypt,
)

LONGEST: Final = 1024
"""Characters of a stored hash; the longest that a library writes has about 200."""

WERKZEUG_ROUNDS: Final = 1_000_000
"""What Werkzeug 3.1 reads into a hash of PBKDF2 that names no number."""

WERKZEUG_SCRYPT: Final = (32768, 8, 1)
"""What Werkzeug reads into a hash of scrypt that names no n, r and p."""

FLASK_SECURITY: Final = "flask-security$"
"""What the import puts before a hash of Flask-Security's, which is of a keyed digest."""

KINDS: Final = {"argon2id": Type.ID, "argon2i": Type.I, "argon2d": Type.D}

# Parts of patterns. A number has no leading zero and is never big enough to be slow.
_NUMBER = "([1-9][0-9]{0,9})"
_BASE64 = "([A-Za-z0-9+/]+)"
_PADDED = "([A-Za-z0-9+/]+={0,2})"
_AB64 = "([A-Za-z0-9./]+)"
_SALT = r"([^$]+)"
_HEX = "([0-9a-f]+)"


def parse(stored: str, keys: Keys = NO_KEYS) -> StoredHash | None:
    """What a stored hash asks to be computed; None if it is malformed, unknown or too dear."""
    if len(stored) > LONGEST:
        return None
    if stored.startswith(FLASK_SECURITY):
        inner = _parse(stored.removeprefix(FLASK_SECURITY))
        return inner and KeyedHash(inner, keys.flask_security)
    if found := _parse(stored):
        return found
    return HookedHash(stored, keys.check) if keys.check else None


def _parse(stored: str) -> StoredHash | None:
    for pattern, made_of in FORMATS:
        if found := pattern.fullmatch(stored):
            try:
                return made_of(*found.groups())
            except ValueError:
                # Out of bounds, no base64, or a salt that is no text.
                return None
    return None


def _base64(text: str) -> bytes:
    """Decode base64, with or without its padding; passlib's form has `.` for `+`."""
    bare = text.rstrip("=").replace(".", "+")
    return b64decode(bare + "=" * (-len(bare) % 4), validate=True)


def _argon2(
    kind: str, version: str | None, memory: str, passes: str, lanes: str, salt: str, digest: str
) -> Argon2Hash:
    """The PHC string; without `v` it is argon2 1.0, as the reference implementation reads it."""
    cost = Argon2(int(memory), int(passes), int(lanes))
    return Argon2Hash(
        KINDS[kind], int(version or 16), cost, salt=_base64(salt), digest=_base64(digest)
    )


def _passlib_pbkdf2(algorithm: str | None, rounds: str, salt: str, digest: str) -> Pbkdf2Hash:
    return Pbkdf2Hash(algorithm or "sha1", int(rounds), _base64(salt), _base64(digest))


def _werkzeug_pbkdf2(
    algorithm: str | None, rounds: str | None, salt: str, digest: str
) -> Pbkdf2Hash:
    number = int(rounds or WERKZEUG_ROUNDS)
    return Pbkdf2Hash(algorithm or "sha256", number, salt.encode(), bytes.fromhex(digest))


def _django_pbkdf2(algorithm: str, rounds: str, salt: str, digest: str) -> Pbkdf2Hash:
    return Pbkdf2Hash(algorithm, int(rounds), salt.encode(), _base64(digest))


def _passlib_scrypt(log_n: str, r: str, p: str, salt: str, digest: str) -> ScryptHash:
    return ScryptHash(2 ** int(log_n), int(r), int(p), _base64(salt), _base64(digest))


def _werkzeug_scrypt(
    n: str | None, r: str | None, p: str | None, salt: str, digest: str
) -> ScryptHash:
    cost = (int(n), int(r), int(p)) if n and r and p else WERKZEUG_SCRYPT
    return ScryptHash(*cost, salt.encode(), bytes.fromhex(digest))


def _django_scrypt(n: str, salt: str, r: str, p: str, digest: str) -> ScryptHash:
    return ScryptHash(int(n), int(r), int(p), salt.encode(), _base64(digest))


def _bcrypt(django: str | None, salt: str, cost: str, digest: str) -> BcryptHash:
    prehash: Prehash | None = "django" if django == "bcrypt_sha256" else None
    return BcryptHash(int(cost), salt.encode(), digest.encode(), prehash)


def _passlib_bcrypt(
    kind: str, cost: str, kind2: str, cost2: str, salt: str, digest: str
) -> BcryptHash:
    """`$bcrypt-sha256$2b,12$...`, or since passlib 1.7.3 `$bcrypt-sha256$v=2,t=2b,r=12$...`."""
    rounds = cost or cost2
    whole = f"${kind or kind2}${int(rounds):02}${salt}".encode()
    return BcryptHash(int(rounds), whole, digest.encode(), "passlib" if kind else "passlib2")


def _sha512_crypt(rounds: str | None, salt: str, digest: str) -> Sha512Crypt:
    return Sha512Crypt(int(rounds or 5000), salt.encode(), digest.encode())


def _phpass(rounds: str, salt: str, digest: str) -> PhpassHash:
    return PhpassHash(HASH64.index(rounds), salt.encode(), digest.encode())


def _salted_sha(algorithm: str | None, both: str) -> SaltedSha:
    name, raw = f"sha{algorithm or 1}", _base64(both)
    size = hashlib.new(name).digest_size
    return SaltedSha(name, raw[size:], raw[:size])


def _format(
    pattern: str, made_of: Callable[..., StoredHash]
) -> tuple[re.Pattern[str], Callable[..., StoredHash]]:
    return re.compile(pattern), made_of


FORMATS: Final = (
    _format(
        # Django puts `argon2` before the PHC string.
        r"(?:argon2)?\$(argon2id|argon2i|argon2d)(?:\$v=(16|19))?"
        rf"\$m={_NUMBER},t={_NUMBER},p={_NUMBER}\${_BASE64}\${_BASE64}",
        _argon2,
    ),
    _format(rf"\$pbkdf2(?:-(sha256|sha512))?\${_NUMBER}\${_AB64}\${_AB64}", _passlib_pbkdf2),
    _format(rf"pbkdf2(?::(sha1|sha256|sha512)(?::{_NUMBER})?)?\${_SALT}\${_HEX}", _werkzeug_pbkdf2),
    _format(rf"pbkdf2_(sha1|sha256)\${_NUMBER}\${_SALT}\${_PADDED}", _django_pbkdf2),
    _format(
        rf"\$scrypt\$ln=([1-9][0-9]?),r={_NUMBER},p={_NUMBER}\${_BASE64}\${_BASE64}",
        _passlib_scrypt,
    ),
    _format(rf"scrypt(?::{_NUMBER}:{_NUMBER}:{_NUMBER})?\${_SALT}\${_HEX}", _werkzeug_scrypt),
    _format(rf"scrypt\${_NUMBER}\${_SALT}\${_NUMBER}\${_NUMBER}\${_PADDED}", _django_scrypt),
    _format(
        r"(?:(bcrypt|bcrypt_sha256)\$)?"
        r"(\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{22})([./A-Za-z0-9]{31})",
        _bcrypt,
    ),
    _format(
        r"\$bcrypt-sha256\$(?:(2[ab]),([0-9]{1,2})|v=2,t=(2b),r=([0-9]{1,2}))"
        r"\$([./A-Za-z0-9]{22})\$([./A-Za-z0-9]{31})",
        _passlib_bcrypt,
    ),
    _format(
        rf"\$6\$(?:rounds={_NUMBER}\$)?([^$:\n]{{0,16}})\$([./A-Za-z0-9]{{86}})", _sha512_crypt
    ),
    _format(r"\$[PH]\$([./A-Za-z0-9])([./A-Za-z0-9]{8})([./A-Za-z0-9]{22})", _phpass),
    _format(rf"\{{SSHA(256|384|512)?\}}{_PADDED}", _salted_sha),
)
"""Each format's pattern, and what is made of its groups."""
