"""The names of one flush.

Before its first guarded row is written, the names of all of them are claimed, in one batch;
after it, those whose primary key the database made get their true owner. Everything is inside
the flush, so that a refusal undoes it as any constraint would.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from weakref import WeakSet

from sqlalchemy import Connection
from sqlalchemy.orm import InstanceState, Session, UOWTransaction
from sqlalchemy.pool import Pool

from dibs.errors import ConfigError, InvalidName, NameTaken
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
from dibs.store.host.session import only_name, owned_by, owned_in_session
from dibs.store.names.moves import Move, OldName, apply_moves
from dibs.store.names.quarantine import FREE, Quarantine
from dibs.store.records import Claim, Lost, NameRow, Outcome, Won

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
    claims: Sequence[Claim] = ()
    before: Collection[tuple[str, str]] = ()


@dataclass(slots=True)
class NameFlush:
    """The names of one flush: claimed before anything is written, and owned after it.

    Attributes:
        seen: What was claimed for an attribute of an instance.
        written: What went into the database instead, set by a listener that came after ours.
        kept: The instances, which a session would let go of once they are written.
        begun: The columns whose names were claimed.
        watched: Who would have been refused: the column, the name and why; told once it is stored.
    """

    session: Session
    context: UOWTransaction
    seen: dict[Attribute, Place] = field(default_factory=dict)
    written: dict[Attribute, str | None] = field(default_factory=dict)
    kept: list[object] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    begun: set[GuardedColumn] = field(default_factory=set)
    watched: list[tuple[str, object, str]] = field(default_factory=list)

    def claim(self, state: InstanceState[Any]) -> None:
        """Claim the names of the whole flush; later, what a listener has changed since.

        Where rows say their namespace, not before the first of their model is written: by then
        they have the keys of what they belong to.

        Raises:
            NameTaken: Somebody has a name; also an IntegrityError.
            InvalidName: A name breaks a rule; also an IntegrityError.
            TransactionMustRestart: The transaction lost.
            StoreUnavailable: The database cannot answer.
            SchemaError: The database is not set up for dibs.
        """
        here = set(guards_of(state.mapper))
        if here <= self.begun:
            self._claim_all([(state, False)])
            return
        states = list(self.context.states.items())
        every = [(one, gone) for one, (gone, listed) in states if not listed]
        due = here - self.begun
        if not self.begun:
            every_guard = (guard for one, _ in every for guard in guards_of(one.mapper))
            due |= {guard for guard in every_guard if guard.rules.within is not None}
        self.begun |= due
        self._claim_all(every, due)

    def _claim_all(
        self,
        states: Sequence[tuple[InstanceState[Any], bool]],
        due: Collection[GuardedColumn] | None = None,
    ) -> None:
        wishes = [
            wish
            for one, is_gone in states
            for guard in guards_of(one.mapper)
            if due is None or is_gone or guard in due
            if (wish := self._wish(guard, one, is_gone=is_gone)) is not None
        ]
        for connection, group in self._by_connection(wishes).items():
            # What was claimed a moment ago, and is not wanted after all, needs no quarantine.
            self._apply(connection, group, group[0].guard.rules.rest() if due else FREE)

    def _wish(
        self, guard: GuardedColumn, state: InstanceState[Any], *, is_gone: bool
    ) -> Wish | None:
        if not is_at_work(guard, self.session):
            return None
        try:
            new = Place("", None) if is_gone else self._place(guard, state)
            old = self.seen.get((guard, state))
            if old is None:
                by_row = guard.rules.within is None
                name = guard.name_before(self.session, state, load=is_gone or by_row)
                old = Place(guard.rules.namespace(_AsItWas(state)) if name else "", name)
            if not is_gone:
                self.seen[guard, state] = new
                self.kept.append(state.obj())
            if new == old or (new.name is None and old.name is None):
                return None
            move = Move(self._claim(guard, state, new), self._old(guard, state, old))
        except InvalidName as error:
            raise self._refused(guard, state, error) from None
        return Wish(guard, state, new, move, is_gone)

    def _place(self, guard: GuardedColumn, state: InstanceState[Any]) -> Place:
        """What the row is going to have; no name while nobody can say where it is unique."""
        by_row = guard.rules.within is None
        if (guard, state) in self.written:
            name = self.written[guard, state]
        elif by_row and state.has_identity and guard.key not in state.dict:
            name = guard.stored_name(self.session, state)  # it goes along to another namespace
        else:
            name = guard.name_of(state)
        try:
            return Place(guard.rules.namespace(state.obj()), name)
        except ConfigError:
            if state.has_identity or not by_row:
                raise
            return Place("", None)  # a default may say it yet, and `end` asks again

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
            parsed = guard.rules.parse(name, lambda: self._own(guard, state, namespace))
            guard.see_length(name)  # after the rules, whose length is mostly the shorter one
            return parsed
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
                raise self._refused(wish.guard, wish.state, refusal)
            if isinstance(outcome, Won) and not wish.state.has_identity:
                names[wish.guard, wish.state] = PendingName(wish.state, outcome.row)
        for earlier in self.sent:
            for at in names:
                earlier.names.pop(at, None)
        unknown = [*moved.unknown, *self._in_place_of(run, wishes, moved.unknown)]
        claims = [wish.move.claim for wish in wishes if wish.move.claim]
        before = _theirs(run, claims, unknown).keys()
        self.sent.append(Sent(connection, run, names, unknown, rest, claims, before))
        freed(self.session, moved.freed)
        keep(self.session, claims)

    def _in_place_of(
        self, run: HostRun, wishes: Sequence[Wish], unknown: Sequence[OldName]
    ) -> Iterator[OldName]:
        """The names that owners have who gave up another one.

        Whoever changes their name by two requests at once would keep both, as would those whose
        column was written past the guard.
        """
        asked = {(one.namespace, one.owner) for one in unknown}
        for guard, state, _, move, is_gone in wishes:
            claim, old = move.claim, move.old
            if claim is None or old is None or is_gone:
                continue
            if (old.namespace, old.owner) not in asked:
                continue
            stored = guard.stored_name(self.session, state)
            found = self._old(guard, state, Place(old.namespace, stored))
            if stored == old.display:
                theirs = owned_by(run, old.owner_kind, [old.owner])[old.owner]
                canonical = claim.username.canonical
                found = only_name(claim, [one for one in theirs if one.canonical != canonical])
            if found and found.canonical != claim.username.canonical:
                yield found

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
        refusal: NameTaken | InvalidName,
    ) -> Exception:
        table, column = guard.column.table.name, guard.column.name
        name = self.written.get((guard, state), state.dict.get(guard.key))
        sql = f"UPDATE {table} SET {column} = :{column}"
        if not state.has_identity:
            sql = f"INSERT INTO {table} ({column}) VALUES (:{column})"
        self.session.info[REFUSED] = refused = in_flush(refusal, sql, {column: name})
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
        for (guard, state), seen in self.seen.items():
            # By now the row has its defaults, and whatever else says where its name is unique.
            if guard.rules.within is None and guard.rules.namespace(state.obj()) != seen.namespace:
                self.written.setdefault((guard, state), state.dict.get(guard.key, seen.name))
        if self.written:
            self._claim_all([(state, False) for _, state in self.written])
            self._write_owners()
        for one in self.watched:  # only now: a UNIQUE of the app's own may have refused them
            log.warning(WATCHED, *one)

    def _write_owners(self) -> None:
        for connection, run, names, unknown, rest, claims, before in self.sent:
            with translated_errors(connection):
                write_owners(run, list(names.values()))
                if unknown:
                    # An import may have given them the name that they had when it read their row.
                    # It keeps that row as it is, which is written by now, so it has ended.
                    # So has another rename of theirs, whose name came after the look before.
                    came = [
                        OldName(*at, row.canonical, *owner, row.display)
                        for at, (row, owner) in _theirs(run, claims, unknown).items()
                        if at not in {*before, *(one.place for one in unknown)}
                    ]
                    ended = [Move(old=one) for one in (*unknown, *came)]
                    late = apply_moves(run, ended, rest, lock=True)
                    freed(self.session, late.freed)
            announce_later(self.session, run.noted)
        self.sent.clear()


def _theirs(
    run: HostRun, claims: Sequence[Claim], unknown: Sequence[OldName]
) -> dict[tuple[str, str], tuple[NameRow, tuple[str, str]]]:
    """By place, what those own, and who, whose old names were not there when they claimed."""
    asked = {(one.namespace, one.owner) for one in unknown}
    owners = {(one.owner_kind, one.owner) for one in claims if (one.namespace, one.owner) in asked}
    return {
        row.place: (row, (kind, owner))
        for kind, owner in owners
        for row in owned_by(run, kind, [owner])[owner]
    }
