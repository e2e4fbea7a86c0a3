"""An app whose column is guarded, with its UNIQUE kept, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import ScriptInfo
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event

from dibs import Dibs
from dibs.cli import group
from tests.backends import Backend
from tests.support.verified import unspoilt


def run(host: Any, *words: object) -> Result:
    """Types `flask dibs ...`, in this process."""
    app = ScriptInfo(create_app=lambda: host.app)
    return CliRunner().invoke(group, [*map(str, words)], obj=app)


TABLES = ("page", "member", "seat", "dibs_names", "dibs_history")


@dataclass
class Guarded:
    """The app, its database, its models, and dibs.

    Attributes:
        Member: With ids that the database makes, and a UNIQUE on the name.
        Page: With ids that the app makes.
        Seat: With a name that is unique within its `room`, and no UNIQUE.
    """

    app: Flask
    db: SQLAlchemy
    dibs: Dibs
    Member: Any
    Page: Any
    Seat: Any
    backend: Backend
    url: str

    def add(self, *names: str | None) -> list[Any]:
        """New members of these names, committed."""
        members = [self.Member(username=name) for name in names]
        self.db.session.add_all(members)
        self.db.session.commit()
        return members

    def names(self) -> dict[str, tuple[str, str | None]]:
        """Display form to state and owner of every committed row."""
        return {display: (state, owner) for display, state, owner in self._rows()}

    def _rows(self) -> list[tuple[str, str, str | None]]:
        rows = self.backend.execute("SELECT display, state, owner FROM dibs_names", self.url)
        return [(str(name), str(state), owner) for name, state, owner in map(as_text, rows)]

    def owners(self) -> dict[str, str | None]:
        """Display form to owner of every committed row that is owned."""
        return {display: owner for display, state, owner in self._rows() if state == "owned"}

    def members(self) -> dict[str | None, str]:
        """Name to id of every committed member."""
        rows = self.backend.execute("SELECT username, id FROM member", self.url)
        return {row[0]: str(row[1]) for row in rows}

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """What is sent meanwhile."""
        sent: list[str] = []

        def note(connection, cursor, sql, *_: Any) -> None:
            sent.append(" ".join(sql.split()))

        event.listen(self.db.engine, "before_cursor_execute", note)
        yield sent
        event.remove(self.db.engine, "before_cursor_execute", note)


def as_text(row: tuple[Any, ...]) -> list[Any]:
    """A row as each database means it."""
    return [value.decode() if isinstance(value, bytes) else value for value in row]


def make_guarded(backend: Backend, url: str, **options: Any) -> Guarded:
    """An app as its author would write it."""
    db = SQLAlchemy()
    dibs = Dibs(metadata=db.metadata)

    class Member(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        username = db.Column(db.String(80), unique=True)
        email = db.Column(db.String(80), unique=True)
        pages = db.relationship("Page", cascade="all, delete-orphan", backref="member")

    class Page(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.String(36), primary_key=True, default=lambda: str(uuid4()))
        slug = db.Column(db.String(80), default=lambda: "front")
        member_id = db.Column(db.ForeignKey("member.id"))

    class Seat(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        room = db.Column(db.String(20), nullable=False)
        label = db.Column(db.String(80))

    dibs.guard(Member.username)
    dibs.namespace("pages").guard(Page.slug)
    dibs.guard(Seat.label, namespace=lambda seat: f"room:{seat.room}")
    app = Flask("guarded")
    app.config |= {
        "SQLALCHEMY_DATABASE_URI": url,
        "DIBS_QUARANTINE": "0",
        "DIBS_NAMESPACES": "pages,room:*",
        **options,
    }
    db.init_app(app)
    dibs.init_app(app)
    return Guarded(app, db, dibs, Member, Page, Seat, backend, url)


MADE: dict[str, str] = {}


def guarded_url(backend: Backend) -> str:
    """A database with the app's tables and those of dibs, emptied, not made, for each test."""
    if backend.name not in MADE:
        url = backend.empty()
        made = make_guarded(backend, url)
        with made.app.app_context():
            made.db.create_all()
            made.db.engine.dispose()
        MADE[backend.name] = unspoilt(url)
    backend.clear(TABLES, MADE[backend.name])
    return MADE[backend.name]
