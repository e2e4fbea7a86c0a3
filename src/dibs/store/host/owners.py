"""Who will own a name: a mapped instance of the host, or a plain id.

A name is claimed before the host's own row is written, or a UNIQUE of the host's would answer
in place of dibs. Where the app makes the primary key, the owner is known by then. Where the
database makes it, the name is claimed for a *pending* owner, and gets its true one after the
flush. Nobody else sees that: both happen in one transaction, and whatever undoes the host's row
undoes the claim.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID
from weakref import WeakKeyDictionary, ref

from sqlalchemy import ClauseElement, FromClause, Table, inspect, update
from sqlalchemy.orm import InstanceState, Mapper, RelationshipDirection, Session

from dibs.errors import OwnerWithoutIdentity
from dibs.store.database.rows import key_params
from dibs.store.database.runs import Run
from dibs.store.names.reading import parts
from dibs.store.records import MAX_OWNER, NameRow

DEFAULT_KIND = "user"


class Owner(NamedTuple):
    """What the names table keeps of an owner.

    Attributes:
        kind: The table of a mapped instance, or what its caller says of a plain id.
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
    """The owner, if the names table can keep them; else an `OwnerWithoutIdentity`."""
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


def bind_of(mapper: Mapper[Any]) -> Mapping[str, Any]:
    """`bind_arguments` of the database in which the mapper's rows are written."""
    return {"mapper": mapper, **write_to(_root_of(mapper).local_table)}


def write_to(table: FromClause) -> Mapping[str, Any]:
    """`bind_arguments` of the database that this table is written to.

    The UPDATE is never sent. It tells a session that reads from replicas that
    this is a write.
    """
    return {"clause": update(table) if isinstance(table, Table) else table}


PENDING = "dibs.pending"


def owner_of(state: InstanceState[Any]) -> Owner:
    """Who this instance is, or what stands for them until the flush has told."""
    if state.has_identity:
        return fitting(identity_of(state))
    made = [filled(state, column) for column in state.mapper.primary_key]
    if not any(part is None or is_sql(part) for part in made):
        return fitting(Owner(kind_of(state.mapper), joined(made)))
    stand_in = state.info.setdefault(PENDING, f"pending:{secrets.token_hex(16)}")
    return Owner(kind_of(state.mapper), stand_in)


def is_sql(value: object) -> bool:
    """Whether the database works this value out, so that nobody knows it yet."""
    return isinstance(value, ClauseElement) or hasattr(value, "__clause_element__")


class _Context:
    """What a column's default may ask of the INSERT that it is for.

    https://docs.sqlalchemy.org/en/20/core/defaults.html#context-sensitive-default-functions
    """

    def __init__(self, state: InstanceState[Any]) -> None:
        self._state = state

    @property
    def current_parameters(self) -> Mapping[str, Any]:
        columns = self._state.mapper.columns.items()
        return {
            column.key: self._state.dict[key] for key, column in columns if key in self._state.dict
        }

    def get_current_parameters(self, isolate_multiinsert_groups: bool = True) -> Mapping[str, Any]:
        del isolate_multiinsert_groups
        return self.current_parameters


def filled(state: InstanceState[Any], column: Any) -> Any:
    """What the column of a new instance will hold, by its Python default if nothing was said.

    The default is asked once, and put into the instance; None is what the database makes.
    """
    key = state.mapper.get_property_by_column(column).key
    value, default = state.dict.get(key), column.default
    if value is not None or default is None:
        return value
    if default.is_callable:
        value = default.arg(_Context(state))
    elif default.is_scalar:
        value = default.arg
    if value is not None:
        setattr(state.obj(), key, value)
    return value


class PendingName(NamedTuple):
    """A name that was won for an owner who had no identity then."""

    state: InstanceState[Any]
    row: NameRow


def write_owners(run: Run, names: Sequence[PendingName]) -> None:
    """Put the true owners in the place of the pending ones, once the flush has made them."""
    known: dict[str, str] = {}
    for name in names:
        name.state.info.pop(PENDING, None)
        known[str(name.row.owner)] = fitting(identity_of(name.state)).id
    rows = (name.row for name in names if known[str(name.row.owner)] != name.row.owner)
    by_place = {row.place: row for row in rows}
    for namespace, keys in parts(by_place):
        _write(run, namespace, [by_place[namespace, key] for key in keys], known)
    run.noted = [replace(one, owner=known.get(str(one.owner), one.owner)) for one in run.noted]


def _write(run: Run, namespace: str, rows: Sequence[NameRow], known: Mapping[str, str]) -> None:
    # Of a group the key too: who had it a moment ago is in its history.
    keys = sorted({key for row in rows for key in (row.key, row.group[1])})
    params = key_params(namespace, keys)
    for i, row in enumerate(rows):
        params |= {f"was_{i}": row.owner, f"owner_{i}": known[str(row.owner)]}
    cases = " ".join(f"WHEN :was_{i} THEN :owner_{i}" for i in range(len(rows)))
    change = f"SET owner = CASE owner {cases} ELSE owner END WHERE {run.dialect.among(len(keys))}"
    run.change(f"UPDATE dibs_names {change}", params)
    # What was somebody's before is in the history.
    if any(row.version > 1 or row.is_member for row in rows):
        theirs = ", ".join(f":was_{i}" for i in range(len(rows)))
        run.change(f"UPDATE dibs_history {change} AND owner IN ({theirs})", params)


# Beside the state: whoever pickles an owner pickles what is in there.
_left_out: WeakKeyDictionary[InstanceState[Any], ref[Session]] = WeakKeyDictionary()


def leave_out(state: InstanceState[Any]) -> None:
    """Take an owner whose name was refused out of the session, if nothing of theirs is stored.

    A commit that comes anyway must not store somebody without a name. What belongs to them
    goes too. They come back with the next claim for them.
    """
    session = state.session
    if session is None or not state.pending:
        return
    _left_out[state] = ref(session)
    session.expunge(state.obj())
    for relationship in state.mapper.relationships:
        loaded = state.dict.get(relationship.key)
        if relationship.direction is not RelationshipDirection.ONETOMANY or loaded is None:
            continue
        for part in loaded if isinstance(loaded, (list, set, tuple)) else [loaded]:
            if part in session.new:
                session.expunge(part)


def come_back(state: InstanceState[Any]) -> None:
    """Put an owner who was left out back into the session that they were in."""
    left = _left_out.pop(state, None)
    session = left() if left is not None else None
    if session is not None and state.transient:
        session.add(state.obj())
