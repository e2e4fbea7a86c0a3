"""What every store can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from dibs.context import Deadline
from dibs.store.names.listing import Listing
from dibs.store.names.store import Changing
from dibs.store.records import DEFAULT_NAMESPACE, Claim, Failed, NameRow, Outcome, UserRow


class Store(Changing, Listing, Protocol):
    """The one part that says yes. Every implementation passes the contract's tests."""

    def claim(self, claim: Claim, *, deadline: Deadline) -> Outcome:
        """Try to take the name.

        Raises:
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was stored is not known.
        """
        ...

    def claim_many(self, claims: Sequence[Claim], *, deadline: Deadline) -> list[Outcome | Failed]:
        """Try to take each name.

        Returns:
            One outcome a claim, in the order of the claims. A name that another
            transaction keeps locked fails alone.
        """
        ...

    def find(
        self, keys: Sequence[str], *, namespace: str = DEFAULT_NAMESPACE, deadline: Deadline
    ) -> Mapping[str, NameRow]:
        """The rows of these keys, by key; a key that was never claimed is left out.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...

    def reserved(self, *, namespace: str = DEFAULT_NAMESPACE, deadline: Deadline) -> list[NameRow]:
        """Every reserved name, in the order of their keys.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...

    def set_role(self, user_id: str, role: str | None, *, deadline: Deadline) -> bool:
        """Give a user this role, or none, and say whether there is such a user.

        Raises:
            StoreUnavailable: It is not known to be done; asking again is safe.
        """
        ...

    def user(
        self, user_id: str, *, namespace: str = DEFAULT_NAMESPACE, deadline: Deadline
    ) -> UserRow | None:
        """The user with this id, if their name is in this namespace.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...

    def users(
        self,
        *,
        limit: int,
        after: str | None,
        namespace: str = DEFAULT_NAMESPACE,
        deadline: Deadline,
    ) -> list[UserRow]:
        """Up to `limit` users of a namespace in the order of their ids, past the id `after`.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...

    def verify(self, *, deadline: Deadline) -> None:
        """See that tables, constraint, collation and rules version are as needed.

        Raises:
            SchemaError: They are not; the message names the command that mends it.
            StoreUnavailable: The database cannot answer.
        """
        ...

    def secret(self, *, deadline: Deadline) -> str:
        """The random secret that all servers on this database share.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...

    def close(self) -> None:
        """Give back every connection."""
        ...
