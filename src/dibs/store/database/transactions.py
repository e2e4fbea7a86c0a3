"""Attempts at a transaction: each ends, and each ending has one meaning."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Generic, NoReturn, TypeVar

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, DisconnectionError, InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from dibs.context import Budget, Deadline, NotByTurns, Turns, turns
from dibs.errors import (
    DibsError,
    OutcomeUnknown,
    RulesReplaced,
    SchemaError,
    StoreError,
    StoreUnavailable,
)
from dibs.observe import COUNTS
from dibs.signals import NameChange, announce
from dibs.store.database.dialects import UPGRADE, Kind, dialect_for
from dibs.store.database.rows import Params, Row, listed
from dibs.store.database.runs import AttemptRun, DriverRun, OutOfTime, Run


class RowVanished(Exception):
    """A row kept changing under us; the transaction is to be run again."""


class Restart(Exception):
    """The transaction lost against another one; nothing was changed."""


class TimedOut(Restart):
    """The server ended a statement of ours that took too long; nothing was changed."""


class Away(Exception):
    """The server was lost before COMMIT was sent, so nothing was changed."""


class CommitLost(Exception):
    """The server was lost after COMMIT was sent."""


T = TypeVar("T")


# One connection may have grown old behind a restart; two lost in a row mean
# that the server is away.
MAX_LOST = 2
FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.2

MOST_ACKNOWLEDGED = 64
"""So many of the last changes are there for who wants to remember them."""


def no_memory(run: Run) -> None:
    """Recall nothing: for work that may simply be done twice."""
    del run


def lent(take: Callable[[], T]) -> T:
    """Take a connection of a pool's.

    Raises:
        Away: The server was lost once more while the pool replaced a connection, as it does twice.
    """
    try:
        return take()
    except InvalidRequestError as error:
        raise Away from error


class Sent(Enum):
    """How far an attempt has got, which says what its failure means."""

    NOTHING = auto()
    """A failure changed nothing."""
    COMMIT = auto()
    """Whether it was carried out is not known."""
    SETTLED = auto()
    """The server has answered: it is done, or there was nothing to do."""


@dataclass(slots=True)
class Unit(Generic[T]):
    """One transaction, however often it is sent.

    Attributes:
        is_in_doubt: Whether some attempt's COMMIT went unanswered.
        news: What to announce in the end.
    """

    work: Callable[[Run], T]
    changed: Callable[[T], bool]
    at_once: Callable[[Run], T | None] | None
    recall: Callable[[Run], T | None]
    sent: Sent = Sent.NOTHING
    is_in_doubt: bool = False
    news: list[NameChange] = field(default_factory=list)
    _noted: list[NameChange] = field(default_factory=list)

    def send(self, run: AttemptRun) -> T:
        """One attempt, from its first statement to the reply to its last."""
        self.sent, self._noted = Sent.NOTHING, run.noted
        if self.at_once is not None:
            self.sent = Sent.COMMIT
            if (result := self.at_once(run)) is not None:
                self.sent = Sent.SETTLED
                self._remember()
                return result
            run.noted.clear()
            self.sent = Sent.NOTHING
        run.begin()
        result = self.work(run)
        if self.changed(result):
            self.sent = Sent.COMMIT
            run.commit()
            self._remember()
        else:
            run.roll_back()
            self.news = []  # what an earlier self had done is no news
        self.sent = Sent.SETTLED
        return result

    def doubt(self) -> None:
        """The reply to COMMIT was lost: it may be found to have been carried out."""
        self.is_in_doubt = True
        self._remember()

    def _remember(self) -> None:
        self.news = self._noted or self.news


class Transactions:
    """Runs units of work on an engine, again where that is safe, and never past the deadline."""

    mending = UPGRADE
    at_once = True
    """Whether a statement can be a transaction of its own."""

    def __init__(self, engine: Engine, budget: Budget) -> None:
        self.engine = engine
        self.dialect = dialect_for(engine.dialect.name)
        self.budget = budget
        self._named = engine.dialect.paramstyle in ("named", "qmark")
        self._silence = OutageGate()
        self._writer = threading.Lock() if self.dialect.one_writer else None
        self.generation = 0
        self.acknowledged: deque[NameChange] = deque(maxlen=MOST_ACKNOWLEDGED)
        self._listen()

    def _listen(self) -> None:
        event.listen(self.engine, "connect", self._born)
        event.listen(self.engine, "checkout", self._refuse_the_old)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()

    @property
    def is_silent(self) -> bool:
        """Whether the server did not answer the last time that it was asked."""
        return self._silence.is_known

    @property
    def in_use(self) -> int:
        """How many connections are in use now."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    def _born(self, connection: object, record: ConnectionPoolEntry) -> None:
        del connection
        record.info["generation"] = self.generation

    def _refuse_the_old(
        self, connection: object, record: ConnectionPoolEntry, proxy: object
    ) -> None:
        """Have the pool replace what is older than the last loss of the server.

        `Engine.dispose` would do it too, and leave the connections that are in
        use at that moment to the garbage collector.
        """
        del connection, proxy
        if record.info["generation"] != self.generation:
            raise DisconnectionError

    def rows(self, sql: str, params: Params, *, deadline: Deadline) -> list[Row]:
        """The rows that a statement returns which changes nothing; raises what `read` does."""
        return self.read(lambda run: run.rows(sql, params), deadline=deadline)

    def change(self, sql: str, params: Params, *, deadline: Deadline) -> int:
        """How many rows one statement has changed; raises what `write` does."""
        return self.write(lambda run: run.change(sql, params), changed=bool, deadline=deadline)

    def read(self, work: Callable[[Run], T], *, deadline: Deadline) -> T:
        """Run statements that change nothing, one by one; raises `StoreUnavailable`."""
        return self._persist(partial(self._attempt, work, deadline), deadline)

    def write(
        self,
        work: Callable[[Run], T],
        *,
        changed: Callable[[T], bool],
        deadline: Deadline,
        at_once: Callable[[Run], T | None] | None = None,
        recall: Callable[[Run], T | None] = no_memory,
        insist: bool = True,
    ) -> T:
        """Run a transaction, and run it again when it lost or its COMMIT went unanswered.

        Args:
            work: Sends the statements; must recognise its own earlier success.
            at_once: Tries first to do all of it in one statement, which is a transaction of
                its own and saves the other two trips; None says that it changed nothing.
            changed: Whether its result is something to commit.
            recall: Looks whether a COMMIT that went unanswered was carried out.
                None proves nothing, since it may still be on its way; then the
                transaction runs again and waits for, or loses to, its earlier self.
            insist: Whether to run it again after it lost against another one.

        Raises:
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: COMMIT was sent and its fate is not known.
            Restart: It lost, nothing was changed, and the caller did not insist.
        """
        unit = Unit(work, changed, at_once if self.at_once else None, recall)
        result = self._persist(partial(self._settle, unit, deadline), deadline, insist=insist)
        self.acknowledged.extend(unit.news)
        announce(unit.news)
        return result

    def _settle(self, unit: Unit[T], deadline: Deadline) -> T:
        """Try once: look for an earlier self whose fate is unknown, then send the statements."""
        if unit.is_in_doubt:
            remembered = self._attempt(unit.recall, deadline)
            if remembered is not None:
                return remembered
        try:
            with self._turn(deadline):
                return self._attempt(unit.send, deadline)
        except (Away, TimedOut) as lost:
            theirs = getattr(lost.__cause__, "orig", lost.__cause__)
            if unit.sent is not Sent.COMMIT or self.dialect.has_undone(theirs):
                raise
            unit.doubt()
            raise CommitLost from lost

    def inspect(self, work: Callable[[Connection], T], *, deadline: Deadline) -> T:
        """Look at the database itself, through SQLAlchemy; raises `StoreUnavailable`."""

        def attempt() -> T:
            started = time.monotonic()
            with self._silence.ask():
                try:
                    with self._connect() as connection:
                        found = work(connection)
                except (DBAPIError, PoolTimeout) as error:
                    self._give_up(None, error, time.monotonic() - started)
                self._silence.heard()
                return found

        return self._persist(attempt, deadline)

    def _connect(self) -> Connection:
        return lent(self.engine.connect)

    @contextmanager
    def _turn(self, deadline: Deadline) -> Iterator[None]:
        """Queue up where only one can write: a lock is fairer than SQLite's polling."""
        if self._writer is None:
            yield
            return
        if not self._writer.acquire(timeout=max(0.0, deadline.remaining() - self.budget.silence)):
            raise StoreUnavailable
        try:
            yield
        finally:
            self._writer.release()

    def _attempt(self, work: Callable[[AttemptRun], T], deadline: Deadline) -> T:
        with self._silence.ask():
            if not deadline.allows(self.budget.connect):
                raise StoreUnavailable
            started = time.monotonic()
            run = None
            try:
                run = self._open(deadline)
                run.prepare()
                result = work(run)
            except BaseException as error:  # noqa: BLE001  # it always raises again
                self._give_up(run, error, time.monotonic() - started)
            run.give_back()
            self._silence.heard()
            return result

    def _open(self, deadline: Deadline) -> AttemptRun:
        """Take a connection; nothing is sent yet."""
        connection = lent(self.engine.raw_connection)
        return DriverRun(self.dialect, connection, self._named, deadline, self.budget.silence)

    def _give_up(self, run: AttemptRun | None, error: BaseException, seconds: float) -> NoReturn:
        """End what is left of an attempt and say what its failure means."""
        kind = self._kind(error)
        # After an answer of ours nothing is wrong with the connection.
        is_answer = isinstance(error, RulesReplaced) or (
            isinstance(error, DibsError) and not isinstance(error, StoreError)
        )
        if run is not None:
            ended = (Kind.RESTART, Kind.UNIQUE, Kind.TIMEOUT, Kind.REFUSED)
            is_usable = is_answer or kind in ended
            run.undo() if is_usable else run.drop()
        if is_answer:
            raise error
        if kind in (Kind.RESTART, Kind.UNIQUE, Kind.TIMEOUT):
            raise (TimedOut if kind is Kind.TIMEOUT else Restart) from error
        if kind is Kind.AWAY:
            if run is not None:
                self.generation += 1  # its siblings in the pool are as dead
            if seconds >= 0.9 * self.budget.silence:
                self._silence.lost()
            raise Away from error
        if kind is Kind.SCHEMA:
            raise SchemaError(
                f"A table of dibs is missing or too old: run `{self.mending}`."
            ) from error
        if kind is Kind.REFUSED or isinstance(error, OutOfTime | PoolTimeout):
            raise StoreUnavailable from error
        raise error

    def _kind(self, error: BaseException) -> Kind:
        if isinstance(error, RowVanished):
            return Kind.RESTART
        dbapi_error = self.engine.dialect.loaded_dbapi.Error
        is_theirs = isinstance(error, (dbapi_error, DBAPIError))
        return self.dialect.classify(error) if is_theirs else Kind.OTHER

    def _persist(
        self,
        attempt: Callable[[], T],
        deadline: Deadline,
        *,
        insist: bool = True,
        failed: Exception | None = None,
    ) -> T:
        """Try until it is known how it ended.

        Args:
            failed: How a first attempt did, after which this goes on.
        """
        if (others := turns()) is not None:  # for whom this thread is not to wait
            return self._by_turns(others, attempt, deadline, insist=insist)
        lost, unknown, pause = 0, False, FIRST_PAUSE
        cause: BaseException | None = None
        while lost < MAX_LOST or unknown:
            try:
                if failed is not None:
                    before, failed = failed, None
                    raise before
                return attempt()
            except (Away, CommitLost) as error:
                lost, cause = lost + 1, error
                unknown = unknown or isinstance(error, CommitLost)
            except Restart as error:
                if not (insist or unknown):
                    raise
                cause = error
            except RulesReplaced:
                if not unknown:
                    raise
            except StoreUnavailable as error:
                cause = error
                if not unknown:
                    break
            may_wait = isinstance(cause, Restart)
            enough = self.budget.patience if may_wait else self.budget.silence
            if not deadline.allows(pause + enough):
                break
            COUNTS.add("retries_conflict" if isinstance(cause, Restart) else "retries_lost")
            time.sleep(random.uniform(0, pause))  # noqa: S311  # jitter, not a secret
            pause = min(2 * pause, LONGEST_PAUSE)
        COUNTS.add("outcomes_unknown" if unknown else "unavailable")
        raise (OutcomeUnknown if unknown else StoreUnavailable) from cause

    def _by_turns(
        self, others: Turns, attempt: Callable[[], T], deadline: Deadline, *, insist: bool
    ) -> T:
        """Try once here, where that gives way; all that blocks is done in another thread."""
        failed: Exception | None = None
        if self.dialect.gives_way and not self._silence.is_known:
            try:
                return attempt()
            except NotByTurns:
                pass  # no connection is there, or none that is good
            except (Away, CommitLost, Restart, StoreUnavailable) as error:
                if isinstance(error, Restart) and not insist:
                    raise
                failed = error
        go_on = partial(self._persist, attempt, deadline, insist=insist, failed=failed)
        try:
            return others.elsewhere(go_on, deadline=deadline)
        except StoreUnavailable as error:
            if isinstance(failed, CommitLost) and not isinstance(error, OutcomeUnknown):
                raise OutcomeUnknown from error  # no thread was free in time
            raise


def delete_some(run: Run, table: str, which: str, params: Params, *, still: str = "1 = 1") -> int:
    """Delete the rows whose ids a SELECT gives, and say how many they were.

    Listed first: MariaDB takes no LIMIT in a subquery, nor PostgreSQL in a DELETE.

    Args:
        still: What must be true of a row when it is deleted.
    """
    ids, places = listed([row[0] for row in run.rows(which, params)])
    return run.change(f"DELETE FROM {table} WHERE id IN ({ids}) AND {still}", places) if ids else 0


# A server that is back answers in milliseconds: so long is worth waiting for
# another request that asks it, and no longer.
HEARSAY = 0.25


class OutageGate:
    """Lets one request at a time ask a server that has stopped answering.

    Without it every thread would wait out its whole deadline behind a frozen
    server, and the requests behind them theirs again. There is no period of
    grace: whoever comes next may ask, so the first request after the server's
    return is served; those beside it wait for a moment to hear how it fared.
    """

    def __init__(self) -> None:
        self._silent = False
        self._asking = threading.Lock()
        self._asked_at: float | None = None

    @contextmanager
    def ask(self) -> Iterator[None]:
        """Go ahead; or `StoreUnavailable`: the server is silent, and somebody is asking already."""
        if not self._silent:
            yield
            return
        if not self._asking.acquire(timeout=self._patience()):
            raise StoreUnavailable
        if not self._silent:  # whoever asked before us was answered
            self._asking.release()
            yield
            return
        self._asked_at = time.monotonic()
        try:
            yield
        finally:
            self._asked_at = None
            self._asking.release()

    def _patience(self) -> float:
        """Seconds to wait for the one who asks: none once the answer is late."""
        asked_at = self._asked_at
        return HEARSAY if asked_at is None else max(0.0, asked_at + HEARSAY - time.monotonic())

    @property
    def is_known(self) -> bool:
        """Whether the server did not answer the last time."""
        return self._silent

    def heard(self) -> None:
        self._silent = False

    def lost(self) -> None:
        self._silent = True
