"""The test recipe of SQLAlchemy's documentation: everything is rolled back at the end.

https://docs.sqlalchemy.org/en/20/orm/session_transaction.html#joining-a-session-into-an-external-transaction-such-as-for-test-suites
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from dibs.errors import NameTaken
from tests.extension.conftest import Host


@contextmanager
def joined(host: Host) -> Iterator[Session]:
    """A session whose commits are savepoints of a transaction that is never committed."""
    engine = host.db.engine
    if engine.dialect.name == "sqlite":
        with_real_savepoints(engine)
    with engine.connect() as connection:
        outer = connection.begin()
        session = Session(connection, join_transaction_mode="create_savepoint")
        host.dibs._session = lambda: session
        yield session
        session.close()
        outer.rollback()


def with_real_savepoints(engine: Engine) -> None:
    """sqlite3 begins no transaction for a SAVEPOINT, which then outlives the rollback.

    https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
    """
    engine.dispose()
    event.listen(engine, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))


def test_recipe_leaves_nothing_behind(host: Host):
    with joined(host) as session:
        ada, eve = host.User(email="ada@example.org"), host.User(email="eve@example.org")
        session.add(ada)
        host.dibs.claim("Ada", owner=ada)
        session.commit()
        session.add(eve)
        with pytest.raises(NameTaken):
            host.dibs.claim("ada", owner=eve)
        session.rollback()
        assert host.dibs.check("Ada").reason == "taken"
        session.delete(ada)
        session.commit()
        assert host.dibs.check("Ada").available
        host.dibs.claim("Ada", owner=1)
        session.commit()
    assert host.names() == {}
    with Session(host.db.engine) as session:
        assert session.scalars(select(host.User)).all() == []


def test_savepoint_rolled_back_frees_the_name(host: Host):
    session = host.db.session
    if host.db.engine.dialect.name == "sqlite":
        session.remove()
        with_real_savepoints(host.db.engine)
    user = host.user()
    session.flush()
    savepoint = session.begin_nested()
    host.dibs.claim("Ada", owner=user)
    savepoint.rollback()
    host.dibs.claim("Eve", owner=user)
    session.commit()
    assert host.names() == {"Eve": "owned"}


def test_refused_within_a_savepoint_leaves_it_usable(host: Host):
    host.owned("Ada")
    session = host.db.session
    if host.db.engine.dialect.name == "sqlite":
        session.remove()
        with_real_savepoints(host.db.engine)
    eve = host.user("eve@example.org")
    session.flush()
    with session.begin_nested():
        with pytest.raises(NameTaken):
            host.dibs.claim("Ada", owner=eve)
        host.dibs.claim("Eve", owner=eve)
    session.commit()
    assert host.names() == {"Ada": "owned", "Eve": "owned"}
