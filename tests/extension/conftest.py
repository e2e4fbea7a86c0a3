"""A small app with users of its own, on every database."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, text

from dibs import Dibs
from tests.backends import Backend
from tests.extension.guarded import Guarded, guarded_url, make_guarded
from tests.support.verified import unspoilt


@dataclass
class Host:
    """An app, its database, its models, and dibs."""

    app: Flask
    db: SQLAlchemy
    dibs: Dibs
    url: str
    User: Any
    Note: Any

    def user(self, email: str = "ada@example.org") -> Any:
        """A new user, added to the session and not flushed."""
        user = self.User(email=email)
        self.db.session.add(user)
        return user

    def owned(self, name: str, email: str = "ada@example.org") -> Any:
        """A user who has this name, committed."""
        user = self.user(email)
        self.dibs.claim(name, owner=user)
        self.db.session.commit()
        return user

    def committed(self, sql: str) -> list[tuple[Any, ...]]:
        """What another connection sees."""
        engine = create_engine(self.url)
        with engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(text(sql))]
        engine.dispose()
        return rows

    def names(self) -> dict[str, str]:
        """Display form to state of every committed row."""
        return {
            as_text(display): as_text(state)
            for display, state in self.committed("SELECT display, state FROM dibs_names")
        }


def as_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def make_host(url: str, *, metadata: bool = True, **options: Any) -> Host:
    """An app as its author would write it."""
    db = SQLAlchemy()

    class User(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        email = db.Column(db.String(80), unique=True, nullable=False)
        notes = db.relationship("Note", cascade="all, delete-orphan", backref="user")

    class Note(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        text = db.Column(db.String(80))
        user_id = db.Column(db.ForeignKey("user.id"))

    app = Flask("host")
    app.config.update({"SQLALCHEMY_DATABASE_URI": url, "DIBS_QUARANTINE": "0", **options})
    db.init_app(app)
    dibs = Dibs(session=lambda: db.session, metadata=db.metadata if metadata else None)
    dibs.init_app(app)
    return Host(app, db, dibs, url, User, Note)


def close(host: Host) -> None:
    with host.app.app_context():
        host.db.session.remove()
        for engine in host.db.engines.values():
            engine.dispose()


MADE: dict[str, str] = {}


@pytest.fixture
def app_url(backend: Backend) -> str:
    """A database with the app's tables and those of dibs, emptied, not made, for each test."""
    if backend.name not in MADE:
        url = backend.empty()
        host = make_host(url)
        with host.app.app_context():
            host.db.create_all()
        close(host)
        MADE[backend.name] = unspoilt(url)
    user = '"user"' if backend.name == "postgresql" else "user"
    backend.clear(("note", user, "dibs_names", "dibs_history"), MADE[backend.name])
    return MADE[backend.name]


@pytest.fixture
def host(app_url: str) -> Iterator[Host]:
    """The app, with an app context pushed."""
    host = make_host(app_url)
    with host.app.app_context():
        yield host
    close(host)


@pytest.fixture
def guarded(backend: Backend) -> Iterator[Guarded]:
    """An app whose column is guarded, with an app context pushed."""
    guarded = make_guarded(backend, guarded_url(backend))
    with guarded.app.app_context():
        yield guarded
        guarded.db.session.remove()
        guarded.db.engine.dispose()
