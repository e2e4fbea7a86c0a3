"""Passwords: what is accepted, and how they are hashed."""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher

from dibs.errors import InvalidPassword, Reason

MIN_LENGTH, MAX_LENGTH = 8, 256

TOO_SHORT = "A password has at least %(min)d characters; add some."
TOO_LONG = "A password has at most %(max)d characters; shorten it."
NOT_TEXT = "The password holds something that is not a character; type it anew."
MESSAGES = (TOO_SHORT, TOO_LONG, NOT_TEXT)

# OWASP's first choice for argon2id: 19 MiB, 2 passes, 1 lane; 26 ms where it was measured.
# https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


def validate(password: str) -> None:
    """See that a password may be used, without hashing it.

    Length is counted in code points, as NIST SP 800-63B-4 has it (3.1.1.2).

    Raises:
        InvalidPassword: It is too short, too long, or no text.
    """
    broken = []
    if len(password) < MIN_LENGTH:
        broken.append(Reason("password_too_short", TOO_SHORT, {"min": MIN_LENGTH}))
    if len(password) > MAX_LENGTH:
        broken.append(Reason("password_too_long", TOO_LONG, {"max": MAX_LENGTH}))
    if any("\ud800" <= char <= "\udfff" for char in password):
        broken.append(Reason("password_not_text", NOT_TEXT))
    if broken:
        raise InvalidPassword(tuple(broken))


def hash_password(password: str) -> str:
    """The argon2id hash of a valid password, as a PHC string.

    Composed and decomposed spellings are one password (RFC 8265, 4.2: NFC).
    """
    return _hasher.hash(unicodedata.normalize("NFC", password))
