"""Many who ask the same at once are one question to the database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from dibs.cache import Flights

PATIENCE_S = 10.0


class Work:
    """Something slow that is let go by the test."""

    def __init__(self, answer: Callable[[], int]) -> None:
        self.calls = 0
        self.begun, self.go = threading.Event(), threading.Event()
        self._answer = answer

    def __call__(self) -> int:
        self.calls += 1
        self.begun.set()
        assert self.go.wait(PATIENCE_S)
        return self._answer()


def fail() -> int:
    raise LookupError("away")


def end() -> int:
    raise SystemExit


@pytest.fixture
def flights() -> Flights[int]:
    return Flights()


def crowd(flights: Flights[int], work: Work, others: Callable[[], int]) -> list[object]:
    """What one who asks first is told, and then seven who ask meanwhile."""

    def ask(todo: Callable[[], int]) -> object:
        try:
            return flights.ask("q", todo, patience=PATIENCE_S)
        except (LookupError, SystemExit) as error:
            return type(error)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(ask, work)
        assert work.begun.wait(PATIENCE_S)
        rest = [pool.submit(ask, others) for _ in range(7)]
        work.go.set()
        return [one.result(PATIENCE_S) for one in (first, *rest)]


def test_one_asks_and_all_are_told(flights: Flights[int]) -> None:
    work = Work(lambda: 42)
    with ThreadPoolExecutor(8) as pool:
        asks = [pool.submit(flights.ask, "q", work, patience=PATIENCE_S) for _ in range(8)]
        assert work.begun.wait(PATIENCE_S)
        work.go.set()
        assert [ask.result(PATIENCE_S) for ask in asks] == [42] * 8
    # Whoever came when it was over has asked anew, once.
    assert work.calls <= 8
    assert not flights._under_way


def test_those_who_wait_ask_nothing(flights: Flights[int]) -> None:
    """Nobody but the first does any work as long as that goes on."""
    work = Work(lambda: 42)
    waiting = threading.Thread(target=flights.ask, args=("q", work), kwargs={"patience": 9})
    waiting.start()
    assert work.begun.wait(PATIENCE_S)
    answers: list[int] = []
    second = threading.Thread(
        target=lambda: answers.append(flights.ask("q", fail, patience=PATIENCE_S))
    )
    second.start()
    second.join(0.05)
    assert second.is_alive()
    work.go.set()
    second.join(PATIENCE_S)
    waiting.join(PATIENCE_S)
    assert answers == [42]


def test_an_error_is_everybodys_and_is_not_kept(flights: Flights[int]) -> None:
    assert set(crowd(flights, Work(fail), fail)) == {LookupError}
    assert flights.ask("q", lambda: 1, patience=0) == 1


def test_one_who_is_told_to_end_takes_nobody_along(flights: Flights[int]) -> None:
    """Then the others do the work themselves."""
    first, *others = crowd(flights, Work(end), lambda: 7)
    assert first is SystemExit
    assert others == [7] * 7


def test_who_has_no_patience_left_does_the_work_itself(flights: Flights[int]) -> None:
    work = Work(lambda: 1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(flights.ask, "q", work, patience=9)
        assert work.begun.wait(PATIENCE_S)
        assert flights.ask("q", lambda: 2, patience=-1) == 2
        assert flights.ask("other", lambda: 3, patience=9) == 3
        work.go.set()
        assert first.result(PATIENCE_S) == 1
