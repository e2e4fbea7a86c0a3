"""Calls that are served by turns on an event loop, asked for as if by a pool of threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import pairwise
from types import TracebackType
from typing import Any, Self, TypeVar

import uvloop

from dibs.serving.turns import LoopTurns

T = TypeVar("T")
TICK_S, STALL_S = 0.01, 0.8
"""A busy machine may keep a loop waiting; a server that is waited for does it for seconds."""


class TurnsPool:
    """An event loop in a thread of its own: what `submit` is given gives way there.

    Args:
        threads: Those of `LoopTurns`.
    """

    def __init__(self, threads: int = 16) -> None:
        self._loop = uvloop.new_event_loop()
        self._turns = LoopTurns(self._loop, threads)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def submit(self, call: Callable[..., T], *args: Any, **options: Any) -> Future[T]:
        """Serve this call."""
        return self._serve([lambda: call(*args, **options)])[0]

    def at_once(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Serve all of these in one turn of the loop, and wait for what they return."""
        return [one.result(60) for one in self._serve(calls)]

    @contextmanager
    def goes_on(self) -> Iterator[None]:
        """Meanwhile the loop has a turn for everybody."""
        ticks, is_over = [time.monotonic()], threading.Event()

        def tick() -> None:
            ticks.append(time.monotonic())
            if not is_over.is_set():
                self._loop.call_later(TICK_S, tick)

        self._loop.call_soon_threadsafe(tick)
        try:
            yield
        finally:
            is_over.set()
        assert max(after - before for before, after in pairwise(ticks)) < STALL_S

    def _serve(self, calls: Sequence[Callable[[], T]]) -> list[Future[T]]:
        done: list[Future[T]] = [Future() for _ in calls]

        def serve(call: Callable[[], T], future: Future[T]) -> None:
            try:
                future.set_result(call())
            except BaseException as error:  # whoever waits raises it
                future.set_exception(error)

        def serve_all() -> None:
            for call, future in zip(calls, done, strict=True):
                self._turns.serve(lambda call=call, future=future: serve(call, future))  # type: ignore[misc]

        self._loop.call_soon_threadsafe(serve_all)
        return done
