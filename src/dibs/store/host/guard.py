"""A column of the host's in which every name is claimed: at INSERT, UPDATE and DELETE.

SQLAlchemy's own unit of work tells what a flush is about to write. Before the first guarded row
of a flush is written, the names of all of them are claimed, in one batch; after it, those whose
primary key the database made get their true owner. Everything is inside the flush, so that a
refusal undoes it as any constraint would.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, event
from sqlalchemy.orm import InstanceState, Mapper, Session, UOWTransaction

from dibs.errors import ConfigError, InvalidName, NameTaken
from dibs.names import Username
from dibs.store.host.columns import guarded_column
from dibs.store.host.connection import (
    HostRun,
    NameTable,
    connect,
    lock_timeout,
    translated_errors,
)
from dibs.store.host.events import Fate, announce_later, freed
from dibs.store.host.owners import bind_of, instance_state
from dibs.store.host.pending import PendingName, filled, is_sql, owner_of, write_owners
from dibs.store.host.refused import in_flush
from dibs.store.names.moves import Move, OldName, apply_moves
from dibs.store.names.releases import FREE, Quarantine
from dibs.store.records import Claim, Lost, NameRow, Won

GUARDS = "dibs.guards"
FLUSH = "dibs.flush"


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of a `Dibs` about the names in a column; each at the moment of a flush.

    Attributes:
        parse: Reads a new name; raises `InvalidName`.
        existing: Reads a name that somebody has; raises `InvalidName`.
        refusal: Why a name cannot be had, by the row that was there and the canonical form.
        namespace: In which the names of an instance are unique.
        table: Where names are kept, here and now.
        rest: What a name is between its owner and the next one.
        fate: What becomes of the names of owners who are deleted.
        touched: Is told of a session whose flush dibs takes part in.
        within: Of two guards that are equal in this, one model has one; None for any number.
        by_staff: Whether a name may be had that is reserved, held or quarantined.
    """

    parse: Callable[[str], Username]
    existing: Callable[[str], Username]
    refusal: Callable[[NameRow, str], NameTaken]
    namespace: Callable[[object], str]
    table: Callable[[], NameTable]
    rest: Callable[[], Quarantine]
    fate: Callable[[], Fate]
    touched: Callable[[Session], None]
    within: object = None
    by_staff: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class GuardedColumn:
    """One guarded column of a model.

    Attributes:
        mapper: Of the model; its subclasses are guarded too.
        key: What the attribute is called.
        column: Where it is stored.
        rules: What counts for its names.
    """

    mapper: Mapper[Any]
    key: str
    column: Column[Any]
    rules: Rules

    @property
    def where(self) -> str:
        """What the column is called in a sentence."""
        return f"{self.mapper.class_.__name__}.{self.key}"

    def name_of(self, state: InstanceState[Any]) -> str | None:
        """The name that is about to be stored; None for none.

        Raises:
            ConfigError: It is no text.
        """
        value = state.dict.get(self.key)
        if value is None and not state.has_identity:
            value = filled(state, self.column)
        if value is None or isinstance(value, str):
            return value
        what = "an SQL expression" if is_sql(value) else f"{type(value).__name__}"
        raise ConfigError(
            f"{self.where} is guarded, so it takes text or None, not {what}: dibs has to know"
            " the name before it is stored"
        )

    def name_before(self, state: InstanceState[Any], *, load: bool) -> str | None:
        """The name that is stored now; None for none.

        Args:
            state: Of the instance.
            load: Whether to ask the database for one that is not known.
        """
        if not state.has_identity:
            return None
        attribute = state.attrs[self.key]
        history = attribute.load_history() if load else attribute.history
        old = history.deleted or history.unchanged
        return old[0] if old and isinstance(old[0], str) else None


def guards_of(mapper: Mapper[Any]) -> Sequence[GuardedColumn]:
    """Those of a model and of what it inherits from."""
    found: list[GuardedColumn] = []
    for one in mapper.iterate_to_root():
        found += one.class_manager.info.get(GUARDS, ())
    return found


_unheard: list[GuardedColumn] = []
_any = False


def add_guard(attribute: Any, rules: Rules) -> GuardedColumn:
    """Claim what is in this column from now on.

    Raises:
        ConfigError: The column cannot be guarded; the message says why.
    """
    global _any  # a flush in an app without guards costs one look
    mapper, column = guarded_column(attribute)
    for other in guards_of(mapper):
        if rules.within is not None and other.rules.within == rules.within:
            raise ConfigError(
                f"{other.where} is guarded in the same namespace already, and an owner has one"
                ' name in each; guard the other column by dibs.namespace("...").guard(...)'
            )
    guard = GuardedColumn(mapper, attribute.key, column, rules)
    guard.mapper.class_manager.info.setdefault(GUARDS, []).append(guard)
    guard.column.table.info.setdefault(GUARDS, []).append(guard)
    # The old value is loaded before it is overwritten. What the namespace is found by is not known.
    for key in [attribute.key] if rules.within is not None else mapper.columns.keys():
        loaded = getattr(mapper.class_, key)
        event.listen(loaded, "set", _keep, active_history=True, propagate=True)
    _unheard.append(guard)
    _any = True
    return guard


def _keep(target: object, value: object, old: object, initiator: object) -> None:
    """Nothing is to be done: that somebody listens has the old value loaded."""


@event.listens_for(Session, "before_flush")
def _begin(session: Session, flush: UOWTransaction, instances: object) -> None:
    del instances
    if not _any:
        return
    while _unheard:
        # As late as can be: what the host's own listeners set is seen.
        mapper = _unheard.pop().mapper
        for name in ("before_insert", "before_update"):
            event.listen(mapper, name, _before, propagate=True)
    # Before SQLAlchemy asks for the connection: a server that is away is told as what it is.
    guarded = {one.mapper for one in map(instance_state, [*session.new, *session.dirty]) if one}
    for mapper in guarded:
        for guard in guards_of(mapper)[:1]:
            connect(session, bind_of(mapper), guard.rules.table())
            guard.rules.touched(session)
    session.info[FLUSH] = NameFlush(session, flush)


def _before(mapper: Mapper[Any], connection: Connection, target: object) -> None:
    del mapper, connection
    state = instance_state(target)
    if state is None or state.session is None:
        return
    flush: NameFlush | None = state.session.info.get(FLUSH)
    if flush is not None:
        flush.claim(state)


@event.listens_for(Session, "after_flush_postexec")
def _end(session: Session, _: UOWTransaction) -> None:
    flush: NameFlush | None = session.info.pop(FLUSH, None)
    if flush is not None:
        flush.end()


class _AsItWas:
    """An instance with the values that are stored now: what its namespace was found by."""

    def __init__(self, state: InstanceState[Any]) -> None:
        self._state = state

    def __getattr__(self, name: str) -> Any:
        if name in self._state.attrs and (old := self._state.attrs[name].history.deleted):
            return old[0]
        return getattr(self._state.obj(), name)


class Place(NamedTuple):
    """A name, and where it is unique; None for none."""

    namespace: str
    name: str | None


Attribute = tuple[GuardedColumn, InstanceState[Any]]


class Wish(NamedTuple):
    """What a flush changes for one guarded attribute of one instance."""

    guard: GuardedColumn
    state: InstanceState[Any]
    new: Place
    move: Move
    is_gone: bool


class Sent(NamedTuple):
    """What was claimed on a connection."""

    connection: Connection
    run: HostRun
    names: dict[Attribute, PendingName]


@dataclass(slots=True)
class NameFlush:
    """The names of one flush: claimed before anything is written, and owned after it.

    Attributes:
        session: Whose flush it is.
        context: What it is about to write.
        seen: What was claimed for an attribute of an instance.
        kept: The instances, which a session would let go of once they are written.
        sent: In the order in which it was.
    """

    session: Session
    context: UOWTransaction
    seen: dict[Attribute, Place] = field(default_factory=dict)
    kept: list[object] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    begun: bool = False

    def claim(self, state: InstanceState[Any]) -> None:
        """Claim the names of the whole flush; later, what a listener has changed since.

        Raises:
            NameTaken: Somebody has a name; also an IntegrityError.
            InvalidName: A name breaks a rule; also an IntegrityError.
            TransactionMustRestart: The transaction lost.
            StoreUnavailable: The database cannot answer.
            SchemaError: The database is not set up for dibs.
        """
        first, self.begun = not self.begun, True
        if not first:
            self._claim_all([(state, False)], is_first=False)
            return
        every = list(self.context.states.items())
        self._claim_all([(one, gone) for one, (gone, listed) in every if not listed], is_first=True)

    def _claim_all(
        self, states: Sequence[tuple[InstanceState[Any], bool]], *, is_first: bool
    ) -> None:
        wishes = [
            wish
            for one, is_gone in states
            for guard in guards_of(one.mapper)
            if (wish := self._wish(guard, one, is_gone=is_gone)) is not None
        ]
        for connection, group in self._by_connection(wishes).items():
            # What was claimed a moment ago, and is not wanted after all, needs no quarantine.
            self._apply(connection, group, group[0].guard.rules.rest() if is_first else FREE)

    def _wish(
        self, guard: GuardedColumn, state: InstanceState[Any], *, is_gone: bool
    ) -> Wish | None:
        rules, instance = guard.rules, state.obj()
        new = Place(rules.namespace(instance), None if is_gone else guard.name_of(state))
        old = self.seen.get((guard, state))
        if old is None:
            old = Place(rules.namespace(_AsItWas(state)), guard.name_before(state, load=is_gone))
        if not is_gone:
            self.seen[guard, state] = new
            self.kept.append(instance)
        if new == old or (new.name is None and old.name is None):
            return None
        try:
            move = Move(self._claim(guard, state, new), self._old(guard, state, old))
        except InvalidName as error:
            raise self._refused(guard, state, new, error) from None
        return Wish(guard, state, new, move, is_gone)

    def _claim(self, guard: GuardedColumn, state: InstanceState[Any], new: Place) -> Claim | None:
        if new.name is None:
            return None
        return Claim(
            guard.rules.parse(new.name),
            *owner_of(state),
            secrets.token_hex(16),
            new.namespace,
            by_staff=guard.rules.by_staff,
        )

    def _old(self, guard: GuardedColumn, state: InstanceState[Any], old: Place) -> OldName | None:
        if old.name is None:
            return None
        try:
            name = guard.rules.existing(old.name)
        except InvalidName:
            return None  # no row can be of this
        return OldName(old.namespace, name.key, name.canonical, *owner_of(state))

    def _by_connection(self, wishes: Sequence[Wish]) -> dict[Connection, list[Wish]]:
        """All but the names of deleted owners that nobody wants; those go with their owners."""
        gained = {(c.namespace, c.username.key) for wish in wishes if (c := wish.move.claim)}
        groups: dict[Connection, list[Wish]] = {}
        for wish in wishes:
            old = wish.move.old
            if wish.is_gone and (old is None or (old.namespace, old.key) not in gained):
                continue
            bind, table = bind_of(wish.state.mapper), wish.guard.rules.table()
            connection = connect(self.session, bind, table)
            groups.setdefault(connection, []).append(wish)
        return groups

    def _apply(self, connection: Connection, wishes: Sequence[Wish], rest: Quarantine) -> None:
        with translated_errors(connection), lock_timeout(connection) as run:
            moved = apply_moves(run, [wish.move for wish in wishes], rest)
        names: dict[Attribute, PendingName] = {}
        for wish in wishes:
            claim = wish.move.claim
            outcome = moved.outcomes[claim.token] if claim else None
            if claim and isinstance(outcome, Lost):
                refusal = wish.guard.rules.refusal(outcome.row, claim.username.canonical)
                raise self._refused(wish.guard, wish.state, wish.new, refusal)
            if isinstance(outcome, Won) and not wish.state.has_identity:
                names[wish.guard, wish.state] = PendingName(wish.state, outcome.row)
        for earlier in self.sent:
            for at in names:
                earlier.names.pop(at, None)
        self.sent.append(Sent(connection, run, names))
        freed(self.session, moved.freed)

    def _refused(
        self,
        guard: GuardedColumn,
        state: InstanceState[Any],
        new: Place,
        refusal: NameTaken | InvalidName,
    ) -> Exception:
        table, column = guard.column.table.name, guard.column.name
        sql = f"UPDATE {table} SET {column} = :{column}"
        if not state.has_identity:
            sql = f"INSERT INTO {table} ({column}) VALUES (:{column})"
        return in_flush(refusal, sql, {column: new.name})

    def end(self) -> None:
        """Have every name be of the owner that the flush has made, and be the one that is stored.

        A listener of the host's that ran after ours may have set another one.

        Raises:
            NameTaken: Somebody has that name; also an IntegrityError.
            InvalidName: It breaks a rule; also an IntegrityError.
            OwnerWithoutIdentity: The flush made none, or one that is too long.
            TransactionMustRestart: The transaction lost.
            StoreUnavailable: The database cannot answer.
        """
        self._write_owners()
        changed = [
            (state, False)
            for guard, state in list(self.seen)
            if guard.key in state.dict and guard.name_of(state) != self.seen[guard, state].name
        ]
        if changed:
            self._claim_all(changed, is_first=False)
            self._write_owners()

    def _write_owners(self) -> None:
        for connection, run, names in self.sent:
            with translated_errors(connection):
                write_owners(run, list(names.values()))
            announce_later(self.session, run.noted)
        self.sent.clear()
