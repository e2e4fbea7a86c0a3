"""The names of one flush.

Before its first guarded row is written, the names of all of them are claimed, in one batch;
after it, those whose primary key the database made get their true owner. Everything is inside
the flush, so that a refusal undoes it as any constraint would.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from weakref import WeakSet

from sqlalchemy import Connection
from sqlalchemy.orm import InstanceState, Session, UOWTransaction
from sqlalchemy.pool import Pool

from dibs.errors import InvalidName, NameTaken
from dibs.names import Username
from dibs.store.host.columns import GuardedColumn, guards_of
from dibs.store.host.connection import (
    HOST_UPGRADE,
    HostRun,
    by_rules_of_now,
    has_names,
    lock_timeout,
    open_connection,
    translated_errors,
)
from dibs.store.host.endings import announce_later, freed, keep
from dibs.store.host.owners import PendingName, bind_of, owner_of, write_owners
from dibs.store.host.refused import REFUSED, in_flush
from dibs.store.host.session import owned_in_session
from dibs.store.names.moves import Move, OldName, apply_moves
from dibs.store.names.quarantine import FREE, Quarantine
from dibs.store.records import Claim, Lost, Outcome, Won

log = logging.getLogger(__name__)
_untabled: WeakSet[Pool] = WeakSet()
WATCHED = "%s: %r is not refused while DIBS_ADOPT is watch: %s"


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


def is_at_work(guard: GuardedColumn, session: Session) -> bool:
    """Whether names are claimed: not before an adoption, nor without tables while it watches."""
    adopt = guard.rules.adopt()
    if adopt != "watch":
        return adopt != "off"
    connection = open_connection(session, bind_of(guard.mapper))
    if has_names(connection):
        return True
    if connection.engine.pool not in _untabled:
        _untabled.add(connection.engine.pool)
        log.warning(
            "%s: DIBS_ADOPT is watch, and nothing is recorded, since there is no table of dibs:"
            " run `%s`, or the app's own migration where that makes them",
            guard.where,
            HOST_UPGRADE,
        )
    return False


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
    unknown: Sequence[OldName] = ()
    rest: Quarantine = FREE


@dataclass(slots=True)
class NameFlush:
    """The names of one flush: claimed before anything is written, and owned after it.

    Attributes:
        seen: What was claimed for an attribute of an instance.
        written: What went into the database instead, set by a listener that came after ours.
        kept: The instances, which a session would let go of once they are written.
        watched: Who would have been refused: the column, the name and why; told once it is stored.
    """

    session: Session
    context: UOWTransaction
    seen: dict[Attribute, Place] = field(default_factory=dict)
    written: dict[Attribute, str | None] = field(default_factory=dict)
    kept: list[object] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    begun: bool = False
    watched: list[tuple[str, object, str]] = field(default_factory=list)

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
        if not is_at_work(guard, self.session):
            return None
        name = self.written.get((guard, state))
        if not is_gone and (guard, state) not in self.written:
            name = guard.name_of(state)
        new = Place(rules.namespace(instance), name)
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
        rules, watches = guard.rules, guard.rules.adopt() == "watch"
        name = self._parsed(guard, state, new.namespace, new.name)
        if name is None:
            return None
        token, by_staff = secrets.token_hex(16), rules.by_staff or watches
        return Claim(name, *owner_of(state), token, new.namespace, by_staff=by_staff)

    def _parsed(
        self, guard: GuardedColumn, state: InstanceState[Any], namespace: str, name: str
    ) -> Username | None:
        """The name that is wanted; None if it can be nobody's, where nobody is refused."""
        try:
            return guard.rules.parse(name, lambda: self._own(guard, state, namespace))
        except InvalidName as error:
            if guard.rules.adopt() != "watch":
                raise
            said = str(error)
        try:
            kept = guard.rules.existing(name)
        except InvalidName:
            self.watched.append((guard.where, name, said))
            return None
        self.watched.append((guard.where, name, f"kept against a rule: {said}"))
        return kept

    def _own(
        self, guard: GuardedColumn, state: InstanceState[Any], namespace: str
    ) -> Sequence[str]:
        if not state.has_identity:
            return ()
        table = replace(guard.rules.table(), namespace=namespace)
        rows = owned_in_session(self.session, owner_of(state), table=table, or_had=True)
        return [row.display for row in rows]

    def _old(self, guard: GuardedColumn, state: InstanceState[Any], old: Place) -> OldName | None:
        if old.name is None:
            return None
        try:
            name = guard.rules.existing(old.name)
        except InvalidName:
            return None  # no row can be of this
        is_moving = name.twin is not None and name.twin.phase.step == "moving"
        return OldName(
            old.namespace, name.key, name.canonical, *owner_of(state), old.name, is_moving
        )

    def _by_connection(self, wishes: Sequence[Wish]) -> dict[Connection, list[Wish]]:
        """All but the names of deleted owners that nobody wants; those go with their owners."""
        gained = {wish.move.claim.place for wish in wishes if wish.move.claim}
        groups: dict[Connection, list[Wish]] = {}
        for wish in wishes:
            old = wish.move.old
            if wish.is_gone and (old is None or old.place not in gained):
                continue
            bind, table = bind_of(wish.state.mapper), wish.guard.rules.table()
            connection = table.connect(self.session, bind)
            groups.setdefault(connection, []).append(wish)
        return groups

    def _apply(self, connection: Connection, wishes: Sequence[Wish], rest: Quarantine) -> None:
        with translated_errors(connection), lock_timeout(connection) as run:
            watches = any(wish.guard.rules.adopt() == "watch" for wish in wishes)
            moved = by_rules_of_now(
                run,
                wishes[0].guard.rules.table(),
                lambda parser: apply_moves(
                    run, [wish.move.read_by(parser) for wish in wishes], rest, joins=watches
                ),
            )
        names: dict[Attribute, PendingName] = {}
        for wish in wishes:
            claim = wish.move.claim
            outcome = moved.outcomes[claim.token] if claim else None
            if claim and outcome and watches and not self._may_have(wish, outcome):
                continue
            if claim and isinstance(outcome, Lost):
                refusal = wish.guard.rules.refusal(outcome.row, claim.username.canonical)
                raise self._refused(wish.guard, wish.state, wish.new, refusal)
            if isinstance(outcome, Won) and not wish.state.has_identity:
                names[wish.guard, wish.state] = PendingName(wish.state, outcome.row)
        for earlier in self.sent:
            for at in names:
                earlier.names.pop(at, None)
        self.sent.append(Sent(connection, run, names, moved.unknown, rest))
        freed(self.session, moved.freed)
        keep(self.session, [wish.move.claim for wish in wishes if wish.move.claim])

    def _may_have(self, wish: Wish, outcome: Outcome) -> bool:
        """Whether a name that others have too is theirs all the same; nobody is refused."""
        if isinstance(outcome, Lost):
            said = "somebody writes it exactly like that, so dibs does not know whose it is"
        elif outcome.row.is_member:
            said = "it is one with the name of somebody else, and both keep theirs"
        else:
            return True
        self.watched.append((wish.guard.where, wish.new.name, said))
        return isinstance(outcome, Won)

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
        self.session.info[REFUSED] = refused = in_flush(refusal, sql, {column: new.name})
        return refused

    def note_written(self, state: InstanceState[Any]) -> None:
        """See what went into the database: a listener that ran after ours may have changed it.

        Later is too late: what a listener sets once the row is written is not stored.
        """
        for guard in guards_of(state.mapper):
            seen = self.seen.get((guard, state))
            if seen is not None and guard.key in state.dict:
                name = guard.name_of(state)
                if name != seen.name:
                    self.written[guard, state] = name

    def end(self) -> None:
        """Have every name be of the owner that the flush has made, and be the one that is stored.

        Raises:
            NameTaken: Somebody has that name; also an IntegrityError.
            InvalidName: It breaks a rule; also an IntegrityError.
            OwnerWithoutIdentity: The flush made none, or one that is too long.
            TransactionMustRestart: The transaction lost.
            StoreUnavailable: The database cannot answer.
        """
        self._write_owners()
        if self.written:
            self._claim_all([(state, False) for _, state in self.written], is_first=False)
            self._write_owners()
        for one in self.watched:  # only now: a UNIQUE of the app's own may have refused them
            log.warning(WATCHED, *one)

    def _write_owners(self) -> None:
        for connection, run, names, unknown, rest in self.sent:
            with translated_errors(connection):
                write_owners(run, list(names.values()))
                if unknown:
                    # An import may have given them the name that they had when it read their row.
                    # It keeps that row as it is, which is written by now, so it has ended.
                    late = apply_moves(run, [Move(old=one) for one in unknown], rest, lock=True)
                    freed(self.session, late.freed)
            announce_later(self.session, run.noted)
        self.sent.clear()
