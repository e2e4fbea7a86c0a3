"""The keys that sign access tokens: made once, kept in a file, rotated without a restart."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt import PyJWTError, register_algorithm
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from dibs.errors import ConfigError

LOOK_AGAIN_SECONDS = 1.0
"""How long a rotation on another worker may go unseen."""

KEEP_SECONDS = 86_400
"""How long a key that signs no more still verifies, and so the longest life of an access token."""

KeyAlgorithm = Literal["EdDSA", "Ed25519", "ES256"]
"""What a key signs by. The first two are one algorithm (RFC 8032) by two names: that of RFC 8037,
which every library knows, and that of RFC 9864, which deprecates the other."""

# PyJWT does not know the name of RFC 9864, and takes it from whoever does; or knows it by now.
with suppress(ValueError):
    register_algorithm("Ed25519", OKPAlgorithm())


@dataclass(frozen=True, slots=True)
class Key:
    """A key of Ed25519 (RFC 8032) or P-256 (RFC 7518); its times are seconds since 1970.

    It signs and verifies by its one algorithm: no token can choose another.
    """

    kid: str
    private: Ed25519PrivateKey | EllipticCurvePrivateKey
    created_at: int
    retired_at: int | None = None
    algorithm: KeyAlgorithm = "EdDSA"

    @property
    def public(self) -> Ed25519PublicKey | EllipticCurvePublicKey:
        return self.private.public_key()

    @property
    def is_dropped(self) -> bool:
        """Whether it was retired so long ago that nothing it signed is valid."""
        return self.retired_at is not None and time.time() - self.retired_at >= KEEP_SECONDS

    def public_jwk(self) -> dict[str, str]:
        """As anybody may see it (RFC 7517)."""
        jwk = self._jwk()
        own = {"use": "sig", "alg": self.algorithm, "kid": self.kid}
        point: dict[str, str] = {name: str(jwk[name]) for name in ("x", "y") if name in jwk}
        return {"kty": jwk["kty"], "crv": jwk["crv"], **own, **point}

    def private_jwk(self) -> dict[str, Any]:
        """As it is kept."""
        times = {"created_at": self.created_at, "retired_at": self.retired_at}
        return {**self.public_jwk(), "d": self._jwk()["d"], **times}

    def _jwk(self) -> dict[str, Any]:
        if isinstance(self.private, Ed25519PrivateKey):
            return OKPAlgorithm.to_jwk(self.private, as_dict=True)
        return ECAlgorithm.to_jwk(self.private, as_dict=True)


class KeyRing:
    """The keys of a file in JWK Set form (RFC 7517), which nobody but its owner may read.

    Every server of one service needs the same file. One that vanishes or is spoilt under
    a running server is an error until it is back: keys made in its place would end every
    token, and hide from whom the old ones were taken. Each method raises `ConfigError` then,
    and where the file, which is made when a first token is signed, cannot be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._seen: tuple[int, ...] = ()
        self._looked_at = 0.0

    def create(self) -> bool:
        """Make the file with a first key unless it is there, and say whether it was made."""
        with self._locked():
            if os.path.lexists(self.path):
                return False
            self._write([_new_key("EdDSA")])
        return True

    def rotate(self, algorithm: KeyAlgorithm | None = None) -> Key:
        """Sign with a new key from now on; the one before goes on verifying for a day.

        Args:
            algorithm: That of the new key; None for that of the key before, or EdDSA.
        """
        with self._locked():
            now = int(time.time())
            found = [*self._read().values()] if os.path.lexists(self.path) else []
            new = _new_key(algorithm or (found[-1].algorithm if found else "EdDSA"))
            kept = [
                key if key.retired_at is not None else replace(key, retired_at=now)
                for key in found
                if not key.is_dropped
            ]
            self._write([*kept, new])
        return new

    def all(self) -> list[Key]:
        """Every key that verifies, the one that signs last; none before the file is made."""
        return [key for key in self._current().values() if not key.is_dropped]

    @property
    def signing(self) -> Key:
        """The key that signs; the file is made if there never was one."""
        if not self._current():
            self.create()
            self._current(anew=True)
        for key in reversed(self._keys.values()):
            if key.retired_at is None:
                return key
        raise ConfigError(f"{self.path} holds no key that signs: run `dibs keys rotate`")

    def get(self, kid: str) -> Key | None:
        """The key with this name."""
        # One that is not known may have been made a moment ago, by another process.
        key = self._current().get(kid) or self._current(anew=True).get(kid)
        return None if key is None or key.is_dropped else key

    def _current(self, *, anew: bool = False) -> Mapping[str, Key]:
        if self._keys and not anew and time.monotonic() - self._looked_at < LOOK_AGAIN_SECONDS:
            return self._keys
        with self._lock:
            self._look()
            return self._keys

    def _look(self) -> None:
        """Read the file if it is another one than the last time."""
        now = time.monotonic()
        try:
            status = self.path.stat()
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not self._keys:
                return  # not made yet
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}") from None
        # ctime too: it tells that others may read it from now on.
        seen = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
        if seen != self._seen:
            self._keys, self._seen = self._read(), seen
        self._looked_at = now

    def _read(self) -> dict[str, Key]:
        # `from None`: the sentence is what the log shall show, and never a piece of the file.
        try:
            with self.path.open(encoding="utf-8") as file:
                status = os.fstat(file.fileno())
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            words = getattr(error, "strerror", None) or "it is not text"
            raise ConfigError(f"{self.path} cannot be read: {words}") from None
        # Who is not its owner can only read it by its group, as Kubernetes mounts it (fsGroup).
        is_lent = status.st_uid != os.geteuid()
        if stat.S_IMODE(status.st_mode) & (0o037 if is_lent else 0o077):
            raise ConfigError(f"Others can read {self.path}: run `chmod 600 {self.path}`")
        try:
            keys = [_key(item) for item in json.loads(text)["keys"]]
        except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError, PyJWTError):
            raise ConfigError(f"{self.path} holds no keys that `dibs keys` wrote") from None
        if not keys:
            raise ConfigError(f"{self.path} holds no key: run `dibs keys rotate`")
        return {key.kid: key for key in keys}

    def _write(self, keys: Sequence[Key]) -> None:
        text = json.dumps({"keys": [key.private_jwk() for key in keys]}, indent=1)
        new = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        try:
            try:
                _write_durably(new, text, like=self.path)
                new.replace(self.path)
            finally:
                new.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}") from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time change the file; its reader needs no lock."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _write_durably(path: Path, text: str, *, like: Path) -> None:
    """Write a file of this user's alone, or of the user's who has the one it is to replace."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        with suppress(FileNotFoundError):
            theirs = like.stat()
            if theirs.st_uid != os.geteuid():  # `dibs keys rotate` as root
                os.fchown(file.fileno(), theirs.st_uid, theirs.st_gid)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _new_key(algorithm: KeyAlgorithm) -> Key:
    is_ec = algorithm == "ES256"
    private = generate_private_key(SECP256R1()) if is_ec else Ed25519PrivateKey.generate()
    return Key(secrets.token_hex(8), private, int(time.time()), algorithm=algorithm)


def _key(item: Mapping[str, Any]) -> Key:
    kid, retired_at = item["kid"], item.get("retired_at")
    algorithm: KeyAlgorithm = item.get("alg", "EdDSA")
    # They read Ed448 and other curves too, and public keys.
    is_ec = algorithm == "ES256"
    private = (ECAlgorithm if is_ec else OKPAlgorithm).from_jwk(dict(item))
    fits = item["crv"] == ("P-256" if is_ec else "Ed25519")
    if not fits or not isinstance(kid, str) or algorithm not in get_args(KeyAlgorithm):
        raise TypeError(kid)
    if not isinstance(private, (Ed25519PrivateKey, EllipticCurvePrivateKey)):
        raise TypeError(kid)
    return Key(kid, private, int(item["created_at"]), retired_at and int(retired_at), algorithm)
