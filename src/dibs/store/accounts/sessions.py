"""Sessions of users: what makes a refresh token good for once, and ends what must end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from dibs.context import Deadline
from dibs.store.accounts.rows import change_user
from dibs.store.database.rows import listed
from dibs.store.database.runs import Run
from dibs.store.database.transactions import Transactions, delete_some

GRACE_MS = 10_000
"""How long a client whose reply was lost may come once more with the token before."""

MOST_ENDED = 1000
"""How many sessions one login ends at most: those that were there before there was a limit."""

FURTHER = """
    SELECT id FROM dibs_sessions WHERE user_id = :user_id AND id <> :id
    ORDER BY used_at DESC, id LIMIT :limit OFFSET :others
"""
Rotation = Literal["rotated", "repeated", "late", "reused", "gone"]
"""`rotated` is the first use of the current token, and `repeated` the one repetition of the one
before, whose reply may have been lost. `late` is another repetition within `GRACE_MS`: requests
that ran side by side. `reused` is a token that somebody else must have had; it ended the session.
`gone` is a session that ended, expired, or never was."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One sign-in on one device: a family of refresh tokens; times are milliseconds since 1970."""

    id: str
    user_id: str
    device: str
    created_at: int
    used_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Living:
    """A session that has neither ended nor expired, and its user as they are now."""

    session_id: str
    user_id: str
    role: str | None


class Sessions:
    """The sessions of a service's own users, in its database.

    All raise `StoreUnavailable` when the database cannot answer, or `OutcomeUnknown` when a change
    may have been made all the same.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._clock = transactions.dialect.clock
        self._insert = (
            "INSERT INTO dibs_sessions"
            " (id, user_id, token_hash, repeats, device, created_at, used_at, expires_at)"
            f" VALUES (:id, :user_id, :token_hash, 0, :device, {self._clock}, {self._clock},"
            f" {self._clock} + :ms) {transactions.dialect.pass_over('id')}"
        )

    def start(
        self,
        row_id: str,
        *,
        user_id: str,
        password_hash: str,
        token_hash: str,
        device: str,
        ms: int,
        most: int,
        deadline: Deadline,
    ) -> bool:
        """Begin a session, unless the user is gone, disabled, or has another password now.

        Args:
            password_hash: What their password was checked against.
            ms: Milliseconds until the token ends.
            most: How many they may have; those that were used longest ago end.

        Raises:
            StoreUnavailable: It was not begun.
            OutcomeUnknown: Whether it was is not known; nobody has its token.
        """
        params = {"id": row_id, "user_id": user_id, "token_hash": token_hash}

        def work(run: Run) -> bool:
            # Locked, or a password that is changed at this moment would leave a session behind.
            same = "password_hash = :hash AND disabled_at IS NULL"
            signed_in = f"signed_in_at = {self._clock}"
            if not change_user(run, user_id, signed_in, same, hash=password_hash):
                return False
            run.change(self._insert, {**params, "device": device, "ms": ms})
            those = {"user_id": user_id, "id": row_id, "limit": MOST_ENDED, "others": most - 1}
            delete_some(run, "dibs_sessions", FURTHER, those)
            return True

        return self._transactions.write(work, changed=bool, deadline=deadline)

    def rotate(
        self, row_id: str, *, presented: str, following: str, ms: int, deadline: Deadline
    ) -> tuple[Rotation, Living | None]:
        """Exchange a refresh token for the one that follows it.

        Args:
            following: Hash of the one that it is exchanged for, always the same one.
            ms: Milliseconds until the new one ends.

        Returns:
            What became of it, and the session if there is a new token for it.

        Raises:
            OutcomeUnknown: Whether it was exchanged is not known; it may be repeated.
        """
        params = {"id": row_id, "presented": presented, "following": following, "ms": ms}

        def work(run: Run) -> tuple[Rotation, Living | None]:
            for answer, sql in self._exchanges().items():
                if run.change(sql, params) == 1:
                    living = self._living(run, row_id)
                    return (answer, living) if living else ("gone", None)
            return self._refused(run, row_id, presented), None

        def recall(run: Run) -> tuple[Rotation, Living | None] | None:
            # Without it an exchange whose COMMIT went unanswered would use up the one
            # repetition that its client may need for the reply.
            made = (
                "SELECT 1 FROM dibs_sessions WHERE id = :id AND token_hash = :following"
                f" AND previous_hash = :presented AND rotated_at > {self._clock} - {GRACE_MS}"
            )
            living = self._living(run, row_id) if run.rows(made, params) else None
            return ("rotated", living) if living else None

        return self._transactions.write(
            work,
            changed=lambda done: done[0] not in ("late", "gone"),
            recall=recall,
            deadline=deadline,
        )

    def _exchanges(self) -> dict[Rotation, str]:
        living = f"id = :id AND expires_at > {self._clock}"
        return {
            "rotated": (
                "UPDATE dibs_sessions SET previous_hash = token_hash, token_hash = :following,"
                f" repeats = 0, rotated_at = {self._clock}, used_at = {self._clock},"
                f" expires_at = {self._clock} + :ms WHERE token_hash = :presented AND {living}"
            ),
            "repeated": (
                "UPDATE dibs_sessions SET repeats = repeats + 1"
                " WHERE previous_hash = :presented AND repeats = 0"
                f" AND rotated_at > {self._clock} - {GRACE_MS} AND {living}"
            ),
        }

    def _refused(self, run: Run, row_id: str, presented: str) -> Rotation:
        recent = f"CASE WHEN rotated_at > {self._clock} - {GRACE_MS} THEN 1 ELSE 0 END"
        ended = f"CASE WHEN expires_at > {self._clock} THEN 0 ELSE 1 END"
        sql = f"SELECT previous_hash, {recent}, {ended} FROM dibs_sessions WHERE id = :id"
        rows = run.rows(sql, {"id": row_id})
        if not rows or rows[0][2]:
            return "gone"
        previous, is_recent, _ = rows[0]
        if previous == presented and is_recent:
            return "late"
        run.change("DELETE FROM dibs_sessions WHERE id = :id", {"id": row_id})
        return "reused"

    def living(self, row_id: str, *, deadline: Deadline) -> Living | None:
        """The session, if it goes on: what every access token is asked about."""
        return self._transactions.read(lambda run: self._living(run, row_id), deadline=deadline)

    def _living(self, run: Run, row_id: str) -> Living | None:
        sql = (
            "SELECT s.id, u.id, u.role FROM dibs_sessions s JOIN dibs_users u ON u.id = s.user_id"
            f" WHERE s.id = :id AND s.expires_at > {self._clock} AND u.disabled_at IS NULL"
        )
        rows = run.rows(sql, {"id": row_id})
        return Living(*rows[0]) if rows else None

    def has_begun_within(self, row_id: str, ms: int, *, deadline: Deadline) -> bool:
        """Whether a session began so lately, by the database's clock."""
        sql = f"SELECT 1 FROM dibs_sessions WHERE id = :id AND created_at > {self._clock} - :ms"
        return bool(self._transactions.rows(sql, {"id": row_id, "ms": ms}, deadline=deadline))

    def of(self, user_id: str, *, deadline: Deadline) -> list[SessionRow]:
        """The user's sessions that go on, the one used last first."""
        sql = (
            "SELECT id, user_id, device, created_at, used_at, expires_at FROM dibs_sessions"
            f" WHERE user_id = :user_id AND expires_at > {self._clock}"
            " ORDER BY used_at DESC, id"
        )
        rows = self._transactions.rows(sql, {"user_id": user_id}, deadline=deadline)
        return [SessionRow(*row) for row in rows]

    def count(self, user_ids: Sequence[str], *, deadline: Deadline) -> dict[str, int]:
        """How many sessions go on of each of these users, by id; who has none is left out."""
        if not user_ids:
            return {}
        ids, params = listed(user_ids)
        sql = (
            "SELECT user_id, COUNT(*) FROM dibs_sessions"
            f" WHERE user_id IN ({ids}) AND expires_at > {self._clock} GROUP BY user_id"
        )
        return dict(self._transactions.rows(sql, params, deadline=deadline))

    def end(self, row_id: str, *, user_id: str, deadline: Deadline) -> bool:
        """End a session of this user's, and say whether there was one that had not expired."""
        sql = (
            "DELETE FROM dibs_sessions WHERE id = :id AND user_id = :user_id"
            f" AND expires_at > {self._clock}"
        )
        params = {"id": row_id, "user_id": user_id}
        return self._transactions.change(sql, params, deadline=deadline) > 0

    def end_all(self, user_id: str, *, deadline: Deadline) -> int:
        """End all sessions of a user, and say how many there were."""
        sql = "DELETE FROM dibs_sessions WHERE user_id = :user_id"
        return self._transactions.change(sql, {"user_id": user_id}, deadline=deadline)

    def remove_expired(self, *, limit: int, deadline: Deadline) -> int:
        """Delete up to `limit` of those that have expired, and say how many they were."""
        # In a subquery the clock is read once; else PostgreSQL compares it with every session.
        over = f"expires_at <= (SELECT {self._clock})"
        which = f"SELECT id FROM dibs_sessions WHERE {over} ORDER BY expires_at LIMIT {limit}"
        work = partial(delete_some, table="dibs_sessions", which=which, params={}, still=over)
        return self._transactions.write(work, changed=bool, deadline=deadline)
