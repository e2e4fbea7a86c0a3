"""Ways back in for who has lost a password, each good for once, and what was done to accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dibs.context import Deadline, acting
from dibs.store.accounts.rows import change_user, has_hash, lock_user
from dibs.store.database.rows import Row
from dibs.store.database.runs import Run
from dibs.store.database.transactions import Transactions
from dibs.store.records import new_id

Kind = Literal["link", "code"]
EventKind = Literal[
    "password_changed",
    "password_set",
    "recovered",
    "recovery_link",
    "recovery_codes",
    "disabled",
    "enabled",
    "staff_granted",
    "staff_revoked",
    "signed_out",
    "renamed",
    "deleted",
    "invited",
]
"""What was done to an account: `password_set` by the command, `recovered` by a link or a code,
`signed_out` and `renamed` by staff, `invited` by who made the invitation they registered by."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done to an account.

    Attributes:
        at: Milliseconds of the database's clock since 1970.
        actor: Who did it: a user's id, or the command; None if nobody was signed in.
    """

    id: str
    at: int
    kind: EventKind
    user_id: str
    actor: str | None
    request_id: str | None


def note(run: Run, kind: EventKind, user_id: str, *, actor: str | None = None) -> None:
    """Write down what this transaction does to an account, by whoever acts if not by another."""
    sql = (
        "INSERT INTO dibs_events (id, at, kind, user_id, actor, request_id)"
        f" VALUES (:id, {run.dialect.clock}, :kind, :user_id, :actor, :request_id)"
    )
    who = {"actor": actor or acting().actor, "request_id": acting().request_id}
    run.change(sql, {"id": new_id(), "kind": kind, "user_id": user_id, **who})


def end_all(run: Run, user_id: str) -> int:
    """End a user's sessions, of which it says how many, and the links they could come in by."""
    params = {"id": user_id}
    run.change("DELETE FROM dibs_recoveries WHERE user_id = :id AND kind = 'link'", params)
    return run.change("DELETE FROM dibs_sessions WHERE user_id = :id", params)


class Recoveries:
    """Links and codes by which users come back in; the database has only hashes of them.

    All raise `StoreUnavailable` when the database cannot answer, or `OutcomeUnknown` when a change
    may have been made all the same.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._clock = transactions.dialect.clock

    def put(
        self, user_id: str, kind: Kind, hashes: Sequence[str], *, ms: int | None, deadline: Deadline
    ) -> bool:
        """Give a user these, in place of those of the kind they had; say whether there is one.

        Args:
            ms: Milliseconds for which they are good; None for ever.

        Raises:
            OutcomeUnknown: Whether it was is not known; those before may be good no more.
        """
        ends = "NULL" if ms is None else f"{self._clock} + :ms"
        insert = (
            "INSERT INTO dibs_recoveries (id, user_id, kind, created_at, expires_at)"
            f" VALUES (:id, :user_id, :kind, {self._clock}, {ends})"
        )
        params: dict[str, object] = {"user_id": user_id, "kind": kind}
        lasting = {} if ms is None else {"ms": ms}

        def work(run: Run) -> bool:
            if not lock_user(run, user_id):
                return False
            run.change(
                "DELETE FROM dibs_recoveries WHERE user_id = :user_id AND kind = :kind", params
            )
            for one in hashes:
                run.change(insert, {**params, **lasting, "id": one})
            note(run, "recovery_link" if kind == "link" else "recovery_codes", user_id)
            return True

        return self._transactions.write(work, changed=bool, deadline=deadline)

    def user_of(self, way: str, *, deadline: Deadline) -> str | None:
        """Whom a link or a code lets in, by its hash; None if nobody, or no longer."""
        return self._transactions.read(lambda run: self._lets_in(run, way), deadline=deadline)

    def _lets_in(self, run: Run, way: str) -> str | None:
        sql = (
            "SELECT user_id FROM dibs_recoveries WHERE id = :id"
            f" AND (expires_at IS NULL OR expires_at > {self._clock})"
        )
        found: str | None = run.value(sql, {"id": way})
        return found

    def has_link_since(self, user_id: str, ms: int, *, deadline: Deadline) -> bool:
        """Whether a link that nobody has used was made for a user within so many milliseconds."""
        sql = (
            "SELECT 1 FROM dibs_recoveries WHERE user_id = :id AND kind = 'link'"
            f" AND created_at > {self._clock} - :ms"
        )
        return bool(self._transactions.rows(sql, {"id": user_id, "ms": ms}, deadline=deadline))

    def codes_left(self, user_id: str, *, deadline: Deadline) -> int:
        """How many codes a user has not used."""
        sql = "SELECT COUNT(*) FROM dibs_recoveries WHERE user_id = :id AND kind = 'code'"
        return int(self._transactions.rows(sql, {"id": user_id}, deadline=deadline)[0][0])

    def set_password(self, user_id: str, new: str, *, way: str | None, deadline: Deadline) -> bool:
        """Replace a password and end all sessions; say whether that could be done.

        Args:
            way: The hash of the link or code by which they come, which is used up; None if it
                is set for them.
        """

        def work(run: Run) -> bool:
            # The user first, as everywhere: two who come by one link wait for each other here.
            if not lock_user(run, user_id):
                return False
            if has_hash(run, user_id, new):
                return True  # by our earlier self
            if way is not None:
                if not self._lets_in(run, way):
                    return False
                run.change("DELETE FROM dibs_recoveries WHERE id = :way", {"way": way})
            change_user(run, user_id, "password_hash = :new", new=new)
            end_all(run, user_id)
            note(run, "password_set" if way is None else "recovered", user_id)
            return True

        return self._transactions.write(
            work,
            changed=bool,
            recall=lambda run: has_hash(run, user_id, new) or None,
            deadline=deadline,
        )

    def events(
        self,
        user_id: str | None = None,
        *,
        after: str | None = None,
        limit: int,
        deadline: Deadline,
    ) -> list[Event]:
        """What was done to accounts, the newest first.

        Args:
            after: The id of an event: only what was before it. None of the events is before one
                that there is not.
        """
        where, params = list[str](), dict[str, object](limit=limit)
        if user_id:
            where, params = ["user_id = :user_id"], {"limit": limit, "user_id": user_id}

        def work(run: Run) -> list[Row]:
            if after is not None:
                found = run.rows("SELECT at FROM dibs_events WHERE id = :after", {"after": after})
                if not found:
                    return []
                where.append("at <= :at AND (at < :at OR id < :after)")
                params.update(at=found[0][0], after=after)
            condition = f" WHERE {' AND '.join(where)}" if where else ""
            return run.rows(
                "SELECT id, at, kind, user_id, actor, request_id FROM dibs_events"
                f"{condition} ORDER BY at DESC, id DESC LIMIT :limit",
                params,
            )

        return [Event(*row) for row in self._transactions.read(work, deadline=deadline)]
