"""Hashes of passwords: how they are made, and how every check of one costs the same."""

from __future__ import annotations

import os
import time
import unicodedata
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

from dibs.accounts.passwords.algorithms import Argon2, Argon2Hash, StoredHash
from dibs.accounts.passwords.formats import parse
from dibs.accounts.passwords.older import NO_KEYS, Keys

LONGEST: Final = 4096
"""Code points of a password that is checked. It is passlib's limit: nobody has a longer one."""

ENOUGH: Final = 0.97
"""Of the cost of a hash, when filling up stops: what is left is less than one hash's noise."""

_DUMMY: Final = b"of nobody at all"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is the password, and whether to store a new hash of it now.

    This one was made in another way than today's then, or from a spelling that is not prepared.
    """

    ok: bool
    needs_rehash: bool = False


def make(password: str, argon2: Argon2) -> str:
    """The argon2id hash of a password, as a PHC string.

    Composed and decomposed spellings are one password; see `prepared`.

    Raises:
        Overloaded: There is no memory for it.
        UnicodeEncodeError: It holds a lone surrogate; `validate` refuses those.
    """
    salt = os.urandom(16)
    digest = argon2.raw(prepared(password).encode(), salt)
    cost = f"m={argon2.memory_kib},t={argon2.passes},p={argon2.lanes}"
    return f"$argon2id$v=19${cost}${_base64(salt)}${_base64(digest)}"


def _base64(data: bytes) -> str:
    return b64encode(data).decode().rstrip("=")


def prepared(password: str) -> str:
    """The spelling that is hashed (RFC 8265, 4.2.2): every blank is a space, and NFC."""
    if password.isascii():
        return password
    plain = (" " if unicodedata.category(char) == "Zs" else char for char in password)
    return unicodedata.normalize("NFC", "".join(plain))


def spellings(password: str) -> list[bytes]:
    """What is tried for a password: prepared first, then composed and as typed where they differ.

    Apps that never normalised stored the hash of what was typed. How many there are
    depends on the password alone, so it says nothing about the user. There is none
    for what can be nobody's password: over 4096 code points, or not text.
    """
    if len(password) > LONGEST:
        return []
    try:
        forms = (prepared(password), unicodedata.normalize("NFC", password), password)
        return [form.encode() for form in dict.fromkeys(forms)]
    except UnicodeEncodeError:
        return []


class Verifier:
    """Checks passwords, each at the cost of one argon2id at today's parameters.

    An unknown user, a wrong password, a disabled user, a malformed hash and a hash
    that is cheaper than today's cannot be told apart by a clock. What is missing is
    filled up with argon2id of less memory, measured in CPU time of this thread: time
    spent waiting for a processor says nothing about the work done, and a sleep would
    be told from work by anybody who makes the machine busy. What a full hash costs
    is learned from the last few, since a busy machine's memory is slower.

    A hash that is dearer than today's takes longer, and can so be told apart until
    its owner's next login replaces it. A password whose prepared spelling differs
    may cost two or three checks, of every user alike.
    """

    def __init__(self, argon2: Argon2, keys: Keys = NO_KEYS) -> None:
        self.argon2, self._keys = argon2, keys
        self._recent: deque[float] = deque(maxlen=15)
        self._clock = _clock(argon2.lanes)

    def check(self, password: str, stored: str | None, *, disabled: bool = False) -> Verdict:
        """Whether this is the password of a stored hash; see `Passwords.verify`.

        Not ok for anything that is not a hash of it: also for what is malformed, unknown, or too
        dear to be computed.

        Raises:
            Overloaded: There is no memory for it.
        """
        found = None if stored is None else parse(stored, self._keys)
        tried = spellings(password)
        if not tried:
            self._fill_up(0)
        for number, spelling in enumerate(tried):
            if self._matches(found, spelling):
                as_today = isinstance(found, Argon2Hash) and found.is_as_today(self.argon2)
                as_new = as_today and number == 0 and (stored or "").startswith("$")
                return Verdict(not disabled, needs_rehash=not disabled and not as_new)
        return Verdict(ok=False)

    def warm_up(self) -> None:
        """Learn what a hash costs here, so that the first check is like all others."""
        self._dummy(self.argon2)

    def _matches(self, found: StoredHash | None, password: bytes) -> bool:
        """The answer for one spelling, after as much work as a hash of today's is."""
        if found is None:
            self._fill_up(0)
            return False
        cost = found.cost if isinstance(found, Argon2Hash) else None
        clock = self._clock if cost is None or cost.lanes == 1 else _clock(cost.lanes)
        started = clock()
        answer = _safely(found, password)
        spent = clock() - started
        if cost == self.argon2:
            self._recent.append(spent)
        else:
            self._fill_up(spent)
        return answer

    def _fill_up(self, spent: float) -> None:
        if not self._recent:
            self._dummy(self.argon2)
        whole = median(self._recent)
        if spent < (1 - ENOUGH) * whole:
            self._dummy(self.argon2)
            return
        while spent < ENOUGH * whole:
            missing = round(self.argon2.memory_kib * (1 - spent / whole))
            memory = max(missing, 8 * self.argon2.lanes)
            spent += self._dummy(Argon2(memory, self.argon2.passes, self.argon2.lanes))

    def _dummy(self, argon2: Argon2) -> float:
        """Hash for nothing; return the seconds it took."""
        started = self._clock()
        argon2.raw(_DUMMY, _DUMMY)
        spent = self._clock() - started
        if argon2 == self.argon2:
            self._recent.append(spent)
        return spent


def _clock(lanes: int) -> Callable[[], float]:
    """What work is measured by; a thread's own time leaves out the threads of further lanes."""
    return time.thread_time if lanes == 1 else time.perf_counter


def _safely(found: StoredHash, password: bytes) -> bool:
    try:
        return found.matches(password)
    except ValueError:
        # A library's own bounds may be narrower, as those of a FIPS build are.
        return False
