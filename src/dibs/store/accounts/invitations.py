"""Links by which people may register, each good for so many of them and for so long."""

from __future__ import annotations

from dataclasses import dataclass

from dibs.context import Deadline, acting
from dibs.errors import InvitationRefused
from dibs.store.accounts.recoveries import note
from dibs.store.database.rows import Row
from dibs.store.database.runs import Run
from dibs.store.database.transactions import Transactions
from dibs.store.records import new_id


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link, without the secret in it.

    Attributes:
        uses: How many it lets register.
        used: How many have.
        created_at, expires_at: Milliseconds of the database's clock since 1970.
        actor: Who made it: a user's id, or the command.
        is_good: Whether it still lets somebody register: 1, or 0.
    """

    id: str
    uses: int
    used: int
    created_at: int
    expires_at: int
    actor: str | None
    is_good: int


GOOD = "used < uses AND expires_at > {clock}"


def use(run: Run, token_hash: str, user_id: str) -> None:
    """Let a user register by an invitation, in the transaction that gives them their name.

    Raises:
        InvitationRefused: It is none, or good no more.
    """
    # An earlier attempt of the same claim, whose reply was lost, has used it for them.
    done = "SELECT 1 FROM dibs_events WHERE user_id = :user_id AND kind = 'invited'"
    if run.value(done, {"user_id": user_id}):
        return
    good = GOOD.format(clock=run.dialect.clock)
    params = {"hash": token_hash}
    where = f"token_hash = :hash AND {good}"
    if run.change(f"UPDATE dibs_invitations SET used = used + 1 WHERE {where}", params) != 1:
        raise InvitationRefused
    by = run.value("SELECT actor FROM dibs_invitations WHERE token_hash = :hash", params)
    note(run, "invited", user_id, actor=by)


class Invitations:
    """Makes, lists and ends invitations.

    All raise `StoreUnavailable` when the database cannot answer, or `OutcomeUnknown` when a change
    may have been made all the same.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._clock = transactions.dialect.clock

    def put(self, token_hash: str, uses: int, *, ms: int, deadline: Deadline) -> str:
        """Have one be good for so many people and milliseconds; return its id."""
        sql = (
            "INSERT INTO dibs_invitations"
            " (id, token_hash, uses, used, created_at, expires_at, actor) VALUES"
            f" (:id, :token_hash, :uses, 0, {self._clock}, {self._clock} + :ms, :actor)"
        )
        made = new_id()
        params = {"token_hash": token_hash, "uses": uses, "ms": ms, "actor": acting().actor}

        def work(run: Run) -> bool:
            return bool(run.change(sql, {"id": made, **params}))

        def recall(run: Run) -> bool | None:
            found = run.value("SELECT 1 FROM dibs_invitations WHERE id = :id", {"id": made})
            return bool(found) or None

        self._transactions.write(work, changed=bool, recall=recall, deadline=deadline)
        return made

    def is_good(self, token_hash: str, *, deadline: Deadline) -> bool:
        """Whether an invitation lets somebody register, by its hash."""
        good = GOOD.format(clock=self._clock)
        sql = f"SELECT 1 FROM dibs_invitations WHERE token_hash = :hash AND {good}"
        return bool(self._transactions.rows(sql, {"hash": token_hash}, deadline=deadline))

    def page(self, *, after: str | None, limit: int, deadline: Deadline) -> list[Invitation]:
        """The newest first, beyond the one with this id."""
        good = GOOD.format(clock=self._clock)
        where = "WHERE id < :after" if after else ""
        sql = (
            "SELECT id, uses, used, created_at, expires_at, actor,"
            f" CASE WHEN {good} THEN 1 ELSE 0 END FROM dibs_invitations {where}"
            " ORDER BY id DESC LIMIT :limit"
        )
        params: dict[str, object] = {"limit": limit, **({"after": after} if after else {})}
        rows: list[Row] = self._transactions.rows(sql, params, deadline=deadline)
        return [Invitation(*row) for row in rows]

    def end(self, invitation_id: str, *, deadline: Deadline) -> bool:
        """Let nobody else register by one, and say whether somebody could."""
        good = GOOD.format(clock=self._clock)
        sql = f"UPDATE dibs_invitations SET expires_at = {self._clock} WHERE id = :id AND {good}"

        def work(run: Run) -> bool:
            return bool(run.change(sql, {"id": invitation_id}))

        return self._transactions.write(work, changed=bool, deadline=deadline)
