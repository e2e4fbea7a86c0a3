"""Access tokens: whatever is not one of ours is one thing, InvalidToken, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dibs.accounts.keys import KEEP_SECONDS
from dibs.accounts.tokens import LEEWAY_SECONDS, Access, AccessTokens, RefreshTokens, hash_of
from dibs.errors import ConfigError, InvalidToken, StoreUnavailable, TokenExpired
from tests.accounts.people import A_SECRET
from tests.accounts.signing import SESSION, USER, claims_of, header_of, make, refused, signed
from tests.accounts.test_tokens_forged import odd_forms


def test_what_is_signed_is_read(tokens: AccessTokens) -> None:
    assert tokens.read(tokens.signer()(USER, SESSION)) == Access(USER, SESSION)
    assert tokens.read(signed(tokens, claims_of(tokens))) == Access(USER, SESSION)
    assert claims_of(tokens).keys() == {"iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"}


def test_no_name_is_in_a_token(tokens: AccessTokens) -> None:
    """A name may change hands while a token lives."""
    assert claims_of(tokens)["sub"] == USER
    assert header_of(tokens)["typ"] == "at+jwt"


def test_time_and_its_leeway(tokens: AccessTokens) -> None:
    """Clocks of two servers may differ by some seconds."""
    now, claims = int(time.time()), claims_of(tokens)
    with pytest.raises(TokenExpired):
        tokens.read(signed(tokens, {**claims, "exp": now - LEEWAY_SECONDS - 1}))
    refused(tokens, signed(tokens, {**claims, "nbf": now + LEEWAY_SECONDS + 30}))
    refused(tokens, signed(tokens, {**claims, "iat": now + LEEWAY_SECONDS + 30}))
    tokens.read(signed(tokens, {**claims, "exp": now - LEEWAY_SECONDS + 3}))
    day = {**claims, "iat": now, "exp": now + 86_400}
    tokens.read(signed(tokens, day))
    refused(tokens, signed(tokens, {**day, "exp": now + 86_401}))  # longer than any key goes on
    tokens.read(signed(tokens, {**claims, "nbf": now + 2, "iat": now + 2}))
    with pytest.raises(TokenExpired):
        tokens.read(signed(tokens, {**claims, "exp": -(10**30)}))


def test_each_kind_of_token_is_for_its_own_use(tokens: AccessTokens) -> None:
    ours = RefreshTokens(A_SECRET)
    first = ours.first(SESSION)
    refused(tokens, first)
    for access in (tokens.signer()(USER, SESSION), signed(tokens, claims_of(tokens))):
        with pytest.raises(InvalidToken):
            ours.session_of(access)


def test_refresh_tokens() -> None:
    """Each has one that follows, known to nobody but the service."""
    ours, theirs = RefreshTokens(A_SECRET), RefreshTokens(A_SECRET[::-1])
    token = ours.first(SESSION)
    assert ours.session_of(token) == SESSION
    assert token != ours.first(SESSION)
    chain = [token]
    for _ in range(5):
        chain.append(ours.following(chain[-1]))
        assert ours.session_of(chain[-1]) == SESSION
    assert len(set(chain)) == 6
    assert ours.following(token) == chain[1] != theirs.following(token)
    with pytest.raises(InvalidToken):
        theirs.session_of(token)
    assert hash_of(token) not in token
    for form in odd_forms(token):
        with pytest.raises(InvalidToken):
            ours.session_of(form)
    nobody = ours._written("no uuid", "x" * 43)
    with pytest.raises(InvalidToken):
        ours.session_of(nobody)


@given(st.text(max_size=80))
def test_any_text_as_a_refresh_token(text: str) -> None:
    for form in (text, f"{SESSION}.{text}", f"{SESSION}.{text}.{text}"):
        with pytest.raises(InvalidToken):
            RefreshTokens(A_SECRET).session_of(form)


def test_a_secret_has_no_public_keys(tmp_path: Path) -> None:
    assert make(tmp_path, "HS256").public_keys() == {"keys": []}
    assert not (tmp_path / "keys.json").exists()


def test_tokens_live_no_longer_than_keys(tmp_path: Path) -> None:
    make(tmp_path, "EdDSA", KEEP_SECONDS)
    with pytest.raises(ConfigError, match="DIBS_ACCESS_SECONDS"):
        make(tmp_path, "EdDSA", KEEP_SECONDS + 1)


def test_keys_that_cannot_be_read_are_no_answer(tmp_path: Path) -> None:
    """503, and in the log the sentence that says what to do."""
    tokens = make(tmp_path, "EdDSA")
    token = tokens.signer()(USER, SESSION)
    (tmp_path / "keys.json").chmod(0o644)
    tokens.keys._looked_at = 0.0
    jobs: list[Callable[[], object]] = [
        lambda: tokens.read(token),
        lambda: tokens.signer()(USER, SESSION),
        tokens.public_keys,
    ]
    for job in jobs:
        with pytest.raises(StoreUnavailable) as refusal:
            job()
        assert "chmod 600" in str(refusal.value.__cause__)
    (tmp_path / "keys.json").chmod(0o600)
    assert tokens.read(token) == Access(USER, SESSION)
