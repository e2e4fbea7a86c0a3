"""Check, claim and release: from a parsed name through a strategy to the store."""

from __future__ import annotations

from dibs.errors import (
    NameHeld,
    NameLookalike,
    NameQuarantined,
    NameReserved,
    NameTaken,
)
from dibs.names import Username
from dibs.store import (
    DEFAULT_NAMESPACE,
    Claim,
    Deadline,
    Failed,
    Lost,
    NameRow,
    NewUser,
    Store,
    Won,
)
from dibs.strategies import Strategy

REFUSALS: dict[str, type[NameTaken]] = {
    "held": NameHeld,
    "quarantined": NameQuarantined,
    "reserved": NameReserved,
}


def refusal(row: NameRow, canonical: str) -> NameTaken:
    """Why the name cannot be had, read from the row that was there.

    The key says that the name is not free; who has it is told by the canonical
    form alone, or a look-alike would pass for its neighbour.
    """
    if row.state == "owned":
        return NameTaken() if row.canonical == canonical else NameLookalike()
    return REFUSALS[row.state]()


class Registry:
    """Names of one namespace."""

    def __init__(
        self, store: Store, strategy: Strategy, *, namespace: str = DEFAULT_NAMESPACE
    ) -> None:
        self._store = store
        self._strategy = strategy
        self._namespace = namespace

    def check(self, username: Username, *, deadline: Deadline) -> NameTaken | None:
        """Why the name cannot be had now, or None: advice, never a promise.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        found = self._strategy.check([username.key], namespace=self._namespace, deadline=deadline)
        row = found.get(username.key)
        return None if row is None or row.free else refusal(row, username.canonical)

    def look(
        self, username: Username, *, token: str, costly: bool, deadline: Deadline
    ) -> NameRow | None:
        """What the strategy asks before the insert.

        Args:
            username: The parsed name.
            token: Which request asks.
            costly: Whether a password hash comes next, which a taken name must not cost.
            deadline: When the caller stops waiting.

        Returns:
            The row of this same request's earlier success, if there was one.

        Raises:
            NameTaken: Somebody has the name; the subclass says how.
            StoreUnavailable: The database cannot answer.
        """
        row = self._strategy.holder(
            username.key, namespace=self._namespace, costly=costly, deadline=deadline
        )
        if row is None or row.free:
            return None
        if row.won_by(token):
            return row
        raise refusal(row, username.canonical)

    def claim(
        self,
        username: Username,
        *,
        token: str,
        owner_kind: str,
        owner: str,
        user: NewUser | None = None,
        deadline: Deadline,
    ) -> NameRow:
        """Take the name: the insert in which every strategy ends.

        Args:
            username: The parsed name.
            token: Which request asks; a row that carries it is its earlier success.
            owner_kind: What will own the name.
            owner: Which one.
            user: Written in the same transaction.
            deadline: When the caller stops waiting.

        Returns:
            The row. Its owner is an earlier one if this token had won already.

        Raises:
            NameTaken: Somebody has the name; the subclass says how.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was stored is not known.
        """
        claim = Claim(username, owner_kind, owner, token, self._namespace, user)
        match self._strategy.claim(claim, deadline=deadline):
            case Failed(error):
                raise error
            case Lost(row):
                raise refusal(row, username.canonical)
            case Won(row):
                return row

    def release(self, username: Username, *, owner: str, deadline: Deadline) -> bool:
        """Free the name if this owner holds it, and say whether it did.

        Raises:
            StoreUnavailable: It is not known to be released; asking again is safe.
        """
        return self._store.release(
            username.key, owner=owner, namespace=self._namespace, deadline=deadline
        )
