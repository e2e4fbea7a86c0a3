"""Accounts as they are changed: by their own users, and by staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dibs.accounts.login import Logins
from dibs.accounts.passwords import Passwords
from dibs.accounts.passwords.rules import refuse_unchanged
from dibs.config import Settings
from dibs.context import Deadline
from dibs.errors import InvalidName, PasswordNotAccepted, UserNotFound, WrongPassword
from dibs.names import Parser
from dibs.registry.coherence import Coherence
from dibs.store import NameStore, UserRow
from dibs.store.accounts.recoveries import Event, Recoveries
from dibs.store.accounts.sessions import Living
from dibs.store.accounts.teams import Teams
from dibs.store.accounts.users import Users

FRESH_MS = 600_000
"""For so long after signing in nobody is asked for the password again before they leave."""

EVENTS = 20
"""How much of what was done to an account staff are shown."""


@dataclass(frozen=True, slots=True)
class Profiles:
    """What users do with their own accounts: another password, and leaving.

    While the database cannot answer, each of its methods raises `StoreUnavailable`; nothing was
    changed then. Of `OutcomeUnknown` that is not known.
    """

    users: Users
    logins: Logins
    passwords: Passwords
    coherence: Coherence
    settings: Settings

    def change_password(
        self, user_id: str, *, current: str | None, new: str, deadline: Deadline
    ) -> None:
        """Replace a password, and end every session.

        Raises:
            PasswordNotAccepted: None is used here.
            InvalidPassword: The new one breaks rules, or is the current one.
            WrongPassword: The current one is another, or missing.
            Overloaded: Too many passwords wait to be hashed.
        """
        if not self.settings.hashes:
            raise PasswordNotAccepted
        found = self.users.credentials_of(user_id, deadline=deadline)
        self.passwords.validate(new, name=found.display if found else "")
        stored = found.password_hash if found else None
        verdict = self.passwords.verify(current or "", stored, remaining=deadline.remaining())
        if not verdict.ok:
            raise WrongPassword
        refuse_unchanged(new, current or "")
        new_hash = self.passwords.hash(new, remaining=deadline.remaining())
        with self.logins.distrusting(user_id):
            changed = self.users.change_password(
                user_id, old=stored, new=new_hash, deadline=deadline
            )
        if not changed:  # by somebody else, meanwhile
            raise WrongPassword

    def needs_password(self, living: Living, *, deadline: Deadline) -> bool:
        """Whether who leaves has to give their password: they did so long ago, and have one."""
        if not self.settings.hashes or self.logins.sessions.has_begun_within(
            living.session_id, FRESH_MS, deadline=deadline
        ):
            return False
        found = self.users.credentials_of(living.user_id, deadline=deadline)
        return found is not None and found.password_hash is not None

    def leave(self, living: Living, *, current: str | None, deadline: Deadline) -> None:
        """Delete the signed-in user, who has signed in just now or gives their password.

        Raises:
            WrongPassword: It is another, or missing.
            LastOwner: A team would be without an owner; nothing was changed.
            Overloaded: Too many passwords wait to be checked.
        """
        if self.needs_password(living, deadline=deadline):
            found = self.users.credentials_of(living.user_id, deadline=deadline)
            stored = found.password_hash if found else None
            if not self.passwords.verify(current or "", stored, remaining=deadline.remaining()).ok:
                raise WrongPassword
        self.delete(living.user_id, deadline=deadline)

    def delete(self, user_id: str, *, keeps_staff: bool = False, deadline: Deadline) -> bool:
        """Delete a user with sessions and memberships, free their names; say whether there was one.

        Raises:
            LastOwner: A team would be without an owner; nothing was changed.
            LastStaff: It is the last staff member, who has to stay; nothing was changed.
        """
        self.coherence.prepare_deletion("user", user_id, deadline=deadline)
        quarantine = self.settings.quarantine_ms
        with self.logins.distrusting(user_id):
            return self.users.delete(
                user_id, quarantine=quarantine, keeps_staff=keeps_staff, deadline=deadline
            )

    def set_disabled(
        self, user_id: str, *, disabled: bool, keeps_staff: bool = False, deadline: Deadline
    ) -> bool:
        """Keep a user out and end their sessions, or let them in; say whether there is such a one.

        Raises:
            LastStaff: It is the last staff member, who has to stay.
        """
        with self.logins.distrusting(user_id):
            return self.users.set_disabled(
                user_id, disabled=disabled, keeps_staff=keeps_staff, deadline=deadline
            )


@dataclass(frozen=True, slots=True)
class Account:
    """What there is to a user.

    Attributes:
        sessions: How many go on.
        codes: How many recovery codes are left.
        teams: Their names.
        events: What was done to the account lately, the newest first.
    """

    user: UserRow
    sessions: int
    codes: int
    teams: Sequence[str]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class StaffAccounts:
    """What staff do with other people's accounts, by a page, a command or the API: the same.

    Each change is in the events, with who acts. None takes the last staff member away. What is
    raised besides, `Profiles` says.
    """

    store: NameStore
    users: Users
    logins: Logins
    profiles: Profiles
    ways: Recoveries
    teams: Teams
    parser: Parser
    settings: Settings

    def find(
        self, beginning: str = "", *, after: str | None = None, limit: int, deadline: Deadline
    ) -> list[UserRow]:
        """Up to `limit` users past an id, in the order of their ids.

        Of a beginning, in any spelling, it is the order of their names; look-alikes are the same.
        """
        namespace = self.settings.namespace
        if not beginning.strip():
            return self.store.users(
                limit=limit, after=after, namespace=namespace, deadline=deadline
            )
        try:
            keys = self.parser.keys(self.parser.typed(beginning))
        except InvalidName:
            return []
        past = ""
        if after:  # of one who is gone meanwhile it begins anew: nobody is passed over
            rows = self.store.names_of("user", after, namespace=namespace, deadline=deadline)
            past = rows[0].key if rows else ""
        return self.users.named(keys, after=past, limit=limit, deadline=deadline)

    def account(self, user_id: str, *, deadline: Deadline) -> Account | None:
        """What there is to this user; None if there is no such one."""
        namespace = self.settings.namespace
        user = self.store.user(user_id, namespace=namespace, deadline=deadline)
        if user is None:
            return None
        teams = self.teams.of([user_id], deadline=deadline).get(user_id, ())
        return Account(
            user,
            self.logins.sessions.count([user_id], deadline=deadline).get(user_id, 0),
            self.ways.codes_left(user_id, deadline=deadline),
            [team.name for team in teams],
            self.ways.events(user_id, limit=EVENTS, deadline=deadline),
        )

    def set_disabled(self, user_id: str, *, disabled: bool, deadline: Deadline) -> None:
        """Keep a user out and end their sessions, or let them in again.

        Raises:
            UserNotFound: There is no such user.
            LastStaff: It is the last staff member.
        """
        if not self.profiles.set_disabled(
            user_id, disabled=disabled, keeps_staff=True, deadline=deadline
        ):
            raise UserNotFound

    def set_role(self, user_id: str, role: str | None, *, deadline: Deadline) -> None:
        """Give a user this role, or none.

        Raises:
            As `set_disabled`.
        """
        with self.logins.distrusting(user_id):
            done = self.store.set_role(user_id, role, keeps_staff=True, deadline=deadline)
        if not done:
            raise UserNotFound

    def sign_out(self, user_id: str, *, deadline: Deadline) -> int:
        """End a user's sessions and recovery links, and say how many sessions there were.

        Raises:
            UserNotFound: There is no such user.
        """
        with self.logins.distrusting(user_id):
            number = self.users.sign_out(user_id, deadline=deadline)
        if number is None:
            raise UserNotFound
        return number

    def delete(self, user_id: str, *, deadline: Deadline) -> None:
        """Delete a user as they can themselves; their name is quarantined.

        Raises:
            UserNotFound: There is no such user.
            LastOwner: A team would be without an owner; nothing was changed.
            LastStaff: It is the last staff member; nothing was changed.
        """
        if not self.profiles.delete(user_id, keeps_staff=True, deadline=deadline):
            raise UserNotFound
