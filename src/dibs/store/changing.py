"""What happens to names after they were claimed, on a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from dibs.deadline import Deadline
from dibs.errors import StoreError
from dibs.signals import Action, NameChange
from dibs.store.changes import append, written
from dibs.store.claims import read
from dibs.store.dialects import Dialect, Run
from dibs.store.dialects.base import name_row
from dibs.store.records import DEFAULT_NAMESPACE, Claim, Failed, NameRow, Outcome, State, Won
from dibs.store.releases import FREE, OF_OWNER, Rest, end_row, locked
from dibs.store.renames import Rename, apply_rename
from dibs.store.transactions import Transactions
from dibs.store.transfers import Transfer, apply_transfer

ENDS: dict[State, Action] = {
    "held": "unheld",
    "reserved": "unreserved",
    "quarantined": "released",
}


class Changing(Protocol):
    """Ends and renames; see `dibs.store.Store`."""

    def release(
        self,
        key: str,
        *,
        owner: str,
        version: int | None = None,
        rest: Rest = FREE,
        namespace: str = DEFAULT_NAMESPACE,
        deadline: Deadline,
    ) -> bool:
        """End the ownership if this owner has it, and say whether she had.

        Args:
            version: That of the row when it was read; what has changed since is left alone.
            rest: What the name is before somebody else can have it.

        Raises:
            StoreUnavailable: It is not known to be released; asking again is safe.
        """
        ...

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
        """End a hold, a quarantine or a reservation, and say whether there was one.

        Args:
            state: Which of them.
            version: That of the row when it was read.
            token: The hold's own.

        Raises:
            StoreUnavailable: It is not known to be free; asking again is safe.
        """
        ...

    def rename(self, wish: Rename, *, deadline: Deadline) -> Outcome | None:
        """Take a new name and give up the old one: both or neither.

        Returns:
            Who has the new name; None if the old row has changed since it was read.

        Raises:
            UserNotFound: There is no such user, or she may not come in.
            RenamedTooOften: It is too early for yet another name.
        """
        ...

    def transfer(self, wish: Transfer, *, deadline: Deadline) -> Outcome | None:
        """Pass a name on from one user to another: all of it or nothing.

        Returns:
            Who has the name that was wanted instead; None if a row has changed meanwhile.

        Raises:
            UserNotFound: One of the two is no user any more.
        """
        ...

    def names_of(
        self,
        owner_kind: str,
        owner: str,
        *,
        state: State = "owned",
        namespace: str | None = None,
        deadline: Deadline,
    ) -> list[NameRow]:
        """What this owner has, in the order of namespaces and keys.

        Args:
            state: Of the rows; what is over by now is left out.
            namespace: The only one to look at.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...


class SqlChanging:
    """The same on a database."""

    _transactions: Transactions
    _dialect: type[Dialect]

    def release(
        self,
        key: str,
        *,
        owner: str,
        version: int | None = None,
        rest: Rest = FREE,
        namespace: str = DEFAULT_NAMESPACE,
        deadline: Deadline,
    ) -> bool:
        """See `Changing.release`."""
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
        """See `Changing.free`."""
        where = {"state": state, "claim_token": token, "version": version}
        return self._end(namespace, key, where, FREE, ENDS[state], deadline)

    def _end(
        self,
        namespace: str,
        key: str,
        where: Mapping[str, object],
        rest: Rest,
        action: Action,
        deadline: Deadline,
    ) -> bool:
        """End what the row is if all this is true of it; None stands for anything."""
        params = {"namespace": namespace, "name_key": key, **where}
        known = {name: value for name, value in params.items() if value is not None}
        sql = " AND ".join(f"{name} = :{name}" for name in known)

        sent: list[NameChange] = []

        def work(run: Run) -> bool:
            rows = locked(run, self._dialect, sql, known)
            if not rows:
                return written(run, sent)  # by our earlier self, whose COMMIT went unanswered
            gone = [end_row(run, self._dialect, row, rest, action=action) for row in rows]
            append(run, self._dialect, [one.change for one in gone])
            sent[:] = [one.change for one in gone]
            return True

        return self._transactions.write(
            work,
            changed=bool,
            recall=lambda run: written(run, sent) or None,
            deadline=deadline,
        )

    def rename(self, wish: Rename, *, deadline: Deadline) -> Outcome | None:
        """See `Changing.rename`."""
        return self._move(wish.claim, lambda run: apply_rename(run, self._dialect, wish), deadline)

    def transfer(self, wish: Transfer, *, deadline: Deadline) -> Outcome | None:
        """See `Changing.transfer`."""
        return self._move(
            wish.instead, lambda run: apply_transfer(run, self._dialect, wish), deadline
        )

    def _move(
        self, claim: Claim, work: Callable[[Run], Outcome | None], deadline: Deadline
    ) -> Outcome | None:
        place = claim.namespace, claim.username.key

        def recall(run: Run) -> Outcome | None:
            row = read(run, self._dialect, {place}).get(place)
            return Won(row) if row is not None and row.won_by(claim.token) else None

        try:
            return self._transactions.write(
                work,
                changed=lambda outcome: isinstance(outcome, Won),
                recall=recall,
                deadline=deadline,
            )
        except StoreError as error:
            return Failed(error)

    def names_of(
        self,
        owner_kind: str,
        owner: str,
        *,
        state: State = "owned",
        namespace: str | None = None,
        deadline: Deadline,
    ) -> list[NameRow]:
        """See `Changing.names_of`."""
        where = f"{OF_OWNER} AND state = :state"
        params = {"owner_kind": owner_kind, "owner": owner, "state": state}
        if namespace is not None:
            where = f"{where} AND {self._dialect.unindexed('namespace')} = :namespace"
            params["namespace"] = namespace
        rows = self._transactions.read(
            lambda run: run.rows(self._dialect.select_where(where), params), deadline=deadline
        )
        found = [row for row in map(name_row, rows) if not row.free]
        return sorted(found, key=lambda row: (row.namespace, row.key))
