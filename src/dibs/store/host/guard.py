"""A column of the host's in which every name is claimed: at INSERT, UPDATE and DELETE.

SQLAlchemy's own unit of work tells what a flush is about to write. What happens then is in
`dibs.store.host.flush`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Connection, event, inspect, select
from sqlalchemy.orm import Mapper, Session, UOWTransaction, object_session
from sqlalchemy.pool import Pool

from dibs.errors import ConfigError, TransactionMustRestart
from dibs.store.host.columns import GUARDS, GuardedColumn, Rules, guarded_column, guards_of
from dibs.store.host.connection import HostRun
from dibs.store.host.flush import NameFlush, is_at_work
from dibs.store.host.owners import bind_of, instance_state, joined, kind_of
from dibs.store.host.refused import REFUSED
from dibs.store.host.session import owned_by

FLUSH = "dibs.flush"
IMPORT = "flask dibs adopt import"

log = logging.getLogger(__name__)

HEARD = (
    *("before_flush", "after_flush", "after_flush_postexec", "persistent_to_deleted"),
    *("after_commit", "after_transaction_end"),
)
"""What dibs hears of every session."""

_hearing: WeakSet[type[Session]] = WeakSet()
_unheard: list[GuardedColumn] = []
_listening = threading.Lock()
_any = False


def add_guard(attribute: Any, rules: Rules) -> GuardedColumn:
    """Claim what is in this column from now on.

    Raises:
        ConfigError: The column cannot be guarded; the message says why.
    """
    global _any  # a flush in an app without guards costs one look
    mapper, column = guarded_column(attribute)
    for other in guards_of(mapper):
        if other.column is column and other.rules.dibs is not rules.dibs:
            raise ConfigError(
                f"{other.where} is guarded by another Dibs already: make Dibs once, and guard the"
                " column once, beside the model; init_app takes any number of apps"
            )
        if rules.within is not None and other.rules.within == rules.within:
            if other.column is column and other.rules.by_staff == rules.by_staff:
                return other  # by `create_app`, once more
            raise ConfigError(
                f"{other.where} is guarded in the same namespace already, and an owner has one"
                ' name in each; guard the other column by dibs.namespace("...").guard(...)'
            )
    guard = GuardedColumn(mapper, attribute.key, column, rules)
    guard.mapper.class_manager.info.setdefault(GUARDS, []).append(guard)
    # Not in the table's own `info`: Alembic writes that into the migrations that it generates.
    guard.column.info.setdefault(GUARDS, []).append(guard)
    if rules.within is None:  # what the namespace was found by, is loaded before it is overwritten
        for one in mapper.columns:
            loaded = getattr(mapper.class_, mapper.get_property_by_column(one).key)
            event.listen(loaded, "set", _keep, active_history=True, propagate=True)
    for name in ("before_insert", "before_update"):
        event.listen(mapper, name, _refuse_unheard, propagate=True)
    _unheard.append(guard)
    _any = True
    hear_sessions()
    return guard


def hear_sessions() -> None:
    """Have every class of sessions that there is by now tell what happens in it.

    SQLAlchemy gives a class its listeners when its first session is made; another thread that
    makes one at that very moment has a session that nobody hears of (2.1, `update_subclass`).
    Whoever listens to the class itself, while there is one thread, has that done at once.
    """
    for cls in _subclasses(Session):
        if cls not in _hearing:
            _hearing.add(cls)
            for name in HEARD:
                event.listen(cls, name, _nothing)
                event.remove(cls, name, _nothing)


def _subclasses(cls: type[Session]) -> Iterator[type[Session]]:
    for one in cls.__subclasses__():
        yield one
        yield from _subclasses(one)


def _nothing(*_: object) -> None:
    """It is not there long enough to be told anything."""


def _refuse_unheard(mapper: Mapper[Any], connection: Connection, target: object) -> None:
    """See that names are claimed in this flush: its session may be one that nobody hears of."""
    del mapper, connection
    session = object_session(target)
    if session is not None and FLUSH not in session.info:
        raise TransactionMustRestart


def _keep(target: object, value: object, old: object, initiator: object) -> None:
    """Nothing is to be done: that somebody listens has the old value loaded."""


@event.listens_for(Session, "before_flush")
def _begin(session: Session, flush: UOWTransaction, instances: object) -> None:
    del instances
    if not _any:
        return
    if _unheard:
        _listen()
    # Before SQLAlchemy asks for the connection: a server that is away is told as what it is.
    guarded = {one.mapper for one in map(instance_state, [*session.new, *session.dirty]) if one}
    for mapper in guarded:
        for guard in guards_of(mapper):
            if not is_at_work(guard, session):
                continue
            connection = guard.rules.table().connect(session, bind_of(mapper))
            guard.rules.touched(session)
            _warn_unclaimed(connection, guard)
    session.info.pop(REFUSED, None)
    session.info[FLUSH] = NameFlush(session, flush)


_looked: WeakKeyDictionary[Pool, set[GuardedColumn]] = WeakKeyDictionary()


def _warn_unclaimed(connection: Connection, guard: GuardedColumn) -> None:
    """Say in the log, once a process, that people who were there before have no name yet.

    Who has the lowest primary key speaks for all: the whole table is for `flask dibs check`.
    """
    looked = _looked.setdefault(connection.engine.pool, set())
    if guard in looked:
        return
    looked.add(guard)
    keys = list(guard.column.table.primary_key)
    wanted = select(*keys, guard.column).where(guard.column.is_not(None)).order_by(*keys).limit(1)
    if (first := connection.execute(wanted).first()) is None:
        return
    owner, name = joined(first[:-1]), first[-1]
    theirs = owned_by(HostRun(connection), kind_of(guard.mapper), [owner])[owner]
    if not any(one.display == name for one in theirs):
        log.warning(
            "%s is guarded, and who was there before has not claimed their name, so that others"
            " can: run `%s`",
            guard.where,
            IMPORT,
        )


def _listen() -> None:
    """Hear of rows before they are written, after the host's own listeners; then before them."""
    with _listening:
        while _unheard:
            mapper = _unheard[-1].mapper
            for name in ("before_insert", "before_update"):
                event.listen(mapper, name, _before, propagate=True)
            for name in ("after_insert", "after_update"):
                event.listen(mapper, name, _after, propagate=True, insert=True)
            _unheard.pop()  # only now: another thread that finds none goes on


def _before(mapper: Mapper[Any], connection: Connection, target: object) -> None:
    del mapper, connection
    if flush := _flush_of(target):
        flush.claim(inspect(target))


def _after(mapper: Mapper[Any], connection: Connection, target: object) -> None:
    del mapper, connection
    if flush := _flush_of(target):
        flush.note_written(inspect(target))


def _flush_of(target: object) -> NameFlush | None:
    session = object_session(target)
    return None if session is None else session.info.get(FLUSH)


@event.listens_for(Session, "after_flush_postexec")
def _end(session: Session, _: UOWTransaction) -> None:
    flush: NameFlush | None = session.info.pop(FLUSH, None)
    if flush is not None:
        flush.end()
