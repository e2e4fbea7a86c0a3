"""Tokens: a short-lived JWT that opens doors, and a refresh token that is good for once."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import jwt

from dibs.accounts.keys import KEEP_SECONDS, KeyRing
from dibs.errors import ConfigError, InvalidToken, StoreUnavailable, TokenExpired
from dibs.secret import key_of, mac

Signer = Callable[[str, str], str]
"""Makes the access token of a user's session, by their ids."""

TYPE = "at+jwt"
"""The media type of an access token (RFC 9068, 2.1): nothing else passes for one."""

HEADERS = {"alg", "typ", "kid"}
"""What the header of ours holds; one with `crit`, `jku` or `jwk` in it is none of ours."""

COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII).fullmatch
"""What a JWT looks like (RFC 7515, 7.1): a library may pass over line ends and padding."""

REQUIRED = ["exp", "iat", "nbf", "iss", "aud", "sub", "sid"]
LONGEST = 4096
LEEWAY_SECONDS = 5
HS256_KID = "hs256"


@dataclass(frozen=True, slots=True)
class Access:
    """What a valid access token says: who, never by a name, which may change hands."""

    user_id: str
    session_id: str


class AccessTokens:
    """Signs and reads access tokens, after RFC 8725: the key says the algorithm, not the token.

    While the file of keys cannot be read or made, each of its methods raises `StoreUnavailable`.

    Args:
        keys: The keys, each with its algorithm; unused with HS256.
        secret: That of HS256, 32 characters or more; empty where keys sign.
        issuer, audience: Who signs, and for whom.
        seconds: How long one lives.

    Raises:
        ConfigError: Tokens would live longer than keys do.
    """

    def __init__(
        self, keys: KeyRing, *, secret: str, issuer: str, audience: str, seconds: int
    ) -> None:
        if seconds > KEEP_SECONDS:
            raise ConfigError(f"DIBS_ACCESS_SECONDS is {seconds}; give {KEEP_SECONDS} or less")
        self.keys, self.seconds = keys, seconds
        self._secret, self._issuer, self._audience = secret, issuer, audience

    def signer(self) -> Signer:
        """What makes access tokens, for who must know that it can before anything is changed."""
        if self._secret:
            return partial(self._sign, HS256_KID, self._secret, "HS256")
        with _as_unavailable():
            key = self.keys.signing
        return partial(self._sign, key.kid, key.private, key.algorithm)

    def _sign(self, kid: str, key: Any, algorithm: str, user_id: str, session_id: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user_id,
            "sid": session_id,
            "iat": now,
            "nbf": now,
            "exp": now + self.seconds,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, key, algorithm, headers={"typ": TYPE, "kid": kid})

    def read(self, token: str) -> Access:
        """What a token says, if it is one of ours and of now. Its session may have ended.

        Raises:
            InvalidToken: It is not one of ours, or not for this service.
            TokenExpired: It was.
        """
        if len(token) > LONGEST or not COMPACT(token):
            raise InvalidToken
        try:
            with _as_unavailable():
                key, algorithm = self._key_for(jwt.get_unverified_header(token))
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={"require": REQUIRED, "strict_aud": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired from error
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise InvalidToken from error
        return _access(claims)

    def _key_for(self, header: Mapping[str, Any]) -> tuple[Any, str]:
        """The key that a header names, and the algorithm that is the key's, not the token's."""
        kid = header.get("kid")
        if not header.keys() <= HEADERS or header.get("typ") != TYPE or not isinstance(kid, str):
            raise InvalidToken
        found: tuple[Any, str] | None = None
        if self._secret:
            found = (self._secret, "HS256") if kid == HS256_KID else None
        elif key := self.keys.get(kid):
            found = key.public, key.algorithm
        if found is None or header.get("alg") != found[1]:
            raise InvalidToken
        return found

    def public_keys(self) -> dict[str, list[dict[str, str]]]:
        """The JWK Set by which others can verify; empty with HS256, whose key is a secret."""
        with _as_unavailable():
            return {"keys": [] if self._secret else [key.public_jwk() for key in self.keys.all()]}


@contextmanager
def _as_unavailable() -> Iterator[None]:
    """Say of keys that cannot be read what is said of a database that cannot: try again."""
    try:
        yield
    except ConfigError as error:
        raise StoreUnavailable from error


def _access(claims: Mapping[str, Any]) -> Access:
    times = [claims[name] for name in ("exp", "iat", "nbf")]
    who, session = claims["sub"], claims["sid"]
    if not all(type(value) is int for value in times):
        raise InvalidToken
    # Whoever else has the key may sign one for ever.
    if claims["exp"] - claims["iat"] > KEEP_SECONDS:
        raise InvalidToken
    # Whoever else has the key may sign what no database takes.
    if not all(isinstance(one, str) and _is_uuid(one) for one in (who, session)):
        raise InvalidToken
    return Access(who, session)


class RefreshTokens:
    """Makes refresh tokens, each from the one before.

    A token is the session's id, 32 random-looking bytes and a tag. The bytes of the next one are an
    HMAC of these: so a reply that was lost can be given again, and yet the database, which holds
    hashes, tells nobody a token. By the tag a token of ours is known from an invented one, which
    must not end the session of somebody whose id was seen.
    """

    def __init__(self, secret: str) -> None:
        self._key = key_of("refresh", secret)

    def first(self, session_id: str) -> str:
        """The first token of a session."""
        return self._written(session_id, urlsafe_b64encode(secrets.token_bytes(32)).decode()[:43])

    def following(self, token: str) -> str:
        """The token for which this one is exchanged."""
        session_id, body, _ = token.split(".")
        return self._written(session_id, self._mac(f"next\0{session_id}\0{body}"))

    def session_of(self, token: str) -> str:
        """The id of the session that a token is of; `InvalidToken` if it is none of ours."""
        parts = token.split(".")
        if len(token) > LONGEST or len(parts) != 3 or not token.isascii():
            raise InvalidToken
        session_id, body, tag = parts
        if not hmac.compare_digest(tag, self._tag(session_id, body)) or not _is_uuid(session_id):
            raise InvalidToken
        return session_id

    def _written(self, session_id: str, body: str) -> str:
        return f"{session_id}.{body}.{self._tag(session_id, body)}"

    def _tag(self, session_id: str, body: str) -> str:
        return self._mac(f"tag\0{session_id}\0{body}")[:22]

    def _mac(self, text: str) -> str:
        return urlsafe_b64encode(mac(self._key, text.encode())).decode().rstrip("=")


def hash_of(token: str) -> str:
    """What the database keeps of a refresh token; it is random, so nobody can guess it back."""
    return hashlib.sha256(token.encode(errors="backslashreplace")).hexdigest()


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
