"""A way back in for who has lost a password: staff's link, one's own codes, or a command."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from dibs.accounts.login import Logins
from dibs.accounts.passwords import Passwords
from dibs.accounts.tokens import hash_of
from dibs.config import Settings
from dibs.context import Deadline
from dibs.errors import PasswordNotAccepted, Unauthenticated, UserNotFound, WrongPassword
from dibs.secret import ServiceSecret, key_of, mac
from dibs.store.accounts.recoveries import Recoveries
from dibs.store.accounts.users import Credentials, Users

LINK_SECONDS = 86_400
PATIENCE_SECONDS = 300
"""How long nobody is sent another link on request: anybody can ask, and each ends the last."""
CODES = 10
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: nobody reads a 0 for an o in it, or a 1 for an l."""
LENGTH, GROUP = 16, 4
"""80 random bits are tried by nobody, whatever they know of the database."""

READ_AS = str.maketrans("oil", "011", " -\t\r\n\u2010\u2013")


class RecoveryFailed(Unauthenticated):
    """The link or the code is none, or was used, or is too old: which, is not said."""

    code = "recovery_failed"
    message = (
        "That did not work. The username or the code is wrong, or the link or code was used"
        " before or has expired."
    )


@dataclass(frozen=True, slots=True)
class Recovery:
    """Lets users back in who have lost their password. Each way ends all their sessions.

    Where no passwords are used, each of its methods raises `PasswordNotAccepted`. While the
    database cannot answer, each raises `StoreUnavailable`, and `OutcomeUnknown` where it is not
    known what was changed.
    """

    users: Users
    ways: Recoveries
    logins: Logins
    passwords: Passwords
    settings: Settings
    secret: ServiceSecret

    def make_link(self, user_id: str, *, deadline: Deadline) -> str:
        """The token of a link that is good once and for `LINK_SECONDS`; an earlier one is no more.

        Raises:
            UserNotFound: There is no such user.
        """
        self._refuse_without_passwords()
        token = secrets.token_urlsafe(32)
        lasts = 1000 * LINK_SECONDS
        if not self.ways.put(user_id, "link", [hash_of(token)], ms=lasts, deadline=deadline):
            raise UserNotFound
        return token

    def requested_link(self, user_id: str, *, deadline: Deadline) -> str | None:
        """The same for somebody who asks without signing in; None if they were sent one just now.

        Raises:
            As `make_link`.
        """
        if self.ways.has_link_since(user_id, 1000 * PATIENCE_SECONDS, deadline=deadline):
            return None
        return self.make_link(user_id, deadline=deadline)

    def make_codes(self, user_id: str, *, current: str, deadline: Deadline) -> list[str]:
        """`CODES` codes, each good once; those of before are no more.

        Raises:
            WrongPassword: The current one is another.
            Overloaded: Too many passwords wait to be checked.
        """
        self._refuse_without_passwords()
        found = self.users.credentials_of(user_id, deadline=deadline)
        stored = found.password_hash if found else None
        if not self.passwords.verify(current, stored, remaining=deadline.remaining()).ok:
            raise WrongPassword
        codes = ["".join(secrets.choice(LETTERS) for _ in range(LENGTH)) for _ in range(CODES)]
        hashes = [self._code_hash(user_id, code, deadline) for code in codes]
        self.ways.put(user_id, "code", hashes, ms=None, deadline=deadline)
        return ["-".join(code[i : i + GROUP] for i in range(0, LENGTH, GROUP)) for code in codes]

    def by_link(self, token: str, new: str, *, deadline: Deadline) -> None:
        """Set a new password by a link.

        Raises:
            RecoveryFailed: The link is none, or good no more.
            InvalidPassword: The new password breaks rules; the link is still good.
            Overloaded: Too many passwords wait to be hashed.
        """
        self._refuse_without_passwords()
        way = hash_of(token)
        user_id = self.ways.user_of(way, deadline=deadline)
        found = self.users.credentials_of(user_id, deadline=deadline) if user_id else None
        self._recover(found, way, new, deadline)

    def by_code(self, name: str, code: str, new: str, *, deadline: Deadline) -> None:
        """Set a new password by one's name and a code, in any capitals, with hyphens or without.

        Raises:
            As `by_link`.
        """
        self._refuse_without_passwords()
        found = self.logins.credentials(name, deadline)
        read = code.casefold().translate(READ_AS)
        # Also for a name that nobody has: it is to take as long.
        way = self._code_hash(found.user_id if found else "", read, deadline)
        good = self.ways.user_of(way, deadline=deadline)
        self._recover(found if found and found.user_id == good else None, way, new, deadline)

    def set_password(self, user_id: str, new: str, *, deadline: Deadline) -> None:
        """Set a user's password for them.

        Raises:
            As `by_link`, and UserNotFound: There is no such user.
        """
        self._refuse_without_passwords()
        found = self.users.credentials_of(user_id, deadline=deadline)
        if found is None or not self._set(found, new, None, deadline):
            raise UserNotFound

    def _recover(self, found: Credentials | None, way: str, new: str, deadline: Deadline) -> None:
        if found is None or found.disabled or not self._set(found, new, way, deadline):
            raise RecoveryFailed

    def _set(self, found: Credentials, new: str, way: str | None, deadline: Deadline) -> bool:
        self.passwords.validate(new, name=found.display)
        new_hash = self.passwords.hash(new, remaining=deadline.remaining())
        with self.logins.distrusting(found.user_id):
            return self.ways.set_password(found.user_id, new_hash, way=way, deadline=deadline)

    def _code_hash(self, user_id: str, code: str, deadline: Deadline) -> str:
        key = key_of("recovery", self.secret(deadline))
        return mac(key, f"{user_id}\0{code}".encode(errors="backslashreplace")).hex()

    def _refuse_without_passwords(self) -> None:
        if not self.settings.hashes:
            raise PasswordNotAccepted
