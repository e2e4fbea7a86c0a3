"""The first sessions of a class, made by two threads at once: nothing passes dibs by.

SQLAlchemy gives a class its listeners while another thread may make sessions of it already.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import String, create_engine, select
from sqlalchemy.event import attr
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from dibs import Dibs, NameTaken, TransactionMustRestart
from dibs.store.host import guard

pytestmark = pytest.mark.race

PAUSE_S, PATIENCE_S = 0.5, 60
Sessions = sessionmaker[Session]


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Event:
    """Is set while the moment lasts, which is a long one."""
    opened = Event()

    class Slow(deque[Any]):
        def extend(self, those: Iterable[Callable[..., Any]]) -> None:
            listeners = list(those)
            if guard._begin in listeners:
                opened.set()
                time.sleep(PAUSE_S)
            super().extend(listeners)

    monkeypatch.setattr(attr, "collections", SimpleNamespace(deque=Slow))
    return opened


class Names:
    """An app of plain SQLAlchemy."""

    def __init__(self, url: str) -> None:
        class Base(DeclarativeBase):
            pass

        class Member(Base):
            __tablename__ = "heard_members"
            id: Mapped[int] = mapped_column(primary_key=True)
            username: Mapped[str] = mapped_column(String(80), unique=True)

        self.Member, self.metadata, self.engine = Member, Base.metadata, create_engine(url)

    def put_on(self, maker: Sessions) -> None:
        dibs = Dibs(lambda: maker(), metadata=self.metadata)
        dibs.guard(self.Member.username)
        self.metadata.create_all(self.engine)
        with maker() as session:  # nobody else sees to the tables' first row meanwhile
            session.add(self.Member(username="warm"))
            app = Flask(__name__)
            dibs.init_app(app)
            with app.app_context():
                session.commit()
        self.app = app

    def sign_up(self, maker: Sessions, name: str) -> str:
        with self.app.app_context(), maker() as session:
            session.add(self.Member(username=name))
            try:
                session.commit()
            except (NameTaken, TransactionMustRestart) as error:
                return error.code
            return "stored"

    def at_once(self, maker: Sessions, window: Event) -> list[str]:
        """What one is told whose session is the first, and one who comes while that is made."""
        told: list[str] = []
        first = Thread(target=lambda: told.append(self.sign_up(maker, "ada")))
        first.start()
        window.wait(PAUSE_S)
        told.insert(0, self.sign_up(maker, "Ada"))
        first.join(PATIENCE_S)
        return told

    def stored(self) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.scalars(select(self.Member.username)))


@pytest.fixture
def names(empty_url: str) -> Iterator[Names]:
    names = Names(empty_url)
    yield names
    names.engine.dispose()


def test_sessions_of_before(names: Names, window: Event) -> None:
    """Every one of the app's: dibs is told of them when it is put on the app."""
    maker = sessionmaker(names.engine)
    names.put_on(sessionmaker(names.engine))
    assert sorted(names.at_once(maker, window)) == ["stored", "taken"]
    assert len(names.stored()) == 2


def test_sessions_that_come_later(names: Names, window: Event) -> None:
    """Who would be passed by stores nothing, and is told to come again."""
    names.put_on(sessionmaker(names.engine))
    later = sessionmaker(names.engine)
    told = names.at_once(later, window)
    assert told == ["transaction_must_restart", "stored"]
    assert window.is_set()
    assert sorted(names.stored()) == ["ada", "warm"]
    assert names.sign_up(later, "ADA") == "taken"
