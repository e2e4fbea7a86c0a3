"""The history of names: every change is written in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from dibs.context import Acting, Deadline, acting
from dibs.errors import StoreError
from dibs.names import Username
from dibs.signals import Action, NameChange
from dibs.store.database.rows import ADOPTED, HISTORY_COLUMNS, MANY, Told, listed
from dibs.store.database.runs import Run
from dibs.store.database.transactions import Transactions
from dibs.store.models import MAX_REQUEST_ID
from dibs.store.records import MAX_OWNER, NameRow, State, member_bounds


@dataclass(frozen=True, slots=True)
class PastChange:
    """A change that was committed, at a millisecond of the database's clock since 1970."""

    change: NameChange
    at: int


# Only users: their ids are unique among the owners of one kind.
NAMES_NOW = """
    SELECT owner, display FROM dibs_names
    WHERE owner IN ({owners}) AND owner_kind = 'user' AND state = 'owned'
"""
# A claim is in the history, or it is a row that has not changed since.
REGISTERED = """
    SELECT
        (SELECT COUNT(*) FROM dibs_history
            WHERE at >= :start AND at < :end
              AND action = 'claimed' AND owner_kind = 'user' AND {namespace})
      + (SELECT COUNT(*) FROM dibs_names
            WHERE created_at >= :start AND created_at < :end AND updated_at IS NULL
              AND COALESCE(registered, 0) <> {adopted}
              AND state = 'owned' AND owner_kind = 'user' AND {namespace})
"""
SUMS = """
    SELECT hour, registered FROM dibs_figures
    WHERE namespace = :namespace AND hour >= :since ORDER BY hour
"""
HOUR_MS = 3_600_000
SETTLED_MS = 600_000
"""So long after an hour's end, whoever wrote in it has committed."""

ENOUGH_S = 1.0
"""What is left of the time for another hour to be counted."""

ACTIONS: dict[State, Action] = {
    "owned": "claimed",
    "held": "held",
    "reserved": "reserved",
    "group": "grouped",
}
"""What the history calls a claim, by the state of the row that it leaves."""

FIRST_ACTION = f"""
    CASE WHEN state = 'owned' AND registered = {ADOPTED} THEN 'adopted'
         WHEN state = 'owned' THEN 'claimed' WHEN state = 'group' THEN 'grouped' ELSE state END
"""
OF_NAME = f"""
    SELECT {HISTORY_COLUMNS}, at FROM dibs_history
    WHERE namespace = :namespace AND {{which}}
    UNION ALL
    SELECT namespace, name_key, version, {FIRST_ACTION}, NULL, display,
        owner_kind, owner, actor, request_id, created_at
    FROM dibs_names WHERE namespace = :namespace AND {{which}} AND updated_at IS NULL
"""
OF_GROUP = f"""
    {OF_NAME.format(which="name_key = :key")} UNION ALL
    {OF_NAME.format(which="name_key > :first AND name_key < :last")}
    ORDER BY at DESC, version DESC LIMIT :limit
"""


class History:
    """What happened to names, read from the database; raises `StoreUnavailable` if it is away."""

    def __init__(self, transactions: Transactions, namespace: str) -> None:
        self._transactions = transactions
        self._namespace = namespace

    def of_name(self, username: Username, *, limit: int, deadline: Deadline) -> list[PastChange]:
        """The newest changes of a name and of those that look like it, newest first."""
        return self._transactions.read(
            lambda run: read_history(run, self._namespace, username.key, limit=limit),
            deadline=deadline,
        )

    def of_owner(self, user_id: str, *, deadline: Deadline) -> list[tuple[Action, str, str, int]]:
        """What happened to a user's names, the oldest first: what, from, to, and when.

        A name that is still as it was registered has no line in it.
        """
        sql = (
            "SELECT action, was, became, at FROM dibs_history WHERE owner = :owner"
            f" AND owner_kind = 'user' AND {self._namespace_is()} ORDER BY at, version"
        )
        params = {"owner": user_id, "namespace": self._namespace}
        return [tuple(row) for row in self._transactions.rows(sql, params, deadline=deadline)]

    def names_now(self, user_ids: Sequence[str], *, deadline: Deadline) -> dict[str, str]:
        """What these users are called now, by id; ids without a user are left out."""
        if not user_ids:
            return {}
        owners, params = listed(user_ids)
        sql = f"{NAMES_NOW.format(owners=owners)} AND {self._namespace_is()}"
        params["namespace"] = self._namespace
        return dict(self._transactions.rows(sql, params, deadline=deadline))

    def registrations(self, *, since: int, now: int, deadline: Deadline) -> dict[int, int]:
        """How many users registered, by the start of each hour that has any.

        Each hour is counted once and its sum is kept, so that this reads the last hours and the
        sums. Of hours that nobody has asked for yet it counts as many as there is time for, the
        newest first; the next call goes on.

        Args:
            since: Milliseconds of the database's clock since 1970.
        """
        first = since - since % HOUR_MS

        def work(run: Run) -> tuple[dict[int, int], dict[int, int]]:
            params = {"namespace": self._namespace, "since": first}
            known = {int(hour): int(number) for hour, number in run.rows(SUMS, params)}
            counted: dict[int, int] = {}
            for hour in range(now - now % HOUR_MS, first - 1, -HOUR_MS):
                if hour not in known and (not counted or deadline.allows(ENOUGH_S)):
                    counted[hour] = self._registered(run, hour)
            return known, counted

        known, counted = self._transactions.read(work, deadline=deadline)
        over = {hour: n for hour, n in counted.items() if hour + HOUR_MS + SETTLED_MS <= now}
        with suppress(StoreError):  # it is counted again
            self._keep(over, deadline)
        return {hour: number for hour, number in (known | counted).items() if number}

    def _registered(self, run: Run, hour: int) -> int:
        params = {"namespace": self._namespace, "start": hour, "end": hour + HOUR_MS}
        sql = REGISTERED.format(namespace=self._namespace_is(), adopted=ADOPTED)
        return int(run.value(sql, params))

    def _keep(self, sums: Mapping[int, int], deadline: Deadline) -> None:
        if not sums:
            return
        params: dict[str, object] = {"namespace": self._namespace}
        for i, (hour, number) in enumerate(sums.items()):
            params |= {f"hour_{i}": hour, f"registered_{i}": number}
        rows = ", ".join(f"(:namespace, :hour_{i}, :registered_{i})" for i in range(len(sums)))
        pass_over = self._transactions.dialect.pass_over("namespace, hour")
        sql = f"INSERT INTO dibs_figures (namespace, hour, registered) VALUES {rows} {pass_over}"
        self._transactions.change(sql, params, deadline=deadline)

    def _namespace_is(self) -> str:
        return f"{self._transactions.dialect.unindexed('namespace')} = :namespace"


def read_history(run: Run, namespace: str, key: str, *, limit: int) -> list[PastChange]:
    """The newest changes of a name and of those that look like it, newest first."""
    params = {"namespace": namespace, "key": key, "limit": limit} | member_bounds(key)
    rows = run.rows(OF_GROUP, params)
    return [PastChange(NameChange(*values[:-1]), values[-1]) for values in rows]


def changed(
    row: NameRow,
    action: Action,
    *,
    was: str | None = None,
    became: str | None = None,
    by: Acting | None = None,
) -> NameChange:
    """The change that led to this row.

    Args:
        row: As it is afterwards, but for an owner who was forgotten.
        by: Who acted, if not who acts in this thread.
    """
    now = by or acting()
    return NameChange(
        row.namespace,
        row.key,
        row.version,
        action,
        was,
        became,
        row.owner_kind,
        row.owner,
        _fitting(now.actor, 4 * MAX_OWNER),
        _fitting(now.request_id, MAX_REQUEST_ID),
    )


class Step(NamedTuple):
    """A change, and the row as it was read before it; None if there was none.

    Attributes:
        told: Whether a new row leaves this line to the history, and does not keep it itself.
    """

    before: NameRow | None
    change: NameChange
    told: bool = False


def append(run: Run, steps: Sequence[Step]) -> None:
    """Write changes down, and have them announced after COMMIT.

    One that is there already was written by this transaction's earlier self, whose COMMIT
    went unanswered.
    """
    lines = [line for step in steps for line in _lines(step)]
    for start in range(0, len(lines), MANY):
        run.change(*run.dialect.insert_history(lines[start : start + MANY]))
    run.note([step.change for step in steps])


def _lines(step: Step) -> list[Told]:
    """What this change writes: nothing if its row says it all, or the first claim too."""
    row = step.before
    if row is None:
        return [(step.change, None)] if step.told else []
    if row.first is None:
        return [(step.change, None)]
    action: Action = "adopted" if row.first.adopted and row.state == "owned" else ACTIONS[row.state]
    who = Acting(row.first.actor, row.first.request_id)
    first = changed(row, action, became=row.display, by=who)
    return [(first, row.first.at), (step.change, None)]


def written(run: Run, changes: Sequence[NameChange]) -> bool:
    """Whether these were written down, all of them in one transaction: then so was the rest."""
    if not changes:
        return False
    one = changes[0]
    sql = (
        f"SELECT {HISTORY_COLUMNS} FROM dibs_history"
        " WHERE namespace = :namespace AND name_key = :key AND version = :version"
    )
    params = {"namespace": one.namespace, "key": one.key, "version": one.version}
    return [NameChange(*row) for row in run.rows(sql, params)] == [one]


def _fitting(text: str | None, max_bytes: int) -> str | None:
    """What the column takes of what others call themselves: PostgreSQL has no NUL in texts."""
    shown = "".join(filter(str.isprintable, text or ""))
    return shown.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore") or None
