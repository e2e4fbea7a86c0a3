"""Users of the service's own: their passwords and their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from dibs.context import Deadline
from dibs.errors import LastStaff
from dibs.names import Username, meant
from dibs.store.accounts.recoveries import end_all, note
from dibs.store.accounts.rows import NAME_OF, ONLY_NAMED, change_user, has_hash, lock_user
from dibs.store.accounts.teams import leave_all
from dibs.store.database.rows import CANONICAL, Row, listed
from dibs.store.database.runs import Run
from dibs.store.database.transactions import Transactions
from dibs.store.names.quarantine import OF_OWNER, release_for_good
from dibs.store.records import MARK, UserRow, keys_of


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login is checked against."""

    user_id: str
    display: str
    canonical: str
    password_hash: str | None
    disabled: bool


USERS = "dibs_names n LEFT JOIN dibs_users u ON u.id = n.owner"
IS_USER = (
    "n.owner_kind = 'user' AND n.state = 'owned'"
    f" AND (u.id IS NOT NULL OR ({ONLY_NAMED.format('n.')}))"
)
"""True for the names of the service's own users; a host may own names of that kind too."""

IS_CALLED = f"({IS_USER} OR (n.owner_kind = 'user' AND n.state = 'group' AND u.id IS NOT NULL))"
"""The same, and true for the key of a group that has a first."""

SHOWN = """
    n.owner, n.display, COALESCE(u.created_at, n.created_at), u.role, u.disabled_at, u.signed_in_at
"""
"""What a `UserRow` is made of."""

BEYOND = "\U0010ffff"
"""No name has it: whatever begins with a text is between the text and the text with this."""

IS_STAFF = "role = 'staff' AND disabled_at IS NULL"


def keep_staff(run: Run, user_id: str) -> None:
    """Raise `LastStaff` where this user alone is staff and can sign in; for staff's own changes."""
    found = run.rows(f"SELECT 1 FROM dibs_users WHERE id = :id AND {IS_STAFF}", {"id": user_id})
    if not found:
        return  # of the others nothing is read: there is no index by roles
    rows = run.rows(f"SELECT id FROM dibs_users WHERE {IS_STAFF} ORDER BY id", {})
    # All of them, in one order, and looked at once more: two who take each other's role away at
    # the same moment wait for each other here.
    lock = f"UPDATE dibs_users SET created_at = created_at WHERE id = :id AND {IS_STAFF}"
    staff = [one for (one,) in rows if run.change(lock, {"id": one}) == 1]
    if staff == [user_id]:
        raise LastStaff


class Users:
    """The service's own users, in its database.

    All raise `StoreUnavailable` when the database cannot answer, or `OutcomeUnknown` when a change
    may have been made all the same.
    """

    def __init__(self, transactions: Transactions, namespace: str) -> None:
        self._transactions = transactions
        self._namespace = namespace

    def credentials(
        self, username: Username, keys: Sequence[str], *, deadline: Deadline
    ) -> Credentials | None:
        """Those of the user who is meant by this name; a look-alike is somebody else.

        The keys are those under which they may be: see `Parser.keys`.
        """
        # In a group who writes it like this goes before its first, who is in the key's own row.
        those, params = listed([*dict.fromkeys([*keys, *keys_of(username)])])
        found = self._credentials(f"n.name_key IN ({those})", params, deadline)
        return meant(username, {one.user_id: one for one in reversed(found)}.values())

    def credentials_of(self, user_id: str, *, deadline: Deadline) -> Credentials | None:
        """Those of the user with this id."""
        found = self._credentials("n.owner = :id", {"id": user_id}, deadline)
        return found[0] if found else None

    def _credentials(
        self, where: str, params: Mapping[str, object], deadline: Deadline
    ) -> list[Credentials]:
        sql = (
            f"SELECT n.owner, n.display, {CANONICAL.format('n.')}, u.password_hash,"
            " CASE WHEN u.disabled_at IS NULL THEN 0 ELSE 1 END"
            f" FROM {USERS} WHERE n.namespace = :namespace AND {IS_CALLED} AND {where}"
            " ORDER BY n.name_key"
        )
        params = {"namespace": self._namespace, **params}
        rows = self._transactions.rows(sql, params, deadline=deadline)
        return [
            Credentials(user_id, display, canonical, password_hash, bool(disabled))
            for user_id, display, canonical, password_hash, disabled in rows
        ]

    def renew_hash(self, user_id: str, *, old: str, new: str, deadline: Deadline) -> bool:
        """Replace the hash of a password that stays the same, unless it has changed meanwhile."""
        sql = "UPDATE dibs_users SET password_hash = :new WHERE id = :id AND password_hash = :old"
        params = {"id": user_id, "old": old, "new": new}
        return self._transactions.change(sql, params, deadline=deadline) == 1

    def change_password(
        self, user_id: str, *, old: str | None, new: str, deadline: Deadline
    ) -> bool:
        """Replace a password and end all sessions, unless the old one's hash is another by now."""
        was = "password_hash IS NULL" if old is None else "password_hash = :old"
        params = {"old": old, "new": new}

        def work(run: Run) -> bool:
            if not change_user(run, user_id, "password_hash = :new", was, **params):
                return has_hash(run, user_id, new)
            end_all(run, user_id)
            note(run, "password_changed", user_id)
            return True

        return self._transactions.write(
            work,
            changed=bool,
            recall=lambda run: has_hash(run, user_id, new) or None,
            deadline=deadline,
        )

    def set_disabled(
        self, user_id: str, *, disabled: bool, keeps_staff: bool = False, deadline: Deadline
    ) -> bool:
        """Keep a user out, or let them in again, and say whether there is such a user.

        Raises:
            LastStaff: It would be the last staff member, and `keeps_staff` forbids that.
        """
        dialect = self._transactions.dialect
        since = f"COALESCE(disabled_at, {dialect.clock})" if disabled else "NULL"

        def work(run: Run) -> bool:
            if disabled and keeps_staff:
                keep_staff(run, user_id)
            if not change_user(run, user_id, f"disabled_at = {since}"):
                return False
            if disabled:
                end_all(run, user_id)
            note(run, "disabled" if disabled else "enabled", user_id)
            return True

        return self._transactions.write(work, changed=bool, deadline=deadline)

    def sign_out(self, user_id: str, *, deadline: Deadline) -> int | None:
        """End a user's sessions and say how many there were; None if there is no such user."""

        def work(run: Run) -> int | None:
            if not lock_user(run, user_id):
                return None
            number = end_all(run, user_id)
            note(run, "signed_out", user_id)
            return number

        return self._transactions.write(
            work, changed=lambda number: number is not None, deadline=deadline
        )

    def named(
        self, beginnings: Sequence[str], *, after: str, limit: int, deadline: Deadline
    ) -> list[UserRow]:
        """Up to `limit` users whose keys begin with one of these, by key, past the key `after`."""
        sql = (
            f"SELECT n.name_key, {SHOWN} FROM {USERS} WHERE n.namespace = :namespace"
            " AND n.name_key > :after AND n.name_key >= :begins AND n.name_key < :ends"
            f" AND {IS_USER} ORDER BY n.name_key LIMIT :limit"
        )

        def work(run: Run) -> list[Row]:
            found: list[Row] = []
            # Who shares a name has a row under a marked key. Each is a read from where it begins.
            for one in [mark + one for mark in ("", MARK) for one in beginnings]:
                params = {"after": after, "begins": one, "ends": one + BEYOND, "limit": limit}
                found += run.rows(sql, {"namespace": self._namespace, **params})
            return sorted(found, key=lambda row: row[0])[:limit]

        rows = self._transactions.read(work, deadline=deadline)
        return [UserRow(*row[1:]) for row in rows]

    def disabled(self, user_ids: Sequence[str], *, deadline: Deadline) -> dict[str, int]:
        """Who of these may not come in, by id: since which moment of the database's clock."""
        if not user_ids:
            return {}
        ids, params = listed(user_ids)
        sql = (
            "SELECT id, disabled_at FROM dibs_users"
            f" WHERE disabled_at IS NOT NULL AND id IN ({ids})"
        )
        return dict(self._transactions.rows(sql, params, deadline=deadline))

    def delete(
        self,
        user_id: str,
        *,
        quarantine: int | None = 0,
        keeps_staff: bool = False,
        deadline: Deadline,
    ) -> bool:
        """Delete a user, sessions and memberships, release their names; say whether there was one.

        Args:
            quarantine: Milliseconds for which nobody can have their names; None for ever.

        Raises:
            LastOwner: A team would be without an owner; nothing was changed.
            LastStaff: It is the last staff member; nothing was changed.
        """
        params = {"id": user_id}
        attempts = count()

        def work(run: Run) -> bool:
            repeated = next(attempts) > 0
            if keeps_staff:
                keep_staff(run, user_id)
            if not lock_user(run, user_id):
                if repeated:  # perhaps by our earlier self, and gone in any case
                    run.change("DELETE FROM dibs_users WHERE id = :id", params)
                return repeated
            leave_all(run, user_id)
            for table in ("dibs_sessions", "dibs_recoveries"):
                run.change(f"DELETE FROM {table} WHERE user_id = :id", params)
            whose = {"owner_kind": "user", "owner": user_id}
            release_for_good(run, OF_OWNER, whose, quarantine)
            note(run, "deleted", user_id)
            return run.change("DELETE FROM dibs_users WHERE id = :id", params) == 1

        def recall(run: Run) -> bool | None:
            sql = f"SELECT 1 FROM dibs_users WHERE id = :id UNION ALL SELECT 1 {NAME_OF}"
            return None if run.rows(sql, params) else True

        return self._transactions.write(work, changed=bool, recall=recall, deadline=deadline)
