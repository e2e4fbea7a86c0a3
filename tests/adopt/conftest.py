"""People of an app, in a table of every database or in a file, before dibs is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, NullPool, create_engine, text

from dibs.cli import group
from tests.backends import Backend
from tests.conftest import missing
from tests.services import ServiceMissing

URLS: dict[str, str] = {}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Types `dibs ...` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *words, **options: CliRunner().invoke(group, [*map(str, words)], **options)


@pytest.fixture
def people_url(backend: Backend) -> Iterator[str]:
    """A database of a host's, whose table `people` this test makes."""
    try:
        URLS.setdefault(backend.name, "") or URLS.update({backend.name: backend.empty()})
    except ServiceMissing as error:
        missing(error)
    yield URLS[backend.name]
    backend.execute("DROP TABLE IF EXISTS people", URLS[backend.name])


@pytest.fixture
def engine(people_url: str) -> Iterator[Engine]:
    engine = create_engine(people_url, poolclass=NullPool)
    yield engine
    engine.dispose()


def make_table(engine: Engine, columns: str, rows: list[tuple[Any, ...]]) -> None:
    """Makes the table `people`, with these rows."""
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE people ({columns})"))
        for row in rows:
            values = {f"v{i}": value for i, value in enumerate(row)}
            marks = ", ".join(f":{name}" for name in values)
            connection.execute(text(f"INSERT INTO people VALUES ({marks})"), values)
