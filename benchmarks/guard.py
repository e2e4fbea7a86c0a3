"""What a guarded column costs beside an unguarded one: `.venv/bin/python -m benchmarks.guard`.

One user a transaction, whose id the database makes. The guard claims the name before the row is
written and gives it its owner after it: INSERT, the app's own INSERT, UPDATE. The other way looks
whether somebody has the name, writes the row, and then claims: SELECT, the app's own INSERT,
INSERT. It sends as much, and where two are at it at once the app's own UNIQUE answers before dibs.
The median of each in turns, with the statements that are sent; COMMIT is in all of them.

On two busy processors the guard took 5.0 ms and the look 5.4 on SQLite (3 statements each, 3.4 ms
without dibs), 7.5 and 7.7 on PostgreSQL (3; 3.7), 9.2 and 9.8 on MariaDB (4; 4.1).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from statistics import median

from sqlalchemy import event

from tests.backends import BACKENDS, Backend
from tests.extension.guarded import Guarded, make_guarded

ROUNDS, WARM_UP = 500, 20
NAMES = count()


def bare(guarded: Guarded, name: str) -> None:
    guarded.db.session.add(guarded.Member(email=name))


def guard(guarded: Guarded, name: str) -> None:
    guarded.db.session.add(guarded.Member(username=name))


def look_before(guarded: Guarded, name: str) -> None:
    assert guarded.dibs.check(name).available
    bare(guarded, name)
    member = next(iter(guarded.db.session.new))
    guarded.db.session.flush()
    guarded.dibs.claim(name, owner=member)


def once(guarded: Guarded, way: Callable[[Guarded, str], None]) -> tuple[float, float]:
    """Seconds on the clock, and of this process."""
    name, clock, spent = f"member{next(NAMES)}x", time.perf_counter(), time.process_time()
    way(guarded, name)
    guarded.db.session.commit()
    return time.perf_counter() - clock, time.process_time() - spent


def measure(backend: Backend) -> None:
    guarded = make_guarded(backend, backend.empty())
    ways = (bare, guard, look_before)
    with guarded.app.app_context():
        guarded.db.create_all()
        sent: list[str] = []
        event.listen(guarded.db.engine, "before_cursor_execute", lambda *a: sent.append(a[2]))
        found: dict[str, list[tuple[float, float]]] = {way.__name__: [] for way in ways}
        for turn in range(ROUNDS + WARM_UP):
            for way in ways:
                sent.clear()
                took = once(guarded, way)
                if turn >= WARM_UP:
                    found[way.__name__].append(took)
                if turn == WARM_UP:
                    print(f"{backend.name:10} {way.__name__:12} {len(sent)} statements")
        for name, rounds in found.items():
            clock, spent = (1000 * median(column) for column in zip(*rounds, strict=True))
            print(f"{backend.name:10} {name:12} {clock:6.2f} ms, {spent:5.2f} ms of processor")
        guarded.db.engine.dispose()


if __name__ == "__main__":
    for one in BACKENDS:
        measure(one)
        one.close()
