"""The harness can see a race: without the constraint more than one wins."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from tests.backends import Backend
from tests.race.harness import PATIENCE_S, at_once

pytestmark = pytest.mark.race
CONTENDERS = 4


@pytest.fixture
def engine(backend: Backend, empty_url: str) -> Iterator[Engine]:
    engine = create_engine(empty_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE names (name VARCHAR(64))"))
    yield engine
    engine.dispose()


def test_the_race_is_real(engine: Engine) -> None:
    """Query, then insert, as in every textbook: everybody is told yes."""
    between = threading.Barrier(CONTENDERS, timeout=PATIENCE_S)

    def query_then_insert() -> bool:
        with engine.connect() as connection:
            taken = connection.execute(text("SELECT 1 FROM names WHERE name = 'ada'")).first()
        between.wait()
        if taken is None:
            with engine.begin() as connection:
                connection.execute(text("INSERT INTO names VALUES ('ada')"))
        return taken is None

    assert at_once([query_then_insert] * CONTENDERS) == [True] * CONTENDERS
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT COUNT(*) FROM names")).scalar_one()
    assert rows == CONTENDERS
