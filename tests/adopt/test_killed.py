"""An import that is killed, wherever it is, and begun again ends as one that went through."""

from __future__ import annotations

import multiprocessing
import os
import signal
from itertools import count
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import NullPool

from dibs.adopt.importing import import_people
from dibs.adopt.people import Person
from dibs.names import Parser
from tests.backends import Backend

PEOPLE = [
    Person(str(at), name)
    for at, name in enumerate(
        [f"{base}{at}" for at in range(12) for base in ("ada", "ADA", "Ada", "bob", "a b")]
    )
]
TABLES = {
    "dibs_names": "name_key, display, state, owner, version, registered",
    "dibs_history": "name_key, version, action, was, became, owner",
}


def bring_in(url: str, dies_at: int | None = None) -> None:
    """Import everybody, and die by SIGKILL before the statement or COMMIT with this number."""
    engine = create_engine(url, poolclass=NullPool)
    sent = count()

    def is_next(*_: Any) -> None:
        if next(sent) == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", is_next)
    event.listen(engine, "commit", is_next)
    import_people(engine, PEOPLE, kind="users", parser=Parser(), batch=11)
    engine.dispose()


def everything(backend: Backend, url: str) -> list[list[Any]]:
    """What is said of names and their history, but for when."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        found = [
            connection.execute(text(f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3")).all()
            for table, columns in TABLES.items()
        ]
    return [
        [bytes(v) if isinstance(v, bytes) else v for v in row] for rows in found for row in rows
    ]


@pytest.mark.race
def test_killed_in_every_batch(backend: Backend, url: str) -> None:
    bring_in(url)
    whole = everything(backend, url)
    for table in TABLES:
        backend.execute(f"DELETE FROM {table}", url)
    deaths = 0
    for at in count(5, 7):
        process = multiprocessing.get_context("fork").Process(target=bring_in, args=(url, at))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        deaths += 1
    assert deaths > 5
    assert everything(backend, url) == whole
