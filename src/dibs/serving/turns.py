"""Calls that are served by turns on an event loop, written as if each had a thread of its own.

Each runs in a greenlet, as SQLAlchemy's own asynchronous engine has it: what waits gives way,
and neither the rules of names nor what is written for Flask need know of it.
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

    def start(self, work: Callable[[], None]) -> None:
        self._lanes.submit(work)

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
        try:
            self._loop.call_soon_threadsafe(_go_on, calls)
        except RuntimeError:
            if not self._loop.is_closed():
                raise  # else the worker has ended, and nobody waits for the answers


def _go_on(calls: Sequence[Any]) -> None:
    for call in calls:
        call.switch()
