"""However a name is mapped, and whatever becomes of its row in a flush: one owner, the true one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, TypeDecorator, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Session, deferred, synonym, validates
from werkzeug.local import LocalProxy

from dibs import ConfigError, Dibs, NameTaken
from dibs.store.host.drift import find_drift
from tests.extension.guarded import Guarded


def plain(db: SQLAlchemy) -> tuple[Any, str]:
    class Person(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(80), unique=True)

    return Person, "name"


def joined_tables(db: SQLAlchemy) -> tuple[Any, str]:
    """The name is in the table of the base, or only of the subclass."""

    class Base(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        kind = db.Column(db.String(9))
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "base"}  # noqa: RUF012

    class Person(Base):
        id = db.Column(db.ForeignKey("base.id"), primary_key=True)
        name = db.Column(db.String(80))
        __mapper_args__ = {"polymorphic_identity": "person"}  # noqa: RUF012

    return Person, "name"


def single_table(db: SQLAlchemy) -> tuple[Any, str]:
    class Base(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(80))
        kind = db.Column(db.String(9))
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "base"}  # noqa: RUF012

    class Person(Base):
        __mapper_args__ = {"polymorphic_identity": "person"}  # noqa: RUF012

    return Person, "name"


def other_names_of_the_column(db: SQLAlchemy) -> tuple[Any, str]:
    table = db.Table(
        "person",
        db.Column("number", db.Integer, primary_key=True, key="no"),
        db.Column("username", db.String(80), key="login", unique=True),
    )

    class Person(db.Model):  # type: ignore[name-defined,misc]
        __table__ = table
        name = table.columns["login"]

    return Person, "name"


def behind_a_property(db: SQLAlchemy) -> tuple[Any, str]:
    class Person(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        _name = db.Column("name", db.String(80))
        name = synonym("_name")

        @hybrid_property
        def trimmed(self):
            return self._name

        @trimmed.inplace.setter
        def _set(self, name: str) -> None:
            self._name = name.strip()

    return Person, "_name"


def validated_and_deferred(db: SQLAlchemy) -> tuple[Any, str]:
    class Person(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        name = deferred(db.Column(db.String(80)))

        @validates("name")
        def lower(self, key: str, name: str) -> str:
            return name.lower()

    return Person, "name"


def the_key_itself(db: SQLAlchemy) -> tuple[Any, str]:
    class Person(db.Model):  # type: ignore[name-defined,misc]
        name = db.Column(db.String(64), primary_key=True)

    return Person, "name"


class Marked(TypeDecorator[str]):
    """As apps have them that encrypt a column, or fold its letters."""

    impl = String(80)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value and f"@{value.strip().lower()}"

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return value and value[1:]


def of_a_type_of_its_own(db: SQLAlchemy) -> tuple[Any, str]:
    class Person(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(Marked, unique=True)

    return Person, "name"


MAPPINGS = [
    plain,
    joined_tables,
    single_table,
    other_names_of_the_column,
    behind_a_property,
    validated_and_deferred,
    the_key_itself,
    of_a_type_of_its_own,
]


@contextmanager
def guarding(
    mapping: Callable[[SQLAlchemy], tuple[Any, str]], **config: Any
) -> Iterator[tuple[SQLAlchemy, Dibs, Any]]:
    db = SQLAlchemy()
    dibs, (model, key) = Dibs(metadata=db.metadata), mapping(db)
    dibs.guard(getattr(model, key))
    app = Flask("mapped")
    app.config |= {"SQLALCHEMY_DATABASE_URI": "sqlite://", "DIBS_QUARANTINE": "0", **config}
    db.init_app(app)
    dibs.init_app(app)
    with app.app_context():
        db.create_all()
        yield db, dibs, model
        db.session.remove()
        db.engine.dispose()


def owned(db: SQLAlchemy) -> set[tuple[str, str]]:
    sql = "SELECT display, owner FROM dibs_names WHERE state = 'owned'"
    with db.engine.connect() as connection:
        return {(str(name), str(owner)) for name, owner in connection.execute(text(sql))}


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_the_life_of_a_name(mapping):
    with guarding(mapping) as (db, dibs, person):
        ada = person(name="ada")
        db.session.add(ada)
        db.session.commit()
        db.session.add(person(name="ADA"))
        with pytest.raises(IntegrityError) as refused:
            db.session.commit()
        assert isinstance(refused.value, NameTaken)
        db.session.rollback()
        for name in ("grace", "lovelace"):
            db.session.expire_all()
            ada.name = name
            db.session.commit()
            (identity,) = person.__mapper__.primary_key_from_instance(ada)
            assert owned(db) == {(name, str(identity))}
            assert dibs.names_of(ada) == dibs.names_of(LocalProxy(lambda: ada)) == [name]
        db.session.delete(ada)
        db.session.commit()
        assert owned(db) == set()


def test_a_type_that_respells_names():
    """What is read back is what is claimed, so that nobody's name and row come apart."""
    with guarding(of_a_type_of_its_own) as (db, dibs, person):
        ada = person(name=" Ada ")
        db.session.add(ada)
        db.session.commit()
        assert owned(db) == {(ada.name, "1")} == {("ada", "1")}
        assert db.session.execute(text("SELECT name FROM person")).scalar() == "@ada"
        ada.name = "GRACE"
        db.session.commit()
        assert owned(db) == {("grace", "1")}
        assert find_drift(db.engine, dibs.guards[0]).apart == []


def concrete_tables(db: SQLAlchemy) -> tuple[Any, str]:
    class Person(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(80))

    class Bot(Person):
        __tablename__ = "bot"
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(80), default=lambda: "marvin")
        __mapper_args__ = {"concrete": True}  # noqa: RUF012

    Person.Bot = Bot  # SQLAlchemy keeps no class
    return Person, "name"


def key_of_another_row(db: SQLAlchemy) -> tuple[Any, str]:
    class Account(db.Model):  # type: ignore[name-defined,misc]
        email = db.Column(db.String(64), primary_key=True)

    class Person(db.Model):  # type: ignore[name-defined,misc]
        email = db.Column(db.ForeignKey("account.email"), primary_key=True)
        name = db.Column(db.String(80))
        account = db.relationship(Account, passive_updates=False, backref="people")

    Person.Account = Account
    return Person, "name"


def test_names_follow_a_key_that_follows_another():
    with guarding(key_of_another_row) as (db, _, person):
        account = person.Account(email="old@example.org", people=[person(name="ada")])
        db.session.add(account)
        db.session.commit()
        account.email = "new@example.org"
        db.session.commit()
        assert owned(db) == {("ada", "new@example.org")}


def test_concrete_classes_share_names_and_no_identities():
    with guarding(concrete_tables) as (db, _, person):
        bot, ada = person.Bot, person(name="ada")
        db.session.add_all([ada, bot()])
        db.session.commit()
        assert owned(db) == {("ada", "1"), ("marvin", "1")}
        db.session.add(bot(name="ADA"))
        with pytest.raises(NameTaken):
            db.session.commit()
        db.session.rollback()
        db.session.delete(ada)
        db.session.commit()
        assert owned(db) == {("marvin", "1")}


def test_a_property_is_refused_by_its_name():
    with guarding(behind_a_property) as (_, dibs, person):
        for attribute in (person.name, person.trimmed):
            with pytest.raises(ConfigError, match="hybrid property the column behind it"):
                dibs.guard(attribute)


def test_people_in_another_database_than_the_names():
    """Else a claim by id, or a check, would ask other names than the guard writes."""

    def elsewhere(db: SQLAlchemy) -> tuple[Any, str]:
        class Person(db.Model):  # type: ignore[name-defined,misc]
            __bind_key__ = "people"
            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String(80))

        return Person, "name"

    binds = {"people": "sqlite://"}
    with guarding(elsewhere, SQLALCHEMY_BINDS=binds) as (db, _, person):
        db.session.add(person(name="ada"))
        with pytest.raises(ConfigError, match="Person lives in another database than the names"):
            db.session.commit()


def pages(guarded: Guarded) -> dict[str, str]:
    rows = guarded.backend.execute("SELECT slug, id FROM page", guarded.url)
    return {str(slug): str(id_) for slug, id_ in rows}


def test_names_follow_a_new_primary_key(guarded: Guarded):
    """All of them at once, with what rests for their owners."""
    session, page = guarded.db.session, guarded.Page
    one, two = page(id="a", slug="left"), page(id="b", slug="right")
    session.add_all([one, two])
    session.commit()
    guarded.dibs.claim("second", owner=one)
    one.id = "c"
    session.commit()
    one.id, two.id, two.slug = "d", "c", "bottom"
    session.commit()
    assert guarded.owners() == {"left": "d", "second": "d", "bottom": "c"}
    session.delete(one)
    session.commit()
    assert guarded.owners() == pages(guarded) == {"bottom": "c"}
    two.id = "x" * 65
    with pytest.raises(Exception, match="identity takes 1 to 64|too long"):
        session.commit()
    session.rollback()
    assert guarded.owners() == pages(guarded) == {"bottom": "c"}


@pytest.mark.parametrize("name", ["left", "LEFT", "right"])
def test_row_that_is_deleted_and_inserted_in_one_flush(guarded: Guarded, name):
    """SQLAlchemy makes one UPDATE of it: the old owner's names are released, not the new one's."""
    session, page = guarded.db.session, guarded.Page
    old = page(id="a", slug="left")
    session.add(old)
    session.commit()
    guarded.dibs.claim("second", owner=old)
    session.commit()
    session.delete(old)
    session.add(page(id="a", slug=name))
    session.commit()
    assert guarded.owners() == pages(guarded) == {name: "a"}


@pytest.mark.parametrize("when", ["after_insert", "after_update", "after_flush"])
def test_what_a_listener_sets_too_late_is_not_stored_and_not_claimed(guarded: Guarded, when):
    """SQLAlchemy forgets it; the name that is stored stays its owner's."""
    session = guarded.db.session

    def rename(*arguments: Any) -> None:
        for member in (*session.new, *session.dirty):
            member.username = "late"

    on = Session if when == "after_flush" else guarded.Member
    event.listen(on, when, rename)
    try:
        (ada,) = guarded.add("ada")
        session.expire_all()
        ada.username = "grace"
        session.commit()
    finally:
        event.remove(on, when, rename)
    assert guarded.owners() == guarded.members()
    assert "late" not in guarded.names()


def test_what_a_late_listener_sets_in_time_is_claimed(guarded: Guarded):
    """It came after the guard's own, before the row was written."""
    guarded.add("first")

    def rename(mapper: object, connection: object, member: Any) -> None:
        member.username = f"late-{member.username}"

    event.listen(guarded.Member, "before_insert", rename)
    try:
        guarded.add("ada")
        guarded.db.session.add(guarded.Member(username="ADA"))
        with pytest.raises(NameTaken):
            guarded.db.session.commit()
        guarded.db.session.rollback()
    finally:
        event.remove(guarded.Member, "before_insert", rename)
    assert guarded.owners() == guarded.members()
