"""Files that calls on an event loop wait for."""

from __future__ import annotations

import socket

from dibs.context import turns
from dibs.serving.turns import READABLE, WRITABLE
from tests.support.turns import TurnsPool


def test_files_are_watched() -> None:
    """Until they can be read or written, and no longer than is said."""

    def watch(file: int, wanted: int, seconds: float) -> int:
        others = turns()
        assert others is not None
        return others.watch(file, wanted, seconds)

    here, there = socket.socketpair()
    with here, there, TurnsPool() as pool, pool.goes_on():
        number = here.fileno()
        both = pool.submit(watch, number, READABLE | WRITABLE, 60.0)
        assert both.result(60) == WRITABLE
        assert pool.submit(watch, number, READABLE, 0.1).result(60) == 0
        waiting = pool.submit(watch, number, READABLE, 60.0)
        there.send(b"x")
        assert waiting.result(60) == READABLE
        assert pool.submit(watch, number, READABLE, -1.0).result(60) in (0, READABLE)
