"""The store of names, on a database."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from dibs.context import Deadline
from dibs.errors import NotWritable, RulesReplaced, SchemaError, StoreUnavailable
from dibs.signals import Action, NameChange
from dibs.store import schema
from dibs.store.accounts.recoveries import note
from dibs.store.accounts.rows import change_user, make_row
from dibs.store.accounts.users import IS_USER, SHOWN, USERS, keep_staff
from dibs.store.database.rows import name_row
from dibs.store.database.runs import Run
from dibs.store.names.attempts import Attempts
from dibs.store.names.claims import won_before
from dibs.store.names.history import append, written
from dibs.store.names.moves import Rename, Transfer, apply_rename, apply_transfer
from dibs.store.names.quarantine import FREE, OF_OWNER, Quarantine, end_groups, end_row, locked
from dibs.store.names.reading import read
from dibs.store.records import (
    DEFAULT_NAMESPACE,
    STAFF,
    Claim,
    NameRow,
    Outcome,
    State,
    UserRow,
    Won,
)

TRIED = 1.0
"""Seconds for which it is known whether something can be written."""

TRIAL_ROWS = 64
"""They fill a page of any database, so that a full disk has no room for them."""

TRIAL_OF = "\x01"
"""Their namespace, which no setting can name."""

TRIAL = f"""
    INSERT INTO dibs_names (created_at, version, rules_version, namespace, name_key, display, state)
    VALUES {", ".join(f"(0, 0, 0, :namespace, :key{i}, :display, 'x')" for i in range(TRIAL_ROWS))}
"""

ENDS: dict[State, Action] = {"held": "unheld", "reserved": "unreserved", "quarantined": "released"}

# A user's name is their only owned row; one name a user is what registration makes. Which of
# them is said of both tables, or PostgreSQL reads one from its first row on: 0.8 s, not 1 ms.
LISTED = f"""
    SELECT {SHOWN}
    FROM {USERS} AND u.id {{which}}
    WHERE {IS_USER} AND {{namespace}} = :namespace AND n.owner {{which}}
    ORDER BY n.owner LIMIT :limit
"""


class NameStore(Attempts):
    """The one part that says yes: names, and users by their names. Made as `Attempts` are."""

    _secret = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._trying = threading.Lock()
        self._tried = -TRIED
        self._found: StoreUnavailable | None = None

    def release(
        self,
        key: str,
        *,
        owner: str,
        version: int | None = None,
        rest: Quarantine = FREE,
        namespace: str = DEFAULT_NAMESPACE,
        deadline: Deadline,
    ) -> bool:
        """End the ownership if this owner has it, and say whether they had.

        Args:
            version: That of the row when it was read; what has changed since is left alone.
        """
        where = {"state": "owned", "owner": owner, "version": version}
        return self._end(namespace, key, where, rest, "released", deadline)

    def free(
        self,
        key: str,
        *,
        state: State,
        version: int | None = None,
        token: str | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        deadline: Deadline,
    ) -> bool:
        """End a hold (by its token), a quarantine or a reservation; say whether there was one."""
        where = {"state": state, "claim_token": token, "version": version}
        return self._end(namespace, key, where, FREE, ENDS[state], deadline)

    def _end(
        self,
        namespace: str,
        key: str,
        where: Mapping[str, object],
        rest: Quarantine,
        action: Action,
        deadline: Deadline,
    ) -> bool:
        """End what the row is if all this is true of it; None stands for anything."""
        params = {"namespace": namespace, "name_key": key, **where}
        known = {name: value for name, value in params.items() if value is not None}
        sql = " AND ".join(f"{name} = :{name}" for name in known)

        sent: list[NameChange] = []

        def work(run: Run) -> bool:
            # Who was promoted meanwhile has another key, of which caches are to be told first.
            rows = [row for row in locked(run, sql, known) if row.key == key]
            if not rows:
                return written(run, sent)  # by our earlier self, whose COMMIT went unanswered
            for row in rows:
                if row.state == "owned" and row.first is not None and row.first.registered:
                    make_row(run, str(row.owner))
            gone = [end_row(run, row, rest, action=action) for row in rows]
            append(run, [one.step for one in gone])
            end_groups(run, rows, rest)
            sent[:] = [one.step.change for one in gone]
            return True

        return self.transactions.write(
            work, changed=bool, recall=lambda run: written(run, sent) or None, deadline=deadline
        )

    def rename(self, wish: Rename, *, deadline: Deadline) -> Outcome | None:
        """Take a new name and give up the old one, both or neither: see `apply_rename`."""

        def work(claim: Claim, run: Run) -> Outcome | None:
            return apply_rename(run, replace(wish, claim=claim))

        return self._move(wish.claim, work, deadline)

    def transfer(self, wish: Transfer, *, deadline: Deadline) -> Outcome | None:
        """Pass a name on from one user to another, all of it or nothing: see `apply_transfer`."""

        def work(claim: Claim, run: Run) -> Outcome | None:
            return apply_transfer(run, replace(wish, instead=claim))

        return self._move(wish.instead, work, deadline)

    def _move(
        self, claim: Claim, work: Callable[[Claim, Run], Outcome | None], deadline: Deadline
    ) -> Outcome | None:
        """Do this, with the claim by the rules that are in force."""

        def send(claim: Claim) -> Outcome | None:
            return self.transactions.write(
                partial(work, claim),
                changed=lambda outcome: isinstance(outcome, Won),
                recall=lambda run: won_before(run, [claim]).get(claim.token),
                deadline=deadline,
            )

        try:
            return send(claim)
        except RulesReplaced as error:
            return send(self._again(claim, error, deadline))

    def names_of(
        self,
        owner_kind: str,
        owner: str,
        *,
        state: State = "owned",
        namespace: str | None = None,
        deadline: Deadline,
    ) -> list[NameRow]:
        """The rows in this state that an owner has and that are not over, by namespace and key."""
        dialect, where = self.transactions.dialect, f"{OF_OWNER} AND state = :state"
        params = {"owner_kind": owner_kind, "owner": owner, "state": state}
        if namespace is not None:
            where = f"{where} AND {dialect.unindexed('namespace')} = :namespace"
            params["namespace"] = namespace
        sql = dialect.select_where(where)
        rows = self.transactions.rows(sql, params, deadline=deadline)
        found = [row for row in map(name_row, rows) if not row.free]
        return sorted(found, key=lambda row: row.place)

    def reserved(self, *, namespace: str = DEFAULT_NAMESPACE, deadline: Deadline) -> list[NameRow]:
        """Every reserved name, in the order of their keys."""
        # By their owner: of the other names of a namespace nothing is read.
        dialect, params = self.transactions.dialect, {"namespace": namespace, "kind": STAFF}
        where = f"{dialect.unindexed('namespace')} = :namespace AND state = 'reserved'"
        sql = dialect.select_where(f"owner_kind = :kind AND {where}")
        rows = self.transactions.rows(sql, params, deadline=deadline)
        return sorted(map(name_row, rows), key=lambda row: row.key)

    def held(
        self,
        *,
        within: int,
        limit: int,
        namespace: str = DEFAULT_NAMESPACE,
        deadline: Deadline,
    ) -> list[NameRow]:
        """The newest holds that are not over, the newest first.

        Args:
            within: Milliseconds; what was held before is not looked for.
        """
        dialect = self.transactions.dialect
        place = f"{dialect.unindexed('namespace')} = :namespace"
        # In a subquery the clock is read once; else PostgreSQL compares it with every row.
        since = f"(SELECT {dialect.clock}) - :within"
        # A first claim is its row alone; a later one has a line in the history.
        first = dialect.select_where(
            f"created_at > {since} AND updated_at IS NULL AND state = 'held' AND {place}"
            " ORDER BY created_at DESC LIMIT :limit"
        )
        later = (
            f"SELECT namespace, name_key FROM dibs_history WHERE at > {since}"
            f" AND action = 'held' AND {place} ORDER BY at DESC LIMIT :limit"
        )
        params = {"within": within, "limit": limit, "namespace": namespace}

        def work(run: Run) -> list[NameRow]:
            places = {(str(at), str(key)) for at, key in run.rows(later, params)}
            return [*map(name_row, run.rows(first, params)), *read(run, places).values()]

        found = {row.place: row for row in self.transactions.read(work, deadline=deadline)}
        going_on = [row for row in found.values() if row.state == "held" and not row.free]
        return sorted(going_on, key=lambda row: row.expires_in or 0, reverse=True)[:limit]

    def set_role(
        self, user_id: str, role: str | None, *, keeps_staff: bool = False, deadline: Deadline
    ) -> bool:
        """Give a user this role, or none, and say whether there is such a user.

        Raises:
            LastStaff: It is the last staff member's, and `keeps_staff` forbids that.
        """

        def work(run: Run) -> bool:
            if role is None and keeps_staff:
                keep_staff(run, user_id)
            changed = change_user(run, user_id, "role = :role", role=role)
            if changed:
                note(run, "staff_granted" if role else "staff_revoked", user_id)
            return changed

        return self.transactions.write(work, changed=bool, deadline=deadline)

    def user(
        self, user_id: str, *, namespace: str = DEFAULT_NAMESPACE, deadline: Deadline
    ) -> UserRow | None:
        """The user with this id, if their name is in this namespace."""
        params = {"namespace": namespace, "id": user_id, "limit": 1}
        found = self._read_users("= :id", params, deadline)
        return found[0] if found else None

    def users(
        self,
        *,
        limit: int,
        after: str | None,
        namespace: str = DEFAULT_NAMESPACE,
        deadline: Deadline,
    ) -> list[UserRow]:
        """Up to `limit` users of a namespace in the order of their ids, past the id `after`."""
        params = {"namespace": namespace, "after": after or "", "limit": limit}
        return self._read_users("> :after", params, deadline)

    def _read_users(
        self, which: str, params: Mapping[str, object], deadline: Deadline
    ) -> list[UserRow]:
        namespace = self.transactions.dialect.unindexed("n.namespace")
        sql = LISTED.format(which=which, namespace=namespace)
        return [UserRow(*row) for row in self.transactions.rows(sql, params, deadline=deadline)]

    def is_empty(self, *, deadline: Deadline) -> bool:
        """Whether none of the tables exists yet."""
        return self.transactions.inspect(schema.is_empty, deadline=deadline)

    def secret(self, *, deadline: Deadline) -> str:
        """The random secret that all servers on this database share."""
        if not self._secret:
            self._secret = str(self._of_meta("secret", deadline))
        return self._secret

    def clock(self, *, deadline: Deadline) -> int:
        """The database's own time in milliseconds since 1970."""
        return int(self._of_meta(self.transactions.dialect.clock, deadline))

    def _of_meta(self, what: str, deadline: Deadline) -> Any:
        """A value of the one row of `dibs_meta`, or beside it."""
        sql = f"SELECT {what} FROM dibs_meta WHERE id = 1"
        for _ in range(2):
            if rows := self.transactions.rows(sql, {}, deadline=deadline):
                return rows[0][0]
            self.verify(deadline=deadline)  # writes it where a host has just made the tables
        raise SchemaError(schema.EMPTY_META)

    def verify_writable(self, *, deadline: Deadline) -> None:
        """See that something can be written, by rows that are gone before anybody sees them.

        Once a second at most, and what was found then is said again.

        Raises:
            NotWritable: The database answers, and nothing can be.
        """
        if not self._trying.acquire(timeout=max(0.0, deadline.remaining())):
            raise StoreUnavailable
        try:
            if time.monotonic() >= self._tried + TRIED:
                self._found = self._try(deadline)
                self._tried = time.monotonic()
            if self._found is not None:
                raise NotWritable from self._found
        finally:
            self._trying.release()

    def _try(self, deadline: Deadline) -> StoreUnavailable | None:
        one = secrets.token_hex(8)
        params = {f"key{i}": f"{one}{i:02}" for i in range(TRIAL_ROWS)}
        params |= {"namespace": TRIAL_OF, "display": "-" * 100}
        # SQLite writes nothing to its file before COMMIT.
        commits = self.transactions.dialect.one_writer

        def work(run: Run) -> None:
            run.change(TRIAL, params)
            if commits:
                run.change(
                    "DELETE FROM dibs_names WHERE namespace = :namespace", {"namespace": TRIAL_OF}
                )

        try:
            self.transactions.write(work, changed=lambda _: commits, deadline=deadline)
        except StoreUnavailable as error:
            return error
        return None

    def verify_rights(self, *, deadline: Deadline) -> None:
        """See that rows of every table may be read, written and deleted; none is.

        Raises:
            NotWritable: They may not.
        """

        def work(run: Run) -> None:
            for table in self.tables:
                name, column = table.name, next(iter(table.columns)).name
                run.change(f"INSERT INTO {name} SELECT * FROM {name} WHERE 1 = 0", {})
                run.change(f"UPDATE {name} SET {column} = {column} WHERE 1 = 0", {})
                run.change(f"DELETE FROM {name} WHERE 1 = 0", {})

        try:
            self.transactions.write(work, changed=lambda _: False, deadline=deadline)
        except StoreUnavailable as error:
            raise NotWritable from error

    def close(self) -> None:
        """Give back every connection."""
        self.transactions.close()
