"""Calls that are served by turns on an event loop, written as if each had a thread of its own.

Each runs in a greenlet, as SQLAlchemy's own asynchronous engine has it: what waits gives way,
and neither the rules of names nor what is written for Flask need know of it. PostgreSQL is waited
for on the loop; to hand a group over to a thread and back costs a registration a sixth more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from dibs.context import Deadline, take_turns
from dibs.errors import StoreUnavailable

T = TypeVar("T")
READABLE, WRITABLE = 1, 2


class LoopTurns:
    """Turns on an event loop, and threads for what would block it; see `Turns`.

    Args:
        loop: Whose thread serves the calls.
        threads: How many of them may wait for the database at once, and how many groups.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: int) -> None:
        self._loop = loop
        self._waiting = ThreadPoolExecutor(threads, "dibs-waiting")
        self._lanes = ThreadPoolExecutor(threads, "dibs-lane")

    def serve(self, call: Callable[[], None]) -> None:
        """Begin a call; this returns when it first gives way, or is over."""

        def run() -> None:
            take_turns(self)
            call()

        greenlet(run).switch()

    def elsewhere(self, work: Callable[[], T], *, deadline: Deadline) -> T:
        me, context = getcurrent(), copy_context()

        def waited() -> T:
            take_turns(None)
            return work()

        done: Future[T] = self._waiting.submit(context.run, waited)
        # One that has begun ends by itself, and cannot be cancelled.
        late = self._loop.call_later(max(0.0, deadline.remaining()), done.cancel)
        done.add_done_callback(lambda _: self.go_on([me]))
        self.give_way()
        late.cancel()
        try:
            return done.result()
        except CancelledError:
            raise StoreUnavailable from None

    def start(self, work: Callable[[], None], *, gives_way: bool) -> None:
        if gives_way:
            self._soon(self.serve, work)
        else:
            self._lanes.submit(work)

    def watch(self, file: int, wanted: int, seconds: float) -> int:
        me, found = getcurrent(), 0

        def come(what: int) -> None:
            nonlocal found
            late.cancel()
            self._loop.remove_reader(file)
            self._loop.remove_writer(file)
            found = what
            me.switch()

        late = self._loop.call_later(max(0.0, seconds), come, 0)
        if wanted & READABLE:
            self._loop.add_reader(file, come, READABLE)
        if wanted & WRITABLE:
            self._loop.add_writer(file, come, WRITABLE)
        self.give_way()
        return found

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        if seconds:
            self._loop.call_later(seconds, act)
        else:
            self._loop.call_soon(act)

    def mine(self) -> object:
        return getcurrent()

    def give_way(self) -> None:
        getcurrent().parent.switch()

    def go_on(self, calls: Sequence[object]) -> None:
        self._soon(_go_on, calls)

    def _soon(self, act: Callable[..., None], *given: Any) -> None:
        """Do this in the loop's thread, whichever this is."""
        try:
            if self._is_here():
                self._loop.call_soon(act, *given)
            else:
                self._loop.call_soon_threadsafe(act, *given)
        except RuntimeError:
            if not self._loop.is_closed():
                raise  # else the worker has ended, and nobody waits for the answers

    def _is_here(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False


def _go_on(calls: Sequence[Any]) -> None:
    for call in calls:
        call.switch()
