"""The service's secret: for each use a key of its own, and what is made with them.

Nothing that is made for one use passes for another. What was made before must hold after every
upgrade, so a derivation never changes; a new use gets its key as the last ones do.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from dibs.context import Deadline

Use = Literal["claim", "hold", "refresh", "csrf", "cache", "limits", "filter", "recovery"]


@dataclass(frozen=True, slots=True)
class ServiceSecret:
    """Tells the service's secret when it is called, before a deadline.

    Attributes:
        chosen: DIBS_SECRET_KEY, or nothing.
        in_database: Asks for the one that the database has for want of that.
    """

    chosen: str
    in_database: Callable[[Deadline], str]

    def __call__(self, deadline: Deadline) -> str:
        """The secret.

        Raises:
            StoreUnavailable: It is in the database, which cannot answer.
        """
        return self.chosen or self.in_database(deadline)


def key_of(use: Use, secret: str) -> bytes:
    """The key of one use.

    Args:
        use: What is made with it.
        secret: Of the service or of its database, or a text that holds it and what else is to
            make another key.
    """
    text = secret.encode()
    match use:
        case "claim" | "hold":
            return text  # digests are the messages of the one, texts of the other begin "hold"
        case "refresh" | "csrf":
            return hashlib.sha256(f"dibs {use}\0".encode() + text).digest()
        case "cache" | "limits" | "filter" | "recovery":
            label = f"dibs {use}".encode()
            return hashlib.blake2b(text, digest_size=32, person=label).digest()


def mac(key: bytes, message: bytes) -> bytes:
    """The HMAC-SHA256 of a message (RFC 2104): 32 bytes that only who has the key can make."""
    return hmac.digest(key, message, "sha256")


def claim_token(request: tuple[bytes, ...], secret: str) -> str:
    """The claim token of a request.

    The parts are hashed one by one, so that no two requests run together into the same bytes.

    Args:
        request: Route, caller, idempotency key, body.
        secret: Of the service.
    """
    parts = b"".join(hashlib.sha256(part).digest() for part in request)
    return mac(key_of("claim", secret), parts).hex()
