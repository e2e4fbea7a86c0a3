"""What staff do with other people's accounts, by a page, a command or the API: the same."""

from __future__ import annotations

from dibs.accounts.login import Logins
from dibs.accounts.profile import Profiles
from dibs.context import Deadline
from dibs.errors import InvalidName, UserNotFound
from dibs.names import Parser
from dibs.store import NameStore, UserRow
from dibs.store.accounts.recoveries import Event, Recoveries
from dibs.store.accounts.users import Users


class StaffAccounts:
    """Finds users, keeps them out, signs them out, deletes them, and says what was done.

    Each change is in the events, with who acts. None takes the last staff member away.

    Args:
        store: Users by their names.
        users: Their rows.
        recoveries: The events.
        logins: Their sessions.
        profiles: What they can do themselves.
        parser: Which names are one.
        namespace: That of users.
    """

    def __init__(
        self,
        store: NameStore,
        users: Users,
        recoveries: Recoveries,
        logins: Logins,
        profiles: Profiles,
        *,
        parser: Parser,
        namespace: str,
    ) -> None:
        self._store = store
        self._users = users
        self._recoveries = recoveries
        self._logins = logins
        self._profiles = profiles
        self._parser = parser
        self._namespace = namespace

    def find(
        self, beginning: str = "", *, after: str | None = None, limit: int, deadline: Deadline
    ) -> list[UserRow]:
        """Up to `limit` users, in the order of their ids; of a beginning, in that of their names.

        Args:
            beginning: Of their names, in any spelling; look-alikes count as the same.
            after: The id of a user: only those past this one.
            limit: How many at most.
            deadline: When the caller stops waiting.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        namespace = self._namespace
        if not beginning.strip():
            return self._store.users(
                limit=limit, after=after, namespace=namespace, deadline=deadline
            )
        try:
            keys = self._parser.keys(self._parser.typed(beginning))
        except InvalidName:
            return []
        past = ""
        if after:  # of one who is gone meanwhile it begins anew: nobody is passed over
            rows = self._store.names_of("user", after, namespace=namespace, deadline=deadline)
            past = rows[0].key if rows else ""
        return self._users.named(keys, after=past, limit=limit, deadline=deadline)

    def set_disabled(self, user_id: str, *, disabled: bool, deadline: Deadline) -> None:
        """Keep a user out and end their sessions, or let them in again.

        Raises:
            UserNotFound: There is no such user.
            LastStaff: It is the last staff member.
            StoreUnavailable: It is not known to be done; asking again is safe.
        """
        try:
            done = self._users.set_disabled(
                user_id, disabled=disabled, keeps_staff=True, deadline=deadline
            )
        finally:
            self._logins.distrust_user(user_id)
        if not done:
            raise UserNotFound

    def set_role(self, user_id: str, role: str | None, *, deadline: Deadline) -> None:
        """Give a user this role, or none.

        Raises:
            As `set_disabled`.
        """
        try:
            done = self._store.set_role(user_id, role, keeps_staff=True, deadline=deadline)
        finally:
            self._logins.distrust_user(user_id)
        if not done:
            raise UserNotFound

    def sign_out(self, user_id: str, *, deadline: Deadline) -> int:
        """End a user's sessions and recovery links, and say how many sessions there were.

        Raises:
            UserNotFound: There is no such user.
            StoreUnavailable: They are not known to have ended; asking again is safe.
        """
        try:
            number = self._users.sign_out(user_id, deadline=deadline)
        finally:
            self._logins.distrust_user(user_id)
        if number is None:
            raise UserNotFound
        return number

    def delete(self, user_id: str, *, deadline: Deadline) -> None:
        """Delete a user as they can themselves; their name is quarantined.

        Raises:
            UserNotFound: There is no such user.
            LastOwner: A team would be without an owner; nothing was changed.
            LastStaff: It is the last staff member; nothing was changed.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was is not known; asking again is safe.
        """
        if not self._profiles.delete(user_id, keeps_staff=True, deadline=deadline):
            raise UserNotFound

    def events(
        self,
        user_id: str | None = None,
        *,
        after: str | None = None,
        limit: int,
        deadline: Deadline,
    ) -> list[Event]:
        """What was done to one account or to all, the newest first; see `Recoveries.events`.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        return self._recoveries.events(user_id, after=after, limit=limit, deadline=deadline)
