"""Tokens that nobody signed, or not so: forged, changed, in odd forms."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from dibs.accounts.keys import KeyRing
from dibs.accounts.tokens import HS256_KID, LONGEST, TYPE, AccessTokens
from dibs.errors import InvalidToken
from tests.accounts.signing import (
    KINDS,
    SESSION,
    USER,
    b64,
    claims_of,
    header_of,
    make,
    refused,
    signed,
)

BAD_HEADERS: dict[str, dict[str, Any]] = {
    "alg none": {"alg": "none"},
    "alg None": {"alg": "None"},
    "alg nOnE": {"alg": "nOnE"},
    "no alg": {"alg": ...},
    "alg a list": {"alg": ["EdDSA", "HS256"]},
    "RS256": {"alg": "RS256"},
    "ES384": {"alg": "ES384"},
    "HS512": {"alg": "HS512"},
    "no kid": {"kid": ...},
    "kid null": {"kid": None},
    "kid a number": {"kid": 1},
    "kid a list": {"kid": ["hs256"]},
    "kid an object": {"kid": {}},
    "kid unknown": {"kid": "nobody"},
    "kid empty": {"kid": ""},
    "kid a path": {"kid": "../../../../dev/null"},
    "kid SQL": {"kid": "x' UNION SELECT 'secret"},
    "kid a command": {"kid": "|/bin/id"},
    "kid long": {"kid": "x" * 2000},
    "no typ": {"typ": ...},
    "typ JWT": {"typ": "JWT"},
    "typ in capitals": {"typ": "AT+JWT"},
    "typ with its tree": {"typ": "application/at+jwt"},
    "typ a number": {"typ": 1},
    "jku": {"jku": "https://evil.example/jwks.json"},
    "x5u": {"x5u": "https://evil.example/cert.pem"},
    "jwk": {"jwk": {"kty": "oct", "k": "AAAA"}},
    "x5c": {"x5c": ["MIIB"]},
    "crit": {"crit": ["exp"]},
    "crit and b64": {"crit": ["b64"], "b64": False},
    "b64": {"b64": False},
    "cty": {"cty": "JWT"},
    "zip": {"zip": "DEF"},
}


@pytest.mark.parametrize("change", BAD_HEADERS)
def test_a_header_that_is_none_of_ours(tokens: AccessTokens, change: str) -> None:
    """Even with a true signature under it."""
    header = {**header_of(tokens), **BAD_HEADERS[change]}
    header = {name: value for name, value in header.items() if value is not ...}
    refused(tokens, signed(tokens, claims_of(tokens), header))


@pytest.mark.parametrize("header", ["null", "[]", '"x"', "1", "{", "", "\xff", "[" * 2000])
def test_a_header_that_is_no_object(tokens: AccessTokens, header: str) -> None:
    _, body, signature = tokens.signer()(USER, SESSION).split(".")
    refused(tokens, f"{b64(header.encode('latin-1'))}.{body}.{signature}")


TIMES: dict[str, Any] = {
    "a string": "9999999999",
    "a float": 9999999999.5,
    "infinite": float("inf"),
    "no number": float("nan"),
    "a list": [9999999999],
    "an object": {},
    "true": True,
    "null": None,
}


@pytest.mark.parametrize("kind", TIMES)
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_a_time_that_is_no_whole_number(tokens: AccessTokens, name: str, kind: str) -> None:
    with pytest.raises(InvalidToken):  # true is 1, and that is long ago
        tokens.read(signed(tokens, {**claims_of(tokens), name: TIMES[kind]}))


@pytest.mark.parametrize("value", [None, 1, True, [], ["dibs"], {}, "", "other", "Dibs", ...])
@pytest.mark.parametrize("name", ["iss", "aud", "sub", "sid"])
def test_a_claim_that_is_none_of_ours(tokens: AccessTokens, name: str, value: Any) -> None:
    """Another type, another issuer, another audience, a list of audiences, or none."""
    if name in ("sub", "sid") and isinstance(value, str):
        return  # any text: it is looked up
    claims = {**claims_of(tokens), name: value}
    refused(tokens, signed(tokens, {k: v for k, v in claims.items() if v is not ...}))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_a_time_that_is_missing(tokens: AccessTokens, name: str) -> None:
    claims = claims_of(tokens)
    del claims[name]
    refused(tokens, signed(tokens, claims))


@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"', b"1", b"{", b"", b"\xff", b"[" * 2000])
def test_a_body_that_is_no_object(tokens: AccessTokens, body: bytes) -> None:
    refused(tokens, signed(tokens, body))


@pytest.mark.parametrize("other", KINDS)
def test_the_key_says_the_algorithm(tokens: AccessTokens, other: str) -> None:
    """The name of another one is refused, also over a true signature and beside a key of it."""
    header, claims = header_of(tokens), claims_of(tokens)
    if other == header["alg"]:
        assert tokens.read(signed(tokens, claims, header)).user_id == USER
        return
    refused(tokens, signed(tokens, claims, {**header, "alg": other}))
    if other == "HS256" or header["alg"] == "HS256":
        return
    key, new = tokens.keys.signing, tokens.keys.rotate(other)  # type: ignore[arg-type]
    tokens.keys._looked_at = 0.0
    for kid, alg in ((key.kid, new.algorithm), (new.kid, key.algorithm)):
        for private in (key.private, new.private):
            name = key.algorithm if private is key.private else new.algorithm
            refused(
                tokens, signed(tokens, claims, {**header, "alg": alg, "kid": kid}, (private, name))
            )
            refused(tokens, signed(tokens, claims, {**header, "alg": "none", "kid": kid}))
    before = signed(tokens, claims, header, (key.private, key.algorithm))
    assert tokens.read(before).user_id == tokens.read(tokens.signer()(USER, SESSION)).user_id


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "HS256"])
def test_the_public_key_is_no_secret(tmp_path: Path, kind: str) -> None:
    """HS256 with what everybody may fetch, in every form it comes in."""
    tokens = make(tmp_path, kind)
    claims, key = claims_of(tokens), tokens.keys.signing
    is_ec = kind == "ES256"
    raw = PublicFormat.UncompressedPoint if is_ec else PublicFormat.Raw
    forms = [
        key.public.public_bytes(Encoding.X962 if is_ec else Encoding.Raw, raw),
        key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        key.public_jwk()["x"].encode(),
        json.dumps(key.public_jwk()).encode(),
        key.kid.encode(),
        b"",
    ]
    for alg in ("HS256", kind):
        text = ".".join(
            b64(json.dumps(part).encode())
            for part in ({"alg": alg, "typ": TYPE, "kid": key.kid}, claims)
        )
        for form in forms:
            refused(tokens, f"{text}.{b64(hmac.digest(form, text.encode(), 'sha256'))}")


def test_other_peoples_keys(tokens: AccessTokens, tmp_path: Path) -> None:
    """RSA, elliptic curves, and an Ed25519 key of somebody else under our kid."""
    claims, header = claims_of(tokens), header_of(tokens)
    rsa_key = rsa.generate_private_key(65537, 2048)
    ec_key = ec.generate_private_key(ec.SECP256R1())
    foreign = KeyRing(tmp_path / "foreign.json").signing.private
    forged = [
        jwt.encode(claims, rsa_key, "RS256", headers=header | {"alg": "RS256"}),
        jwt.encode(claims, rsa_key, "PS256", headers=header | {"alg": "PS256"}),
        jwt.encode(claims, ec_key, "ES256", headers=header | {"alg": "ES256"}),
        jwt.encode(claims, foreign, "EdDSA", headers=header | {"alg": "EdDSA"}),
        jwt.encode(claims, foreign, "Ed25519", headers=header | {"alg": "Ed25519"}),
        jwt.encode(claims, "f" * 32, "HS256", headers=header | {"alg": "HS256"}),
        jwt.encode(claims, "f" * 64, "HS256", headers={"typ": TYPE, "kid": HS256_KID}),
        jwt.encode(claims, "", "none", headers={"typ": TYPE, "kid": header["kid"]}),
    ]
    for token in forged:
        refused(tokens, token)


def odd_forms(token: str) -> Iterator[str]:
    head, body, signature = token.split(".")
    yield from (token[:i] for i in range(len(token)))
    yield from (token[i:] for i in range(1, len(token)))
    yield from (f"{head}.{body}.", f"{head}.{body}", f"{head}..{signature}", f".{body}.{signature}")
    yield from (f"{token}.", f".{token}", f"{token}.{signature}", f"{token}=", f"{token}\n")
    yield from (f" {token}", f"{token} ", f"Bearer {token}", f"{token}\x00", f"é{token}")
    yield from (token.replace("e", "е", 1), token + "x" * LONGEST, "x" * 2**20, "." * 2**20)
    yield from (
        "",
        ".",
        "..",
        "...",
        "null",
        "{}",
        "\ud800",
        "\U0001f600" * 3,
        "a.b.c",
        "a.b.c.d.e",
    )


def test_odd_forms(tokens: AccessTokens) -> None:
    """Cut at every byte, from either end; with something more; of a megabyte."""
    for form in odd_forms(tokens.signer()(USER, SESSION)):
        with pytest.raises(InvalidToken):
            tokens.read(form)


EDITS = st.tuples(
    st.sampled_from(("replace", "insert", "delete", "swap")),
    st.integers(0, 10_000),
    st.text(min_size=1, max_size=3),
)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_changed(tmp_path: Path, kind: str) -> None:
    """A mutation of a valid token is never another error than those two."""
    tokens = make(tmp_path, kind)
    valid = tokens.signer()(USER, SESSION)

    @given(st.lists(EDITS, min_size=1, max_size=4))
    @settings(max_examples=400)
    def mutate(edits: list[tuple[str, int, str]]) -> None:
        token = valid
        for edit in edits:
            token = edited(token, *edit)
        if same_bytes(token, valid):
            return  # the last bits of base64 say nothing
        with pytest.raises(InvalidToken):
            tokens.read(token)

    mutate()


def edited(token: str, what: str, where: int, text: str) -> str:
    at = where % (len(token) or 1)
    if what == "insert":
        return token[:at] + text + token[at:]
    if what == "delete":
        return token[:at] + token[at + len(text) :]
    if what == "swap":
        return token[at:] + token[:at]
    return token[:at] + text + token[at + len(text) :]


def same_bytes(token: str, valid: str) -> bool:
    """Whether head and body are the same, and the signature decodes to the same bytes."""
    (*text, last), (*valid_text, valid_last) = token.split("."), valid.split(".")
    return text == valid_text and decoded(last) == decoded(valid_last)


def decoded(text: str) -> bytes | None:
    try:
        return jwt.utils.base64url_decode(text)
    except ValueError:
        return None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


CLAIMS = ("iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti")


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_claimed(tmp_path: Path, kind: str) -> None:
    """Under a true signature, and a header of ours or not: the same two errors, or an answer."""
    tokens = make(tmp_path, kind)
    claims, header = claims_of(tokens), header_of(tokens)

    @given(
        st.dictionaries(st.sampled_from(CLAIMS), JSON, max_size=3),
        st.dictionaries(st.sampled_from(("alg", "typ", "kid", "crit", "b64")), JSON, max_size=1),
    )
    @settings(max_examples=300)
    def claim(wrong: dict[str, Any], other: dict[str, Any]) -> None:
        token = signed(tokens, {**claims, **wrong}, {**header, **other})
        try:
            answer = tokens.read(token)
        except InvalidToken:
            return
        assert not other
        assert isinstance(answer.user_id, str)
        assert isinstance(answer.session_id, str)

    claim()
