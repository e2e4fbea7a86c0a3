"""An owner that a session deletes frees her names."""

import os
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from dibs.config.namespaces import Namespaces
from dibs.errors import NameTaken
from dibs.state import APPS, state_of
from tests.backends import SQLITE
from tests.extension.conftest import Host, as_text, close, make_host
from tests.support.programs import python

ROOT = Path(__file__).parents[2]


def test_deleted_owner_frees_her_names(host: Host):
    user, _ = host.owned("Ada"), host.owned("Eve", "eve@example.org")
    host.dibs.claim("Countess", owner=user)
    host.db.session.commit()
    host.db.session.delete(user)
    host.db.session.commit()
    assert host.names() == {"Ada": "free", "Countess": "free", "Eve": "owned"}


def test_deleted_owner_frees_her_names_in_every_namespace(app_url):
    """In those of the settings, stars included; what only looks like one is another app's."""
    host = make_host(app_url, DIBS_NAMESPACES="projects,tenant-*,Team-*")
    with host.app.app_context():
        user = host.owned("Ada")
        ours = ["projects", "tenant-a", "tenant-\U0001f600", "tenant-z z", "Team-1"]
        theirs = ["project", "projects2", "tenant-", "tenant.", "Tenant-a", "team-1", "tenant"]
        state = state_of(host.app)
        other = state.namespaces
        state.namespaces = other | Namespaces(frozenset(theirs))
        for place in [*ours, *theirs]:
            host.dibs.namespace(place).claim("Ada", owner=user)
        host.db.session.commit()
        state.namespaces = other
        host.db.session.delete(user)
        host.db.session.commit()
        rows = host.committed("SELECT namespace FROM dibs_names WHERE state = 'free'")
        assert {as_text(place) for (place,) in rows} == {"default", *ours}
    close(host)


def test_rolled_back_deletion_frees_nothing(host: Host):
    host.db.session.delete(host.owned("Ada"))
    host.db.session.flush()
    assert host.dibs.check("Ada").available
    host.db.session.rollback()
    assert not host.dibs.check("Ada").available


def test_name_passes_on_in_one_transaction(host: Host):
    host.db.session.delete(host.owned("Ada"))
    host.owned("Ada", "eve@example.org")
    assert host.names() == {"Ada": "owned"}


def test_orphan_frees_her_names(host: Host):
    """An orphan is deleted by the flush; nobody calls `session.delete`."""
    user = host.user()
    note = host.Note(text="has a name of its own")
    user.notes.append(note)
    host.dibs.claim("Ada", owner=note)
    host.db.session.commit()
    user.notes.clear()
    host.db.session.commit()
    assert host.names() == {"Ada": "free"}


def test_failed_flush_frees_nothing_later(host: Host):
    """What a flush that failed wanted to delete is not remembered."""
    ada, session = host.owned("Ada"), host.db.session

    @event.listens_for(session(), "after_flush_postexec", insert=True, once=True)
    def fail(*_: object) -> None:
        raise IntegrityError("", {}, Exception())

    session.delete(ada)
    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()
    host.user("eve@example.org")
    session.commit()
    assert host.names() == {"Ada": "owned"}


def test_one_look_up_and_one_note_a_class_and_flush(host: Host):
    for i in range(3):
        host.owned(f"user{i}", f"{i}@example.org")
    sent: list[str] = []
    event.listen(host.db.engine, "before_cursor_execute", lambda c, u, sql, *_: sent.append(sql))
    with host.db.session.no_autoflush:
        for user in host.db.session.scalars(host.db.select(host.User)).all():
            host.db.session.delete(user)
    host.db.session.flush()
    ours = [sql for sql in sent if "dibs_" in sql]
    # Between them each name is released by its primary key, which locks nothing else.
    assert len(ours) == 1 + 3 + 1, ours
    host.db.session.commit()
    assert set(host.names().values()) == {"free"}


FRESH = """
import sys
from tests.extension.conftest import make_host
host = make_host(sys.argv[1])
with host.app.app_context():
    host.db.session.delete(host.db.session.scalars(host.db.select(host.User)).one())
    host.db.session.commit()
"""


def test_process_that_never_claimed_frees_them_too(host: Host):
    host.owned("Ada")
    python("-c", FRESH, host.url, cwd=ROOT, env=os.environ).check_returncode()
    assert host.names() == {"Ada": "free"}


def test_app_without_the_tables_deletes_as_before(empty_url: str):
    """A database in which nothing is ever claimed is left alone."""
    host = make_host(empty_url, metadata=False)
    with host.app.app_context():
        host.db.create_all()
        user = host.user()
        host.db.session.commit()
        host.db.session.delete(user)
        host.db.session.commit()
        assert host.committed("SELECT * FROM note") == []
        host.db.engine.dispose()


def test_outside_of_an_app_nothing_is_asked(host: Host):
    """Sessions that have nothing to do with dibs pay nothing; of several apps none is meant."""
    other = Flask("other")
    APPS.add(other)
    host.owned("Ada")
    engine = create_engine(host.url)
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda c, u, sql, *_: sent.append(sql))
    host.db.session.remove()
    context = host.app.app_context()
    with Session(engine) as session:
        context_free(session, host)
    del context
    engine.dispose()
    assert len(APPS) > 1, other
    assert not [sql for sql in sent if "dibs_" in sql]


def context_free(session: Session, host: Host) -> None:
    from contextvars import Context

    def delete() -> None:
        session.delete(session.scalars(host.db.select(host.User)).one())
        session.flush()
        session.rollback()

    Context().run(delete)


class Base(DeclarativeBase):
    pass


class Staff(Base):
    __tablename__ = "staff"
    __mapper_args__ = {"polymorphic_on": "role", "polymorphic_identity": "staff"}  # noqa: RUF012
    country: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str]


class Manager(Staff):
    __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012


@pytest.mark.parametrize("backend", [SQLITE], ids=str, indirect=True)
def test_composite_keys_and_subclasses(host: Host):
    """A subclass is the same owner as its base; parts of a key cannot run into each other."""
    engine = create_engine(host.url)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        host.dibs._session = lambda: session
        session.add_all([Manager(country="a:1", number=2), Manager(country="a", number=1)])
        session.flush()
        for owner in session.scalars(host.db.select(Manager)).all():
            host.dibs.claim(f"boss{owner.number}", owner=owner)
        assert session.execute(
            text("SELECT owner_kind, owner FROM dibs_names ORDER BY 2")
        ).all() == [
            ("staff", "a%3A1:2"),
            ("staff", "a:1"),
        ]
        session.delete(session.get(Staff, ("a", 1)))
        session.flush()
        host.dibs.claim("boss1", owner=1)
        with pytest.raises(NameTaken):
            host.dibs.claim("boss2", owner=1)
    engine.dispose()
