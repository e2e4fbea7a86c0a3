"""Passwords: what is accepted, and how they are hashed and checked."""

from __future__ import annotations

from math import inf

from dibs.accounts.passwords.algorithms import Argon2
from dibs.accounts.passwords.breaches import PwnedPasswords
from dibs.accounts.passwords.hashing import Verdict, Verifier, make
from dibs.accounts.passwords.older import NO_KEYS, Keys
from dibs.accounts.passwords.queue import HashingQueue
from dibs.accounts.passwords.rules import MAX_LENGTH, MIN_LENGTH, Rules

__all__ = [
    "MAX_LENGTH",
    "MIN_LENGTH",
    "Argon2",
    "Keys",
    "Passwords",
    "PwnedPasswords",
    "Rules",
]

_RULES, _ARGON2 = Rules(), Argon2()


class Passwords:
    """What a service does with passwords; each worker process has one.

    Whatever hashes or checks raises `Overloaded` where too many are waiting, or there is no memory.

    Args:
        argon2: What a new hash costs, and so what every check costs.
        rules: What is accepted.
        keys: What hashes of other apps need beside themselves.
        reserve: Seconds that callers need afterwards: a hash that nobody can store is in vain.
    """

    def __init__(
        self,
        *,
        argon2: Argon2 = _ARGON2,
        rules: Rules = _RULES,
        keys: Keys = NO_KEYS,
        reserve: float = 0.0,
    ) -> None:
        self.validate = rules.validate
        self._reserve = reserve
        self._verifier = Verifier(argon2, keys)
        self._queue = HashingQueue()

    def hash(self, password: str, *, remaining: float) -> str:
        """The hash of a valid password, as a PHC string, for who has so many seconds still."""
        return self._queue.run(
            lambda: make(password, self._verifier.argon2),
            remaining=remaining - self._reserve,
            new=True,
        )

    def refuse_in_vain(self, *, new: bool, remaining: float) -> None:
        """See that a password that comes now has its turn in time, before work is done for it."""
        self._queue.refuse_in_vain(new=new, remaining=remaining - self._reserve)

    def verify(
        self, password: str, stored: str | None, *, disabled: bool = False, remaining: float
    ) -> Verdict:
        """Whether this is the password, at the same cost for every user, existing or not.

        After `needs_rehash`, store `hash(password)` in place of the hash that was checked,
        if it is still there.

        Args:
            password: As typed.
            stored: The hash; None for a user who does not exist or has none.
            disabled: Whether the user may not log in, whatever they type.
            remaining: Seconds that the caller still has.
        """
        return self._queue.run(
            lambda: self._verifier.check(password, stored, disabled=disabled),
            remaining=remaining - self._reserve,
        )

    def warm_up(self) -> None:
        """Learn what a hash costs here, in the time of three; for a worker that starts.

        The queue too, which would judge the first crowd by a hash that was made in its midst. And
        in its thread: a hash made in another one would leave its 19 MiB with that, too.
        """
        for _ in range(3):
            self._queue.run(self._verifier.warm_up, remaining=inf)
