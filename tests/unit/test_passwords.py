"""Passwords: what is accepted, and how it is hashed."""

from __future__ import annotations

import argon2
import pytest

from dibs.accounts.passwords import hash_password, validate
from dibs.errors import InvalidPassword


@pytest.mark.parametrize("password", ["x" * 8, "x" * 256, "é" * 256, "😀" * 8, " " * 8, "\x00" * 8])
def test_accepted(password):
    """Any characters, counted in code points (NIST SP 800-63B-4, 3.1.1.2)."""
    validate(password)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "password_too_short"),
        ("x" * 7, "password_too_short"),
        ("x" * 257, "password_too_long"),
        ("😀" * 257, "password_too_long"),
        ("x" * 8 + "\ud800", "password_not_text"),
    ],
)
def test_refused(password, code):
    with pytest.raises(InvalidPassword) as caught:
        validate(password)
    assert [reason.code for reason in caught.value.reasons] == [code]


def test_a_refusal_does_not_repeat_the_password():
    with pytest.raises(InvalidPassword) as caught:
        validate("hunter2")
    assert "hunter2" not in str(caught.value)


def test_the_hash():
    """argon2id with OWASP's first choice: 19 MiB, 2 passes, 1 lane; a salt of its own."""
    first, second = hash_password("correct horse"), hash_password("correct horse")
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second


def test_composed_and_decomposed_are_one_password():
    """Keyboards differ in what they send for an é (RFC 8265, 4.2)."""
    argon2.PasswordHasher().verify(hash_password("caf\u00e9 noir"), "caf\u00e9 noir")
    argon2.PasswordHasher().verify(hash_password("cafe\u0301 noir"), "caf\u00e9 noir")


def test_width_and_case_are_kept():
    """Only what looks the same is made the same."""
    for other in ("CORRECT HORSE", "ｃorrect horse"):
        with pytest.raises(argon2.exceptions.VerifyMismatchError):
            argon2.PasswordHasher().verify(hash_password("correct horse"), other)
