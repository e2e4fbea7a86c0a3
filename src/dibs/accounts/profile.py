"""What users do with their own accounts: another password, and leaving."""

from __future__ import annotations

from collections.abc import Sequence

from dibs.accounts.login import Logins
from dibs.accounts.passwords import Passwords
from dibs.accounts.passwords.rules import refuse_unchanged
from dibs.context import Deadline
from dibs.errors import PasswordNotAccepted, WrongPassword
from dibs.registry.coherence import Coherence
from dibs.registry.renames import Renamed, Renames
from dibs.store.accounts.users import Users


class Profiles:
    """Changes users' own accounts.

    Args:
        users: Their rows.
        logins: Their sessions, which end with the old password.
        passwords: Checks and hashes.
        coherence: Tells the caches of names that go with their users.
        renames: Gives users other names.
        quarantine: Milliseconds before a deleted user's name can be had again; None for never.
        hashes: Whether passwords are used at all.
    """

    def __init__(
        self,
        users: Users,
        logins: Logins,
        passwords: Passwords,
        *,
        coherence: Coherence,
        renames: Renames,
        quarantine: int | None,
        hashes: bool,
    ) -> None:
        self._users = users
        self._logins = logins
        self._passwords = passwords
        self._coherence = coherence
        self._renames = renames
        self._quarantine = quarantine
        self._hashes = hashes

    def rename(
        self, user_id: str, name: str, *, hold: str | None = None, deadline: Deadline
    ) -> Renamed:
        """Give a user another name; see `Renames.rename`.

        Args:
            user_id: Whose.
            name: As typed.
            hold: The token of a hold of the new name, as it was given out.
            deadline: When the caller stops waiting.

        Raises:
            InvalidName: The name breaks a rule.
            NameTaken: Somebody has the name; the subclass says how.
            HoldOfAnotherName: The hold is of another name.
            UserNotFound: There is no such user, or they may not come in.
            RenamedTooOften: It is too early for yet another name.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was is not known; asking again is safe.
        """
        return self._renames.rename(name, user_id=user_id, hold=hold, deadline=deadline)

    def change_password(
        self, user_id: str, *, current: str | None, new: str, deadline: Deadline
    ) -> None:
        """Replace a password, and end every session.

        Raises:
            PasswordNotAccepted: None is used here.
            InvalidPassword: The new one breaks rules, or is the current one.
            WrongPassword: The current one is another, or missing.
            Overloaded: Too many passwords wait to be hashed.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was is not known.
        """
        if not self._hashes:
            raise PasswordNotAccepted
        found = self._users.credentials_of(user_id, deadline=deadline)
        self._passwords.validate(new, name=found.display if found else "")
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

    def delete(self, user_id: str, *, keeps_staff: bool = False, deadline: Deadline) -> bool:
        """Delete a user with sessions and memberships, free their names; say whether there was one.

        Args:
            user_id: Whom.
            keeps_staff: Whether the last staff member has to stay.
            deadline: When the caller stops waiting.

        Raises:
            LastOwner: A team would be without an owner; nothing was changed.
            LastStaff: It is the last staff member; nothing was changed.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was is not known; asking again is safe.
        """
        self._coherence.prepare_deletion("user", user_id, deadline=deadline)
        try:
            return self._users.delete(
                user_id, quarantine=self._quarantine, keeps_staff=keeps_staff, deadline=deadline
            )
        finally:
            self._logins.distrust_user(user_id)

    def set_disabled(self, user_id: str, *, disabled: bool, deadline: Deadline) -> bool:
        """Keep a user out and end their sessions, or let them in; say whether there is such a one.

        Raises:
            StoreUnavailable: It is not known to be done; asking again is safe.
        """
        try:
            return self._users.set_disabled(user_id, disabled=disabled, deadline=deadline)
        finally:
            self._logins.distrust_user(user_id)

    def disabled(self, user_ids: Sequence[str], *, deadline: Deadline) -> dict[str, int]:
        """Who of these is kept out, by id: since which moment of the database's clock.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        return self._users.disabled(user_ids, deadline=deadline)
