"""Who will own a name: a mapped instance of the host, or a plain id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import FromClause, Table, inspect, update
from sqlalchemy.orm import InstanceState, Mapper, Session

from dibs.errors import OwnerWithoutIdentity
from dibs.store.records import MAX_OWNER

DEFAULT_KIND = "user"


class Owner(NamedTuple):
    """What the names table keeps of an owner.

    Attributes:
        kind: The table of a mapped instance, or what its caller says of a plain id.
        id: The primary key as text.
    """

    kind: str
    id: str


def identify(owner: object, kind: str | None = None) -> Owner:
    """The owner as the names table keeps it; to be asked after the flush.

    Raises:
        OwnerWithoutIdentity: It has no primary key, was deleted, or its primary key is too long.
        TypeError: A kind was given for a mapped instance.
    """
    state = state_of(owner)
    if state is None:
        found = Owner(kind or DEFAULT_KIND, str(owner))
    elif not state.has_identity or is_going(state):
        raise OwnerWithoutIdentity
    else:
        found = identity_of(state)
    return fitting(found)


def is_going(state: InstanceState[Any]) -> bool:
    """Whether this instance is deleted, or will be by the next flush."""
    if state.was_deleted or state.deleted:
        return True
    session = state.session
    return session is not None and state.obj() in session.deleted


def fitting(owner: Owner) -> Owner:
    """The owner, if the names table can keep them.

    Raises:
        OwnerWithoutIdentity: Their identity is empty or too long.
    """
    if not 0 < len(owner.id) <= MAX_OWNER:
        raise OwnerWithoutIdentity(
            f"An owner's identity takes 1 to {MAX_OWNER} characters; this one has {len(owner.id)}."
        )
    return owner


def identity_of(state: InstanceState[Any]) -> Owner:
    """The owner that an instance with a primary key is, or was before it was deleted."""
    _, identity, *_ = state.key or ((), ())
    return Owner(kind_of(state.mapper), joined(identity))


def joined(identity: Sequence[Any]) -> str:
    """A primary key as text."""
    parts = [part.hex() if isinstance(part, bytes) else str(part) for part in identity]
    # A part may hold the separator itself; a key of one column is left as it is.
    return parts[0] if len(parts) == 1 else ":".join(quote(part, safe="") for part in parts)


def kind_of(mapper: Mapper[Any]) -> str:
    """The same for a class and its subclasses, which share their identities."""
    table = _root_of(mapper).local_table
    return str(getattr(table, "fullname", mapper.class_.__name__))


def _root_of(mapper: Mapper[Any]) -> Mapper[Any]:
    """Of all that share identities: a concrete subclass has its own."""
    while mapper.inherits is not None and not mapper.concrete:
        mapper = mapper.inherits
    return mapper


def state_of(owner: object, kind: str | None = None) -> InstanceState[Any] | None:
    """What SQLAlchemy knows of a mapped instance; None for a plain id.

    Raises:
        OwnerWithoutIdentity: It is neither, or was never added to a session.
        TypeError: A kind was given for a mapped instance.
    """
    state = instance_state(owner)
    if state is not None:
        if kind is not None:
            # Whoever deletes the instance must find its names without being told the kind.
            raise TypeError("kind is for a plain id; a mapped owner's kind is its table")
        if state.transient:
            raise OwnerWithoutIdentity
        return state
    if not isinstance(owner, str | int | UUID) or isinstance(owner, bool):
        raise OwnerWithoutIdentity(
            f"A name is owned by a mapped instance, a str, an int or a UUID, not {owner!r}."
        )
    return None


def instance_state(owner: object) -> InstanceState[Any] | None:
    """What SQLAlchemy knows of a mapped instance; None for whatever else it is."""
    state = inspect(owner, raiseerr=False)
    return state if isinstance(state, InstanceState) else None


def session_of(state: InstanceState[Any] | None) -> Session | None:
    """The session in whose transaction the owner's own row is written."""
    return state.session if state else None


def bind_of(mapper: Mapper[Any]) -> Mapping[str, Any]:
    """`bind_arguments` of the database in which the mapper's rows are written."""
    return {"mapper": mapper, **write_to(_root_of(mapper).local_table)}


def write_to(table: FromClause) -> Mapping[str, Any]:
    """`bind_arguments` of the database that this table is written to.

    The UPDATE is never sent. It tells a session that reads from replicas that
    this is a write.
    """
    return {"clause": update(table) if isinstance(table, Table) else table}
