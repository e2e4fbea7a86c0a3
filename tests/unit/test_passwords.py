"""Passwords: what is accepted, and the doors to hashing."""

from __future__ import annotations

import threading

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dibs.accounts.passwords import (
    Argon2,
    Passwords,
    Rules,
    hashing,
)
from dibs.accounts.passwords.hashing import Verifier, make
from dibs.accounts.passwords.rules import common_passwords, refuse_unchanged
from dibs.errors import InvalidPassword, Overloaded
from dibs.names.canonical import normalise

QUICK = Argon2(memory_kib=8, passes=1)
LEAKED = "leaked horse battery"


def reasons(password: str, *, rules: Rules | None = None, **kwargs: str) -> list[str]:
    """The codes of what is wrong with a password."""
    try:
        (rules or Rules()).validate(password, **kwargs)
    except InvalidPassword as error:
        return [reason.code for reason in error.reasons]
    return []


@pytest.mark.parametrize(
    "password", ["qz" * 4, "qz" * 128, "é" * 256, "😀" * 8, "  a " * 2, "a\x00" * 4, "mnzxkwpq"]
)
def test_accepted(password):
    """Any characters, counted in code points (NIST SP 800-63B-4, 3.1.1.2)."""
    Rules().validate(password)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "password_too_short"),
        ("x" * 7, "password_too_short"),
        ("x" * 257, "password_too_long"),
        ("😀" * 257, "password_too_long"),
        ("x" * 100_000, "password_too_long"),
        ("x" * 8 + "\ud800", "password_not_text"),
        (" " * 8, "password_blank"),
        ("\u3000\u00a0 \t\n\r\u2003\u200b", "password_blank"),
        ("\x00" * 8, "password_blank"),
        ("\u3164" * 8, "password_blank"),
        ("\u115f\u1160\uffa0\u2800" * 2, "password_blank"),
    ],
)
def test_refused(password, code):
    with pytest.raises(InvalidPassword) as caught:
        Rules().validate(password)
    assert [reason.code for reason in caught.value.reasons] == [code]


def test_a_refusal_does_not_repeat_the_password():
    for password in ("hunter2", "password123", "ada12345"):
        with pytest.raises(InvalidPassword) as caught:
            Rules().validate(password, name="ada")
        assert password not in str(caught.value)


def test_the_least_length_can_be_set():
    rules = Rules(min_length=15)
    assert reasons("mnzxkwpqmnzxkw", rules=rules) == ["password_too_short"]
    assert reasons("mnzxkwpqmnzxkwp", rules=rules) == []


@pytest.mark.parametrize("length", [7, 65])
def test_lengths_that_nobody_should_set(length):
    """ASVS 5.0, 6.2.1 and 6.2.9: at least 8, and 64 are permitted."""
    with pytest.raises(ValueError, match="length"):
        Rules(min_length=length)


@pytest.mark.parametrize(
    "password",
    ["password", "PassWord123", "ｐａｓｓｗｏｒｄ", " qwertyuiop ", "12345678", "xxxxxxxx",
     "friend of emily", "1q2w3e4r5t6y"],
)  # fmt: skip
def test_common_ones_are_refused(password):
    """In any case and width."""
    assert reasons(password) == ["password_common"]


def test_the_list_of_common_ones():
    """It is compared as it was made: normalised, long enough, without white space around."""
    words = common_passwords()
    assert len(words) == 8354
    assert all(len(word) >= 8 and word == normalise(word).strip() for word in words)


@pytest.mark.parametrize(
    "password",
    ["Ada.Lovelace", "ada.lovelace1", "AdaLovelace1815", "ecalevol.ada", "ada.lovelaceADALOVELACE",
     "!!ada_lovelace", "a d a lovelace 1815"],
)  # fmt: skip
def test_the_name_is_refused(password):
    """Also backwards, doubled, and with a date or a few signs around it."""
    assert reasons(password, name="Ada.Lovelace") == ["password_is_name"]


@pytest.mark.parametrize("password", ["dibsdibs", "DIBS2026!", "dibs-tallyho", "ohyllat1"])
def test_the_service_is_refused(password):
    rules = Rules(service_words=("Tallyho",))
    assert reasons(password, rules=rules, name="ada") == ["password_is_service"]


def test_a_name_of_two_characters():
    assert reasons("小明小明小明1984", name="小明") == ["password_is_name"]


def test_name_and_service_together():
    assert reasons("ada@dibs2026", name="ada") == ["password_is_name"]


@pytest.mark.parametrize(
    "password",
    ["ada loves numbers", "ada 0044 20 7946 0958", "nobody dibsed it", "canada 49 north"],
)
def test_a_name_within_more_is_accepted(password):
    assert reasons(password, name="ada") == []


def test_every_reason_at_once():
    assert reasons("ada1", name="ada") == ["password_too_short", "password_is_name"]
    assert reasons("ada\ud800", name="ada") == [
        "password_too_short",
        "password_not_text",
        "password_is_name",
    ]


def test_what_is_far_too_long_for_a_name_is_not_read(monkeypatch):
    """Marks are sorted at the cost of the square of their number: 64 KiB of them take seconds."""
    read: list[str] = []

    def noted(text: str) -> str:
        read.append(text)
        return normalise(text)

    monkeypatch.setattr("dibs.accounts.passwords.rules.normalise", noted)
    assert reasons("correct horse battery", name="a" + "\u0316\u0301" * 1000) == []
    assert max(map(len, read)) <= 256


@given(st.text(), st.text())
def test_any_text_is_judged(password, name):
    reasons(password, name=name)


@pytest.mark.parametrize(("seen", "found"), [(3, ["password_leaked"]), (0, []), (None, [])])
def test_leaked_ones_are_refused(seen, found):
    """None means that the list could not be asked: then it is accepted."""
    rules = Rules(breaches=lambda password: seen if password == LEAKED else None)
    assert reasons(LEAKED, rules=rules) == found


def test_the_list_of_leaks_is_asked_last():
    """Not about what is refused anyway: a question takes time, and says a little."""
    asked: list[str] = []
    rules = Rules(breaches=lambda password: asked.append(password))
    assert reasons("password", rules=rules) == ["password_common"]
    assert asked == []


def test_the_hash():
    """argon2id with OWASP's first choice: 19 MiB, 2 passes, 1 lane; a salt of its own."""
    first, second = make("correct horse", Argon2()), make("correct horse", Argon2())
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second
    assert Verifier(Argon2()).check("correct horse", first).ok
    assert not Verifier(Argon2()).check("correct house", first).ok


def test_parameters_can_be_set():
    stored = make("correct horse", Argon2(memory_kib=32, passes=3, lanes=2))
    assert stored.startswith("$argon2id$v=19$m=32,t=3,p=2$")
    argon2.PasswordHasher().verify(stored, "correct horse")


def test_composed_and_decomposed_are_one_password():
    """Keyboards differ in what they send for an é (RFC 8265, 4.2)."""
    argon2.PasswordHasher().verify(make("caf\u00e9 noir", Argon2()), "caf\u00e9 noir")
    argon2.PasswordHasher().verify(make("cafe\u0301 noir", Argon2()), "caf\u00e9 noir")


@pytest.mark.parametrize("blank", "\u00a0\u1680\u2003\u202f\u205f\u3000")
def test_every_blank_is_a_space(blank):
    """RFC 8265, 4.2.2; a Japanese keyboard types U+3000. Hashes from before are still good."""
    typed = f"correct{blank}horse"
    argon2.PasswordHasher().verify(make(typed, Argon2()), "correct horse")
    assert Verifier(Argon2()).check(typed, argon2.PasswordHasher(1, 64, 1).hash(typed)).ok
    with pytest.raises(InvalidPassword):
        refuse_unchanged(typed, "correct horse")


def test_width_and_case_are_kept():
    """Only what looks the same is made the same."""
    for other in ("CORRECT HORSE", "ｃorrect horse"):
        with pytest.raises(argon2.exceptions.VerifyMismatchError):
            argon2.PasswordHasher().verify(make("correct horse", Argon2()), other)


def test_a_service_hashes_and_verifies():
    passwords = Passwords(argon2=QUICK)
    passwords.warm_up()
    passwords.validate("correct horse", name="ada")
    stored = passwords.hash("correct horse", remaining=5)
    assert passwords.verify("correct horse", stored, remaining=5) == hashing.Verdict(ok=True)
    assert not passwords.verify("correct house", stored, remaining=5).ok
    assert not passwords.verify("correct horse", stored, disabled=True, remaining=5).ok
    assert not passwords.verify("correct horse", None, remaining=5).ok


def test_one_thread_hashes_from_the_start(monkeypatch):
    """Each that has hashed once keeps the memory of a hash."""
    threads, raw = set(), Argon2.raw

    def noted(self, *args, **options):
        threads.add(threading.current_thread().name)
        return raw(self, *args, **options)

    monkeypatch.setattr(Argon2, "raw", noted)
    passwords = Passwords(argon2=QUICK)
    passwords.warm_up()
    passwords.verify("correct horse", passwords.hash("correct horse", remaining=5), remaining=5)
    assert {name.rpartition("_")[0] for name in threads} == {"dibs-hashing"}
    assert len(threads) == 1


def test_a_service_hashes_in_its_queue():
    """Nothing is hashed for who has no time left, whatever is asked."""
    passwords = Passwords(argon2=QUICK)
    with pytest.raises(Overloaded):
        passwords.hash("correct horse", remaining=0)
    with pytest.raises(Overloaded):
        passwords.verify("correct horse", None, remaining=0)
