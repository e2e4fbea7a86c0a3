"""Hashing, one at a time: what keeps everything else quick while passwords are hashed.

A hash takes a whole processor and 19 MiB. Two at once take twice as long each, and
what costs a millisecond waits behind both; one at a time, everybody's turn comes
as early, and the rest of the service keeps the other processors.

One thread does it for all of them. The allocator gives each thread memory of its own,
so a worker whose every thread had hashed would keep 19 MiB for a dozen of them, and
each hash would find its own out of the processor's cache.

New passwords that are hashed one after the other are told so together. A hash goes
twice over its 19 MiB and leaves nothing else in the processor's caches, so what follows
for one person takes twice its time, and for those right behind them half of that. Measured
on two processors, all that a registration costs beside its hash, PostgreSQL included: 3.7 ms
of processor time when everybody is told at once, 2.6 ms with `LATE`, 2.4 ms with twice as
much; but then 99 of 100 checks of names wait for 25 ms at most, instead of 12, behind all
those who are told. Nobody is told later than `LATE`, and whoever has nobody behind them at once.
"""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from dibs.errors import Overloaded
from dibs.observe import COUNTS

T = TypeVar("T")

WAITING = "now_hashes"
"""How many callers have a hash made, or wait for that."""

LONGEST_RETRY = 60  # seconds

PLACES = 64
"""How many may wait: 64 hashes are 1.3 s, well within the deadline."""

SHARE = 4
"""Every fourth turn and place is for new passwords, however many logins there are."""

LATE = 0.1
"""Seconds that a result is kept at most until others are ready too: some four hashes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    work: Callable[[], Any]
    new: bool
    future: Future[Any]
    since: float = field(default_factory=time.monotonic)

    def take(self) -> Callable[[], None]:
        """Do the work, and return the function that reports the result to the waiting thread."""
        try:
            return partial(self.future.set_result, self.work())
        except BaseException as error:  # noqa: BLE001  # it is raised where the work is wanted
            return partial(self.future.set_exception, error)


class _Line:
    """Who waits: logins go first, but every fourth turn and place is a new password's.

    Whoever signs in has been a user before; who signs up may come again. Each kind is in the
    order in which it came. In a full line who is owed a place gets that of the last of the others.
    """

    def __init__(self, places: int) -> None:
        self._lines: dict[bool, deque[_Turn]] = {False: deque(), True: deque()}
        self._shares = {False: places - places // SHARE, True: places // SHARE}
        self._logins_in_turn = 0

    def __len__(self) -> int:
        return len(self._lines[False]) + len(self._lines[True])

    def ahead(self, new: bool) -> int:
        """How many of these go before one that comes now."""
        logins, news = len(self._lines[False]), len(self._lines[True])
        if new:
            return news + min(logins, (SHARE - 1) * (news + 1))
        return logins + min(news, logins // (SHARE - 1) + 1)

    def has_place(self, new: bool) -> bool:
        return len(self) < sum(self._shares.values()) or len(self._lines[new]) < self._shares[new]

    def add(self, turn: _Turn) -> _Turn | None:
        """Let one in for whom there is a place, and say who has lost theirs."""
        is_full = len(self) >= sum(self._shares.values())
        self._lines[turn.new].append(turn)
        return self._lines[not turn.new].pop() if is_full else None

    def next(self) -> _Turn:
        logins, news = self._lines[False], self._lines[True]
        if news and (not logins or self._logins_in_turn >= SHARE - 1):
            self._logins_in_turn = 0
            return news.popleft()
        self._logins_in_turn += 1
        return logins.popleft()

    def remove(self, turn: _Turn) -> None:
        with suppress(ValueError):  # the thread may just have passed it over
            self._lines[turn.new].remove(turn)


class HashingQueue:
    """Lets one caller at a time have its work done: logins before new passwords.

    Each worker process has one. Who could not have its turn before its deadline is
    told so at once: a queue of people who have left helps nobody. Whoever finds
    nobody before it is always let in, so one slow piece of work shuts no door.
    """

    def __init__(self, *, places: int = PLACES) -> None:
        self._places = places
        self._typical = 0.0  # seconds
        self.open()
        _queues.add(self)

    def open(self) -> None:
        """Begin with an empty queue."""
        self._mutex = threading.Lock()
        self._line = _Line(self._places)
        self._busy = False
        # It starts with the first work, and ends when the queue is no longer used.
        self._thread = ThreadPoolExecutor(1, "dibs-hashing")

    def run(self, work: Callable[[], T], *, remaining: float, new: bool = False) -> T:
        """Have some work done when its turn has come.

        Args:
            work: What is done, in another thread; it cannot be cut short.
            remaining: Seconds that the caller still has, for waiting and working.
            new: Whether it is the hash of a new password. It always takes the same time, so
                others who are done can be kept until it is too; and it lets logins go first.

        Raises:
            Overloaded: Its turn does not come in time, or too many are waiting.
        """
        future: Future[T] = Future()
        turn = _Turn(work, new, future)
        ahead, patience = self._enter(turn, remaining)
        COUNTS.add(WAITING)
        try:
            return future.result(patience)
        except TimeoutError:
            if future.cancel():
                with self._mutex:
                    self._line.remove(turn)
                raise self._overloaded(ahead) from None
            return future.result()  # it has begun, or is done and raised this itself
        finally:
            COUNTS.add(WAITING, -1)

    def refuse_in_vain(self, *, new: bool, remaining: float) -> int:
        """See that who comes now would have a turn in time, and say how many are before them.

        Raises:
            Overloaded: They would not.
        """
        ahead = self._busy + self._line.ahead(new)
        is_late = not self._line.has_place(new) or (ahead + 1) * self._typical > remaining
        if remaining <= 0 or (ahead and is_late):
            raise self._overloaded(ahead)
        return ahead

    def _enter(self, turn: _Turn, remaining: float) -> tuple[int, float | None]:
        """How many are before it, and the seconds that it may wait for them."""
        with self._mutex:
            ahead = self.refuse_in_vain(new=turn.new, remaining=remaining)
            if not self._busy:
                self._begin(turn)
                return 0, None
            gone = self._line.add(turn)
        if gone is not None and gone.future.set_running_or_notify_cancel():
            gone.future.set_exception(self._overloaded(ahead))
        return ahead, remaining - self._typical

    def _begin(self, turn: _Turn) -> None:
        try:
            self._thread.submit(self._work_off, turn)
        except RuntimeError as error:  # the system gives no thread, or the process is ending
            # This one would do what was asked for in vain.
            self._thread = ThreadPoolExecutor(1, "dibs-hashing")
            raise self._overloaded(0) from error
        self._busy = True

    def _work_off(self, turn: _Turn | None) -> None:
        """Take this turn and all that come meanwhile, with no change of threads in between."""
        done = _Done()
        while turn is not None:
            seconds = None
            if turn.future.set_running_or_notify_cancel():
                started = time.monotonic()
                COUNTS.measure(("hash_wait",), started - turn.since)
                done.add(turn.take())
                seconds = time.monotonic() - started
                COUNTS.measure(("hash",), seconds)
            turn = self._next(seconds)
            # Last, so that a thread that is told finds none before it.
            if turn is None or not turn.new or done.would_be_late(self._typical):
                done.tell()

    def _next(self, seconds: float | None) -> _Turn | None:
        with self._mutex:
            if seconds is not None:
                # The mean of about the last five.
                self._typical += (seconds - self._typical) * (0.2 if self._typical else 1.0)
            if self._line:
                return self._line.next()
            self._busy = False
            return None

    def _overloaded(self, ahead: int) -> Overloaded:
        COUNTS.add("hashes_refused")
        seconds = math.ceil(ahead * self._typical)
        return Overloaded(retry_after=min(max(seconds, 1), LONGEST_RETRY))


class _Done:
    """Results that are told together."""

    def __init__(self) -> None:
        self._tells: list[Callable[[], None]] = []
        self._since = 0.0

    def add(self, tell: Callable[[], None]) -> None:
        """Keep one for the moment."""
        if not self._tells:
            self._since = time.monotonic()
        self._tells.append(tell)

    def would_be_late(self, seconds: float) -> bool:
        """Whether the first would be told too late if all waited so long."""
        return bool(self._tells) and time.monotonic() - self._since + seconds > LATE

    def tell(self) -> None:
        """Tell everybody, in the order in which they came."""
        for tell in self._tells:
            tell()
        self._tells.clear()


_queues: weakref.WeakSet[HashingQueue] = weakref.WeakSet()


def _after_fork() -> None:
    """A fork leaves the threads behind, and those that waited for them, too."""
    for queue in _queues:
        queue.open()


os.register_at_fork(after_in_child=_after_fork)
