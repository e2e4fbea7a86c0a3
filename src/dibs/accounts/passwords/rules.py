"""Which passwords are accepted: long ones that nobody would try first.

No rule asks for capitals, digits or signs (NIST SP 800-63B-4, 3.1.1.2): they make
passwords harder to remember and hardly any harder to guess.
"""

from __future__ import annotations

import gzip
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from dibs.accounts.passwords.breaches import Breaches
from dibs.accounts.passwords.hashing import prepared
from dibs.errors import InvalidPassword, Reason
from dibs.names.canonical import normalise
from dibs.names.graphemes import hidden

MIN_LENGTH, MAX_LENGTH = 8, 256

SHORTEST_WORD: Final = 3
"""Shorter words are in everything; two characters are a name where they are not ASCII."""

LONGEST_REST: Final = 8
"""What is more than this beside a name is a password by itself: a date, in digits, is not."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_SEPARATORS: Final = dict.fromkeys(map(ord, "._- "))

TOO_SHORT = "The password needs at least %(min)d characters."
TOO_LONG = "The password can have at most %(max)d characters."
BLANK = "The password cannot be blank. Please add visible characters."
UNCHANGED = "The new password is the same as the current one. Please choose another one."
NOT_TEXT = "The password contains something that is not a character. Please type it again."
COMMON = (
    "This password is one of the most common ones, which attackers try first. Please choose "
    "several unrelated words."
)
IS_NAME = "The password must not be built from the username."
IS_SERVICE = "The password must not be built from the name of this service."
LEAKED = (
    "This password is known from a data leak. Please choose another one, here and wherever "
    "else you use it."
)
MESSAGES = (TOO_SHORT, TOO_LONG, BLANK, UNCHANGED, NOT_TEXT, COMMON, IS_NAME, IS_SERVICE, LEAKED)


@cache
def common_passwords() -> frozenset[str]:
    """The most common passwords of 8 characters or more, normalised like names.

    8,354 of the 19,640 most common ones, so all of the 10,000 most common that are
    long enough to be accepted otherwise. `data/DJANGO-LICENSE.txt` has the source.
    """
    packed = pkgutil.get_data("dibs.accounts.passwords", "data/common-passwords.txt.gz") or b""
    return frozenset(gzip.decompress(packed).decode().split("\n")) - {""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a password must be.

    Attributes:
        min_length: In code points, 8 to 64; NIST SP 800-63B-4, 3.1.1.2, wants 15 where the
            password is all there is to a login.
        service_words: What the service is called, beside dibs.
        breaches: Whom to ask whether the password is known from a leak; None for nobody.

    Raises:
        ValueError: The length is out of bounds.
    """

    min_length: int = MIN_LENGTH
    service_words: tuple[str, ...] = ()
    breaches: Breaches | None = None

    def __post_init__(self) -> None:
        if not MIN_LENGTH <= self.min_length <= 64:
            raise ValueError("A password's least length is 8 to 64, its greatest 64 or more")

    def validate(self, password: str, *, name: str = "") -> None:
        """See that the user with this name may use a password, without hashing it.

        Length is counted in code points, as NIST SP 800-63B-4 has it (3.1.1.2). The
        list of leaks is asked last, and only about what is all right otherwise; it may
        take seconds when it is slow, so hold nothing meanwhile.

        Raises:
            InvalidPassword: It breaks rules; `reasons` has all of them.
        """
        broken = [*self._form(password)]
        if len(password) <= MAX_LENGTH:
            # No password is made of a name that is longer than itself, and to normalise one of
            # 64 KiB can take seconds: sorting its marks costs the square of their number.
            known = normalise(name) if len(name) <= MAX_LENGTH else ""
            broken += self._guessable(normalise(password).strip(), known)
        # As typed, not composed: that is what leaks hold.
        if not broken and self.breaches is not None and self.breaches(password):
            broken.append(Reason("password_leaked", LEAKED))
        if broken:
            raise InvalidPassword(tuple(broken))

    def _form(self, password: str) -> Iterator[Reason]:
        if len(password) < self.min_length:
            yield Reason("password_too_short", TOO_SHORT, {"min": self.min_length})
        if len(password) > MAX_LENGTH:
            yield Reason("password_too_long", TOO_LONG, {"max": MAX_LENGTH})
        if password and not any(map(_is_seen, password)):
            yield Reason("password_blank", BLANK)
        if _SURROGATE.search(password):
            yield Reason("password_not_text", NOT_TEXT)

    def _guessable(self, folded: str, name: str) -> Iterator[Reason]:
        """Words that an attacker who knows the user and the service would try."""
        service = _service(self.service_words)
        if folded in common_passwords():
            yield Reason("password_common", COMMON)
        if _is_made_of(folded, (name,), (name, *service)):
            yield Reason("password_is_name", IS_NAME)
        elif _is_made_of(folded, service, service):
            yield Reason("password_is_service", IS_SERVICE)


def refuse_unchanged(new: str, current: str) -> None:
    """See that a new password is another one, once the current one is known to be right.

    Raises:
        InvalidPassword: It is the same, in any spelling; see `prepared`.
    """
    if prepared(new) == prepared(current):
        raise InvalidPassword((Reason("password_unchanged", UNCHANGED),))


def _is_seen(char: str) -> bool:
    # Hangul fillers are letters to Unicode, and the pattern of Braille without dots is a sign.
    return char.isprintable() and not (char.isspace() or hidden(char) or char == "\u2800")


@cache
def _service(words: tuple[str, ...]) -> tuple[str, ...]:
    return (*map(normalise, words), "dibs")


def _is_made_of(folded: str, one_of: tuple[str, ...], words: tuple[str, ...]) -> bool:
    """Whether it holds one of these words and, without all words, next to nothing.

    `ada1984`, `adaada`, `Ada@dibs` and `!ecalevol_ada` are made of the name;
    `ada loves numbers` is not, nor is a name with a number like a telephone's.
    """
    wanted = _both_ways(one_of)
    return any(
        any(word in spelt for word in wanted) and _is_little(spelt, _both_ways(words))
        for spelt in (folded, folded.translate(_SEPARATORS))
    )


def _both_ways(words: tuple[str, ...]) -> set[str]:
    """Each word as it is, without its separators, and both of these backwards."""
    there = {spelt for word in words for spelt in (word, word.translate(_SEPARATORS))}
    long_enough = {word for word in there if len(word) + (not word.isascii()) >= SHORTEST_WORD}
    return long_enough | {word[::-1] for word in long_enough}


def _is_little(text: str, words: set[str]) -> bool:
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "")
    return len(text) <= LONGEST_REST and not any(map(str.isalpha, text))
