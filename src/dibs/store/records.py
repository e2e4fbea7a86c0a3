"""The values that go into the store and come out of it."""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace
from typing import Literal

from dibs.context import Acting, acting
from dibs.errors import StoreError
from dibs.names import Parser, Username

State = Literal["owned", "held", "quarantined", "reserved", "free", "group", "companion"]

STAFF = "staff"
"""The kind of owner that reserved names have; who owns them is the reason."""

DEFAULT_NAMESPACE = "default"
MAX_OWNER = 64

TOKEN_BYTES, TOKEN_LENGTH = 12, 16

MARK, BEHIND = "\x01", "\x02"
"""No name's key has a control character in it; see `dibs.store.names.groups`."""


def member_key(key: str, display: str) -> str:
    """The key of the row of who writes their name like this in the group of another key."""
    return f"{MARK}{key}{MARK}{display}"


def keys_of(name: Username) -> list[str]:
    """Under which keys the row of exactly this name may be."""
    keys = [name.key]
    if name.twin is not None and name.twin.phase.step == "moving":
        keys.append(name.twin.key)
    return keys + [member_key(key, name.display) for key in keys]


def member_bounds(key: str) -> dict[str, object]:
    """Between which keys the rows of a group's members are: `first` and `last`."""
    return {"first": f"{MARK}{key}{MARK}", "last": f"{MARK}{key}{BEHIND}"}


def short_token(token: str) -> str:
    """A claim token as rows have it: 96 bits of it in 16 characters.

    It is only ever compared with that of one other row, and what is short already stays.
    """
    if len(token) <= TOKEN_LENGTH:
        return token
    return urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:TOKEN_BYTES]).decode()


def new_id() -> str:
    """An id for a user or a team: a UUIDv7 (RFC 9562, section 5.7) in its 36-character form.

    It begins with the time, to a quarter of a microsecond (section 6.2, method 3): what one process
    made first sorts first. Indexes are filled at their end, and their pages whole: by random ids a
    name takes 27 bytes more on PostgreSQL.
    """
    now, rest = time.time_ns(), secrets.randbits(62)
    ms, within = divmod(now, 1_000_000)
    text = f"{ms << 80 | 7 << 76 | (within << 12) // 1_000_000 << 64 | 2 << 62 | rest:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@dataclass(frozen=True, slots=True)
class NewUser:
    """The user row that a won claim writes in the same transaction.

    Attributes:
        password_hash: PHC string, or None for an account without a password.
    """

    id: str
    password_hash: str | None = None


@dataclass(frozen=True, slots=True)
class NewTeam:
    """The team row that a won claim writes in the same transaction, with its first owner."""

    id: str
    owner: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One wish for one name.

    Attributes:
        owner_kind: What owns it, for instance `user`; at most 64 characters.
        owner: Its identity; opaque, at most 64 characters, never empty.
        token: Which request asks; a row that carries it is this request's own. Kept short.
        user: Written together with the name when the claim is won.
        state: What the row becomes: `owned`, or `reserved` for staff to give away.
        by_staff: Whether a name may be had that is reserved, held or quarantined.
        lasts: Of a hold: milliseconds after which the name is free again.
        hold: The token of a hold that this claim redeems.
        invitation: The hash of one that this claim uses up a part of.
        by: Who acts, and for which request: another thread may send the claim.
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
    lasts: int | None = None
    hold: str = ""
    invitation: str = ""
    by: Acting = field(default_factory=acting)

    def __post_init__(self) -> None:
        if not 0 < len(self.owner) <= MAX_OWNER or not 0 < len(self.owner_kind) <= MAX_OWNER:
            raise ValueError("owner and owner_kind take 1 to 64 characters")
        object.__setattr__(self, "token", short_token(self.token))
        object.__setattr__(self, "hold", short_token(self.hold))

    @property
    def place(self) -> tuple[str, str]:
        """Where its row is to be: what the database makes unique."""
        return self.namespace, self.username.key

    def read_by(self, parser: Parser | None) -> Claim:
        """The same by the rules that this parser has names by now; without one as it is."""
        if parser is None:
            return self
        return replace(self, username=parser.existing(self.username.display))


@dataclass(frozen=True, slots=True)
class FirstClaim:
    """What the history says of a row's first claim; the rest is in the row.

    Attributes:
        at: Milliseconds of the database's clock since 1970.
        registered: Whether it made a user who has no row of their own yet.
        adopted: Whether it was no claim: the name was somebody's before dibs was there.
    """

    at: int
    actor: str | None
    request_id: str | None
    registered: bool
    adopted: bool = False


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
        first: Of a row that was read and is as its first claim left it: the history does not
            have that claim yet, and is given it with the next change.
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
    first: FirstClaim | None = field(default=None, compare=False)

    def won_by(self, token: str) -> bool:
        """Whether the request with this token wrote the row, now or before its reply was lost.

        Every later change of a row clears or replaces its token, so a name that
        was released since is nobody's earlier success.
        """
        if self.state == "held" and self.free:
            return False  # a hold that is over is a success no more
        return (
            self.state in ("owned", "held", "reserved", "companion") and self.claim_token == token
        )

    @property
    def place(self) -> tuple[str, str]:
        """Where it is: what the database makes unique."""
        return self.namespace, self.key

    @property
    def is_member(self) -> bool:
        """Whether this is the row of a member of a group, under a marked key."""
        return self.key.startswith(MARK)

    @property
    def group(self) -> tuple[str, str]:
        """Where the key's row of a member's group is; of any other row, where that is."""
        key = self.key.split(MARK, 2)[1] if self.is_member else self.key
        return self.namespace, key

    def open_to(self, claim: Claim) -> bool:
        """Whether this claim may take the row over."""
        if self.state in ("group", "companion"):
            return False
        if self.free or (claim.by_staff and self.state != "owned"):
            return True
        if self.state == "held":
            return bool(claim.hold) and self.claim_token == claim.hold
        return self.state == "quarantined" and self.is_of(claim.owner_kind, claim.owner)

    def is_of(self, owner_kind: str, owner: str) -> bool:
        """Whether this is, or was before its quarantine, a name of this owner."""
        return self.owner_kind == owner_kind and self.owner == owner

    def is_owned_by(self, owner_kind: str, owner: str) -> bool:
        """Whether this is a name of this owner now."""
        return self.state == "owned" and self.is_of(owner_kind, owner)


def owned(claim: Claim, *, version: int) -> NameRow:
    """The row as a won claim leaves it."""
    name = claim.username
    return NameRow(
        namespace=claim.namespace,
        key=name.key,
        canonical=name.canonical,
        display=name.display,
        rules_version=name.rules_version,
        state=claim.state,
        owner_kind=claim.owner_kind,
        owner=claim.owner,
        claim_token=claim.token,
        expires_at=None,
        version=version,
        free=False,
    )


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
    """Somebody else has the name."""

    row: NameRow


@dataclass(frozen=True, slots=True)
class Failed:
    """The database could not say, of one claim in a batch.

    Attributes:
        error: `StoreUnavailable` when nothing was changed, `OutcomeUnknown`
            when that is not known either.
    """

    error: StoreError


Outcome = Won | Lost
"""Of one claim; in a batch each may also have `Failed`, where a single one raises."""


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user of the service's own, with the name that is theirs.

    Attributes:
        created_at: Milliseconds of the database's clock since 1970, as are the others.
        role: `staff`, or None.
        disabled_at: Since when they cannot come in; None if they can.
    """

    id: str
    username: str
    created_at: int
    role: str | None = None
    disabled_at: int | None = None
    signed_in_at: int | None = None
