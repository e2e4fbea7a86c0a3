"""What is made with the service's secret: claim tokens that nobody else can make."""

from __future__ import annotations

import hashlib
import hmac


def claim_token(request: tuple[bytes, ...], secret: str) -> str:
    """The claim token of a request.

    The parts are hashed one by one, so that no two requests run together into the same bytes.

    Args:
        request: Route, caller, idempotency key, body.
        secret: Of the service.
    """
    parts = b"".join(hashlib.sha256(part).digest() for part in request)
    return hmac.digest(secret.encode(), parts, "sha256").hex()
