"""What tests of tokens share: to sign one, and to take it apart."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, get_args

import jwt
import pytest

from dibs.accounts.keys import KeyAlgorithm, KeyRing
from dibs.accounts.tokens import AccessTokens
from dibs.errors import InvalidToken
from tests.accounts.people import A_SECRET

USER, SESSION = "5b1c9a52-6b5c-4b2b-9d5b-7f3d3f0f1a10", "0b8e7c1e-6c53-4a2f-8f1e-1f4cbb7c7b11"
KINDS = ("EdDSA", "Ed25519", "ES256", "HS256")


def make(folder: Path, kind: Any, seconds: int = 300) -> AccessTokens:
    secret = A_SECRET if kind == "HS256" else ""
    ring = KeyRing(folder / "keys.json")
    if kind in get_args(KeyAlgorithm):
        ring.rotate(kind)
    return AccessTokens(ring, secret=secret, issuer="dibs", audience="dibs", seconds=seconds)


def key_of(tokens: AccessTokens) -> Any:
    return tokens._secret or tokens.keys.signing.private


def claims_of(tokens: AccessTokens) -> dict[str, Any]:
    token = tokens.signer()(USER, SESSION)
    return dict(jwt.decode(token, options={"verify_signature": False}))


def header_of(tokens: AccessTokens) -> dict[str, Any]:
    return dict(jwt.get_unverified_header(tokens.signer()(USER, SESSION)))


def signed(
    tokens: AccessTokens,
    claims: Any,
    header: dict[str, Any] | None = None,
    key: tuple[Any, str] | None = None,
) -> str:
    """A token with just this header and these claims, and a true signature.

    Args:
        key: Another than the service's, and its algorithm.
    """
    header = header_of(tokens) if header is None else header
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    text = f"{b64(json.dumps(header).encode())}.{b64(body)}"
    private, name = key or (key_of(tokens), header_of(tokens)["alg"])
    algorithm = jwt.get_algorithm_by_name(name)
    ready = algorithm.prepare_key(private)
    return f"{text}.{b64(algorithm.sign(text.encode(), ready))}"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def refused(tokens: AccessTokens, token: str) -> None:
    with pytest.raises(InvalidToken) as refusal:
        tokens.read(token)
    assert type(refusal.value) is InvalidToken
