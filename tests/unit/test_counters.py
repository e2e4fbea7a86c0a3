"""Counts of one process: in memory that the next one goes on with, and others read."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from dibs.observe import MOST, NAMES, NOW, SECONDS, SIZE, Counters, numbers_in

KEY = ("request", "GET", "/", "200")


def test_who_comes_next_goes_on():
    """With counts and distributions; what was only for the moment has ended."""
    memory = bytearray(SIZE)
    first = Counters(memory)
    first.add("sessions", 2)
    first.add(f"{NOW}connections", 5)
    first.measure(KEY, 0.004)
    second = Counters(memory)
    second.add("sessions")
    second.add("statements")
    second.measure(KEY, 99)
    assert second.read() == {"sessions": 3, f"{NOW}connections": 0, "statements": 1}
    found = numbers_in(memoryview(memory))
    assert found["sessions"] == [3]
    assert found[KEY] == [0, 0, 1, *[0] * (len(SECONDS) - 3), 1, 99.004]


def test_a_bound_belongs_to_what_is_below():
    """As Prometheus has it: `le` is less or equal."""
    memory = bytearray(SIZE)
    Counters(memory).measure(("size",), 2, (1.0, 2.0))
    assert numbers_in(memoryview(memory))[("size",)] == [0, 1, 0, 2]


def test_who_dies_while_a_name_is_written_leaves_no_name():
    memory = bytearray(SIZE)
    first = Counters(memory)
    first.add("sessions")
    memory[8 * MOST + first._written : 8 * MOST + first._written + 6] = b"1 half"
    second = Counters(memory)
    second.add("statements", 7)
    assert numbers_in(memoryview(memory)) == {"sessions": [1], "statements": [7]}


def test_there_is_an_end_to_it():
    """What finds no room is not counted; what has some goes on."""
    memory = bytearray(SIZE)
    counters = Counters(memory)
    counters.add("sessions")
    for i in range(MOST):
        counters.measure(("many", str(i)), 1)
    counters.add("n" * NAMES)
    counters.add("sessions")
    found = numbers_in(memoryview(memory))
    assert found["sessions"] == [2]
    assert 100 < len(found) < MOST / len(SECONDS)
    assert all(sum(numbers[:-1]) == 1 for key, numbers in found.items() if key != "sessions")


def test_nothing_is_nothing():
    counters = Counters()
    counters.add("cache_hit", 0)
    assert counters.read() == {}


def test_threads_lose_nothing():
    """However often the interpreter changes between them."""
    memory, usual = bytearray(SIZE), sys.getswitchinterval()
    counters = Counters(memory)

    def work(_: int) -> None:
        for _ in range(20_000):
            counters.add("sessions")
            counters.measure(KEY, 0)

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
    finally:
        sys.setswitchinterval(usual)
    found = numbers_in(memoryview(memory))
    assert (found["sessions"], found[KEY][0]) == ([160_000], 160_000)
