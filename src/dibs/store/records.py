"""The values that go into the store and come out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from dibs.deadline import Deadline
from dibs.errors import StoreError
from dibs.names import Username
from dibs.store.feed import Listing

State = Literal["owned", "held", "quarantined", "reserved", "free"]

DEFAULT_NAMESPACE = "default"
MAX_OWNER = 64


@dataclass(frozen=True, slots=True)
class NewUser:
    """The user row that a won claim writes in the same transaction.

    Attributes:
        id: Random UUIDv4 in its 36-character form, made by the app.
        password_hash: PHC string, or None for an account without a password.
    """

    id: str
    password_hash: str | None = None


@dataclass(frozen=True, slots=True)
class NewTeam:
    """The team row that a won claim writes in the same transaction, with its first owner.

    Attributes:
        id: Random UUIDv4 in its 36-character form, made by the app.
        owner: The id of a user.
    """

    id: str
    owner: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One wish for one name.

    Attributes:
        username: The parsed name.
        owner_kind: What owns it, for instance `user`; at most 64 characters.
        owner: Its identity; opaque, at most 64 characters, never empty.
        token: Which request asks; a row that carries it is this request's own.
        namespace: Names are unique within one.
        user: Written together with the name when the claim is won.
        team: The same, for a team's name.
        state: What the row becomes: `owned`, or `reserved` for staff to give away.
        by_staff: Whether a reserved name may be had.
    """

    username: Username
    owner_kind: str
    owner: str
    token: str
    namespace: str = DEFAULT_NAMESPACE
    user: NewUser | None = None
    state: State = "owned"
    by_staff: bool = False
    team: NewTeam | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.owner) <= MAX_OWNER or not 0 < len(self.owner_kind) <= MAX_OWNER:
            raise ValueError("owner and owner_kind take 1 to 64 characters")


@dataclass(frozen=True, slots=True)
class NameRow:
    """A row of the names table.

    Attributes:
        free: Whether the name can be claimed, judged by the database's clock
            at the moment of reading.
        expires_at: End of a hold or quarantine, milliseconds of the
            database's clock since 1970.
        version: Grows with every change of the row and never restarts.
        expires_in: What was left until `expires_at` at that moment, in milliseconds.
    """

    namespace: str
    key: str
    canonical: str
    display: str
    rules_version: int
    state: State
    owner_kind: str | None
    owner: str | None
    claim_token: str | None
    expires_at: int | None
    version: int
    free: bool
    # Of the moment, not of the row: two readings are the same row.
    expires_in: int | None = field(default=None, compare=False)

    def won_by(self, token: str) -> bool:
        """Whether the request with this token wrote the row, now or before its reply was lost.

        Every later change of a row clears or replaces its token, so a name that
        was released since is nobody's earlier success.
        """
        return self.state in ("owned", "reserved") and self.claim_token == token

    def open_to(self, claim: Claim) -> bool:
        """Whether this claim may take the row over."""
        return self.free or (claim.by_staff and self.state == "reserved")


@dataclass(frozen=True, slots=True)
class Won:
    """The claim has the name.

    Attributes:
        row: The row as it stands. Its owner is another than the claim's when
            an earlier request with the same token had won already.
    """

    row: NameRow


@dataclass(frozen=True, slots=True)
class Lost:
    """Somebody else has the name.

    Attributes:
        row: The row that was there.
    """

    row: NameRow


@dataclass(frozen=True, slots=True)
class Failed:
    """The database could not say.

    Attributes:
        error: `StoreUnavailable` when nothing was changed, `OutcomeUnknown`
            when that is not known either.
    """

    error: StoreError


Outcome = Won | Lost | Failed


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user of the service's own, with the name that is hers.

    Attributes:
        created_at: Milliseconds of the database's clock since 1970.
        role: `staff`, or None.
    """

    id: str
    username: str
    created_at: int
    role: str | None = None


class Store(Listing, Protocol):
    """The one part that says yes. Every implementation passes `dibs.testing.StoreContract`."""

    def claim_many(self, claims: Sequence[Claim], *, deadline: Deadline) -> list[Outcome]:
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

    def release(
        self,
        key: str,
        *,
        owner: str,
        version: int | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        deadline: Deadline,
    ) -> bool:
        """Free the name if this owner holds it, and say whether it did.

        Args:
            version: That of the row when it was read; what has changed since is left alone.

        Raises:
            StoreUnavailable: It is not known to be released; asking again is safe.
        """
        ...

    def unreserve(
        self, key: str, *, namespace: str = DEFAULT_NAMESPACE, deadline: Deadline
    ) -> bool:
        """Free the name if it is reserved, and say whether it was.

        Raises:
            StoreUnavailable: It is not known to be free; asking again is safe.
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
        """The user with this id, if her name is in this namespace.

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
