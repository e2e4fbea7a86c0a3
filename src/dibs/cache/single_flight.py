"""One question at a time: what many ask at once is asked of the database once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from dibs.context import turns

Answer = TypeVar("Answer")


class _Flight(Generic[Answer]):
    __slots__ = ("answers", "done", "error")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.answers: list[Answer] = []
        self.error: Exception | None = None


class Flights(Generic[Answer]):
    """Lets those who ask what somebody is asking already wait for that answer.

    For checks alone: an answer may have been read a moment before it was asked for.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, _Flight[Answer]] = {}

    def ask(self, question: Hashable, work: Callable[[], Answer], *, patience: float) -> Answer:
        """The answer to a question: somebody's who is asking it, or what `work` says.

        Args:
            patience: Seconds to wait for somebody else's; then `work` is done after all.

        Raises:
            Exception: Whatever `work` raises, to all who wait for it.
        """
        if turns() is not None:
            return work()  # which goes together with the others', and waits for none of them
        with self._lock:
            flight = self._under_way.get(question)
            first = flight is None
            if flight is None:
                flight = self._under_way[question] = _Flight()
        if first:
            try:
                flight.answers.append(work())
                return flight.answers[0]
            except Exception as error:
                flight.error = error
                raise
            finally:
                with self._lock:
                    del self._under_way[question]
                flight.done.set()
        if not flight.done.wait(max(0.0, patience)):
            return work()
        if flight.error is not None:
            raise flight.error
        # Whoever asked may have been told to end meanwhile, which is nobody else's error.
        return flight.answers[0] if flight.answers else work()
