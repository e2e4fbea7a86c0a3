"""What users do with their own accounts: another password, and leaving."""

from __future__ import annotations

from dibs.accounts.acceptance import refuse_unchanged
from dibs.accounts.login import Logins
from dibs.accounts.passwords import Passwords
from dibs.cache import Layers
from dibs.deadline import Deadline
from dibs.errors import WrongPassword
from dibs.store.users import Users


class Profiles:
    """Changes users' own accounts.

    Args:
        users: Their rows.
        logins: Their sessions, which end with the old password.
        passwords: Checks and hashes.
        cache: Is told of names that are freed.
    """

    def __init__(self, users: Users, logins: Logins, passwords: Passwords, cache: Layers) -> None:
        self._users = users
        self._logins = logins
        self._passwords = passwords
        self._cache = cache

    def change_password(
        self, user_id: str, *, current: str | None, new: str, deadline: Deadline
    ) -> None:
        """Replace a password, and end every session.

        Raises:
            InvalidPassword: The new one breaks rules, or is the current one.
            WrongPassword: The current one is another, or missing.
            Overloaded: Too many passwords wait to be hashed.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was is not known.
        """
        found = self._users.credentials_of(user_id, deadline=deadline)
        self._passwords.validate(new, name=found.username if found else "")
        stored = found.password_hash if found else None
        verdict = self._passwords.verify(current or "", stored, remaining=deadline.remaining())
        if not verdict.ok:
            raise WrongPassword
        refuse_unchanged(new, current or "")
        new_hash = self._passwords.hash(new, remaining=deadline.remaining())
        try:
            changed = self._users.change_password(
                user_id, old=stored, new=new_hash, deadline=deadline
            )
        finally:  # also when nobody knows
            self._logins.distrust_user(user_id)
        if not changed:  # by somebody else, meanwhile
            raise WrongPassword

    def delete(self, user_id: str, *, deadline: Deadline) -> bool:
        """Delete a user with her sessions and memberships, free her names; say whether she was.

        Raises:
            LastOwner: A team would be without an owner; nothing was changed.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was is not known; asking again is safe.
        """
        names = self._users.names_of(user_id, deadline=deadline)
        for name in names:
            # Before COMMIT, so that no cache goes on refusing what is free.
            self._cache.forget(name.namespace, {name.key: name.version + 1}, deadline=deadline)
        try:
            return self._users.delete(user_id, deadline=deadline)
        finally:
            self._logins.distrust_user(user_id)

    def set_disabled(self, user_id: str, *, disabled: bool, deadline: Deadline) -> bool:
        """Keep a user out and end her sessions, or let her log in; say whether there is such a one.

        Raises:
            StoreUnavailable: It is not known to be done; asking again is safe.
        """
        try:
            return self._users.set_disabled(user_id, disabled=disabled, deadline=deadline)
        finally:
            self._logins.distrust_user(user_id)
