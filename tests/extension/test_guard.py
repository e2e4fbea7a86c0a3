"""A guarded column: every door claims, renames and releases, inside the flush."""

import pickle
import threading
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Index, event, func, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from dibs import (
    ConfigError,
    Dibs,
    InvalidName,
    NameLookalike,
    NameTaken,
    TransactionMustRestart,
)
from tests.backends import MARIADB, POSTGRESQL
from tests.extension.guarded import Guarded, make_guarded, run


def test_insert_claims_update_renames_delete_releases(guarded: Guarded):
    (ada,) = guarded.add("Ada")
    assert guarded.owners() == {"Ada": str(ada.id)}
    ada.username = "Grace"
    guarded.db.session.commit()
    assert guarded.names() == {"Ada": ("free", None), "Grace": ("owned", str(ada.id))}
    guarded.db.session.delete(ada)
    guarded.db.session.commit()
    assert guarded.owners() == {}


def test_new_name_costs_two_statements_of_dibs(guarded: Guarded):
    """One claims, before the host's INSERT; one writes the owner, whose id the database made."""
    guarded.add("warm")
    with guarded.statements() as sent:
        guarded.add("Ada")
    own = [sql for sql in sent if "dibs_names" in sql and "FOR UPDATE" not in sql]
    assert ["INSERT" in own[0], "UPDATE" in own[-1], len(own)] == [True, True, 2]
    assert sent.index(own[0]) < next(i for i, sql in enumerate(sent) if "INTO member" in sql)


def test_owner_whose_id_the_app_makes_is_claimed_for_at_once(guarded: Guarded):
    kept = guarded.Page(slug="warm")
    guarded.db.session.add(kept)
    guarded.db.session.commit()
    with guarded.statements() as sent:
        guarded.db.session.add(guarded.Page(slug="Ada"))
        guarded.db.session.commit()
    assert not [sql for sql in sent if "UPDATE dibs_names SET owner = " in sql]
    owner = guarded.owners()["Ada"]
    assert owner
    assert len(owner) == 36


def test_taken_is_what_hosts_catch_already(guarded: Guarded):
    guarded.add("Ada")
    guarded.db.session.add(guarded.Member(username="ADA"))
    with pytest.raises(IntegrityError) as caught:
        guarded.db.session.commit()
    error: Any = caught.value
    assert isinstance(caught.value, NameTaken)
    assert (error.code, str(error)) == ("taken", "A user with that username already exists.")
    assert error.statement == "INSERT INTO member (username) VALUES (:username)"
    assert error.params == {"username": "ADA"}
    assert isinstance(error.orig, NameTaken)
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.code, str(copied), copied.params) == (error.code, str(error), error.params)
    guarded.db.session.rollback()
    assert list(guarded.members()) == ["Ada"]


def test_lookalike_and_broken_rules_are_refused_alike(guarded: Guarded):
    guarded.add("barney")
    for name, expected in [("bamey", NameLookalike), ("a b", InvalidName), ("admin", InvalidName)]:
        guarded.db.session.add(guarded.Member(username=name))
        with pytest.raises(IntegrityError) as caught:
            guarded.db.session.commit()
        assert isinstance(caught.value, expected)
        assert "sqlalche.me" not in str(caught.value)
        guarded.db.session.rollback()
    assert list(guarded.members()) == ["barney"]
    assert list(guarded.names()) == ["barney"]


def test_flush_after_a_refusal_is_refused_until_rolled_back(guarded: Guarded):
    guarded.add("Ada")
    guarded.db.session.add_all([guarded.Member(username="grace"), guarded.Member(username="ada")])
    with pytest.raises(NameTaken):
        guarded.db.session.flush()
    with pytest.raises(Exception, match="rolled back"):
        guarded.db.session.commit()
    guarded.db.session.rollback()
    assert list(guarded.members()) == list(guarded.names()) == ["Ada"]


def test_no_name_is_no_claim_and_takes_one_away(guarded: Guarded):
    (ada,) = guarded.add(None)
    assert guarded.names() == {}
    ada.username = "Ada"
    guarded.db.session.commit()
    assert guarded.owners() == {"Ada": str(ada.id)}
    ada.username = None
    guarded.db.session.commit()
    assert guarded.owners() == {}
    guarded.add("ADA")


def test_set_and_changed_back_sends_nothing(guarded: Guarded):
    (ada,) = guarded.add("Ada")
    assert ada.username == "Ada"
    with guarded.statements() as sent:
        ada.username = "Grace"
        ada.username = "Ada"
        guarded.db.session.commit()
    assert not [sql for sql in sent if "dibs_" in sql]


def test_other_spelling_is_a_change_of_display_alone(guarded: Guarded):
    (ada,) = guarded.add("Ada")
    ada.username = "ADA"
    guarded.db.session.commit()
    assert guarded.names() == {"ADA": ("owned", str(ada.id))}


def test_two_of_one_flush_who_want_one_name(guarded: Guarded):
    guarded.db.session.add_all([guarded.Member(username=name) for name in ("Ada", "ADA")])
    with pytest.raises(NameTaken):
        guarded.db.session.commit()
    guarded.db.session.rollback()
    assert [guarded.members(), guarded.names()] == [{}, {}]


def test_two_names_are_swapped(guarded: Guarded):
    """By members of two rooms' worth of a column without UNIQUE; a quarantine is no obstacle."""
    guarded.app.extensions["dibs"].quarantine = 86_400_000
    one, two = (guarded.Seat(room="a", label=label) for label in ("left", "right"))
    guarded.db.session.add_all([one, two])
    guarded.db.session.commit()
    one.label, two.label = two.label, one.label
    guarded.db.session.commit()
    assert guarded.owners() == {"right": str(one.id), "left": str(two.id)}


def test_name_passes_from_a_deleted_owner_to_a_new_one(guarded: Guarded):
    guarded.app.extensions["dibs"].quarantine = 86_400_000
    old = guarded.Seat(room="a", label="left")
    guarded.db.session.add(old)
    guarded.db.session.commit()
    guarded.db.session.delete(old)
    new = guarded.Seat(room="a", label="Left")
    guarded.db.session.add(new)
    guarded.db.session.commit()
    assert guarded.names() == {"Left": ("owned", str(new.id))}


def test_deleted_name_rests_if_nobody_of_the_flush_wants_it(guarded: Guarded):
    guarded.app.extensions["dibs"].quarantine = 86_400_000
    (ada,) = guarded.add("Ada")
    guarded.db.session.delete(ada)
    guarded.db.session.add(guarded.Member(username="grace"))
    guarded.db.session.commit()
    assert guarded.names()["Ada"] == ("quarantined", None)


def test_thousand_are_claimed_by_one_statement(guarded: Guarded):
    guarded.add("warm")
    names = [f"member-{i}x" for i in range(1000)]
    with guarded.statements() as sent:
        guarded.add(*names)
    assert sum("INSERT INTO dibs_names" in sql for sql in sent) == 1
    members = guarded.members()
    assert guarded.owners() == {str(name): id_ for name, id_ in members.items()}
    assert len(members) == 1001


def test_autoflush_in_a_query_refuses_too(guarded: Guarded):
    guarded.add("Ada")
    guarded.db.session.add(guarded.Member(username="ada"))
    with guarded.db.session.no_autoflush:
        assert guarded.db.session.scalar(select(func.count(guarded.Member.id))) == 1
    with pytest.raises(NameTaken):
        guarded.db.session.scalar(select(func.count(guarded.Member.id)))
    guarded.db.session.rollback()
    assert list(guarded.names()) == ["Ada"]


def test_flush_is_tried_again(guarded: Guarded):
    """What another constraint refused leaves no claim behind, and a second try works."""
    first = guarded.Member(username="ada", email="a@example.org")
    guarded.db.session.add(first)
    guarded.db.session.commit()
    guarded.db.session.add(guarded.Member(username="grace", email="a@example.org"))
    with pytest.raises(IntegrityError) as caught:
        guarded.db.session.flush()
    assert not isinstance(caught.value, NameTaken)
    guarded.db.session.rollback()
    assert list(guarded.names()) == ["ada"]
    guarded.db.session.add(guarded.Member(username="grace", email="g@example.org"))
    guarded.db.session.commit()
    assert set(guarded.owners()) == {"ada", "grace"}


def test_savepoint_takes_both_back(guarded: Guarded):
    with guarded.statements():
        guarded.db.session.add(guarded.Member(username="ada"))
        guarded.db.session.flush()
        nested = guarded.db.session.begin_nested()
        guarded.db.session.add(guarded.Member(username="grace"))
        guarded.db.session.flush()
        nested.rollback()
        guarded.db.session.commit()
    assert list(guarded.members()) == list(guarded.names()) == ["ada"]
    guarded.add("Grace")


def test_refusal_in_a_savepoint_leaves_the_rest(guarded: Guarded):
    guarded.add("ada")
    guarded.db.session.add(guarded.Member(username="grace"))
    guarded.db.session.flush()
    with pytest.raises(NameTaken), guarded.db.session.begin_nested():
        guarded.db.session.add(guarded.Member(username="ADA"))
    guarded.db.session.commit()
    assert set(guarded.members()) == set(guarded.owners()) == {"ada", "grace"}


def test_two_sessions_of_one_request(guarded: Guarded):
    with Session(guarded.db.engine) as other:
        guarded.add("ada")
        other.add(guarded.Member(username="grace"))
        other.commit()
        other.add(guarded.Member(username="ADA"))
        with pytest.raises(NameTaken):
            other.commit()
    assert set(guarded.owners()) == {"ada", "grace"}


def test_merge(guarded: Guarded):
    (ada,) = guarded.add("ada")
    hers = ada.id
    guarded.db.session.expunge_all()
    guarded.db.session.merge(guarded.Member(id=hers, username="grace"))
    guarded.db.session.merge(guarded.Member(id=hers + 7, username="lin"))
    guarded.db.session.commit()
    assert guarded.owners() == {"grace": str(hers), "lin": str(hers + 7)}


def test_expired_name_is_known_when_it_is_changed(guarded: Guarded):
    (ada,) = guarded.add("ada")
    guarded.db.session.expire_all()
    ada.username = "grace"
    guarded.db.session.commit()
    assert guarded.owners() == {"grace": str(ada.id)}


def test_default_of_the_column_is_claimed(guarded: Guarded):
    guarded.db.session.add(guarded.Page())
    guarded.db.session.commit()
    assert list(guarded.owners()) == ["front"]
    guarded.db.session.add(guarded.Page())
    with pytest.raises(NameTaken):
        guarded.db.session.commit()


def test_what_the_hosts_own_listener_sets_is_claimed(guarded: Guarded):
    """Also of the second row of a flush, whose listener runs after the first claim."""
    guarded.add("ada")

    @event.listens_for(guarded.Member, "before_insert")
    def slug(mapper, connection, target: Any) -> None:
        target.username = f"{target.username}-x"

    guarded.db.session.add_all([guarded.Member(username=name) for name in ("bob", "cid")])
    guarded.db.session.commit()
    members = guarded.members()
    assert set(members) == {"ada", "bob-x", "cid-x"}
    assert guarded.owners() == {str(name): id_ for name, id_ in members.items()}


def test_namespace_of_an_instance(guarded: Guarded):
    seats = [guarded.Seat(room=room, label="left") for room in ("a", "b")]
    guarded.db.session.add_all(seats)
    guarded.db.session.commit()
    guarded.db.session.add(guarded.Seat(room="a", label="LEFT"))
    with pytest.raises(NameTaken):
        guarded.db.session.commit()
    guarded.db.session.rollback()
    seats[0].room = "b"
    with pytest.raises(NameTaken):
        guarded.db.session.commit()
    guarded.db.session.rollback()
    seats[0].room = "c"
    guarded.db.session.commit()
    guarded.db.session.add(guarded.Seat(room="a", label="left"))
    guarded.db.session.commit()


def test_namespace_that_the_app_does_not_know(guarded: Guarded):
    guarded.app.extensions["dibs"].namespaces = type(guarded.app.extensions["dibs"].namespaces)()
    guarded.db.session.add(guarded.Seat(room="a", label="left"))
    with pytest.raises(ConfigError, match="DIBS_NAMESPACES"):
        guarded.db.session.commit()


@pytest.mark.parametrize("door", ["insert", "update"])
def test_row_that_was_never_claimed_is_taken_all_the_same(guarded: Guarded, door):
    """The host's UNIQUE speaks; whoever waits for it is told what it means."""
    (bob,) = guarded.add("bob")
    guarded.db.session.execute(text("INSERT INTO member (id, username) VALUES (99, 'ada')"))
    guarded.db.session.commit()
    if door == "insert":
        guarded.db.session.add(guarded.Member(username="ada"))
    else:
        bob.username = "ada"
    with pytest.raises(NameTaken) as caught:
        guarded.db.session.commit()
    assert isinstance(caught.value, IntegrityError)
    guarded.db.session.rollback()
    assert guarded.owners() == {"bob": str(bob.id)}


def test_unique_of_an_expression(guarded: Guarded):
    """As of lower(username); who changes capitals, too, is no obstacle to themselves."""
    db, dibs = SQLAlchemy(), Dibs()

    class Folded(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        username = db.Column(db.String(80), unique=True)
        email = db.Column(db.String(80), unique=True)

    # MariaDB has no such index, and folds by itself.
    folding = Index("one_name", func.lower(Folded.username), unique=True)
    folding.ddl_if(callable_=lambda *_, dialect, **__: dialect.name in ("sqlite", "postgresql"))
    dibs.guard(Folded.username)
    app = Flask("another")
    app.config |= {"SQLALCHEMY_DATABASE_URI": guarded.url}
    db.init_app(app)
    dibs.init_app(app)
    with app.app_context():
        db.create_all()
        db.session.execute(text("INSERT INTO folded (id, username) VALUES (99, 'ada')"))
        db.session.commit()
        bob = Folded(username="bob", email="b@example.org")
        db.session.add_all([bob, Folded(username="cid", email="c@example.org")])
        db.session.commit()
        db.session.add(Folded(username="ADA"))
        with pytest.raises(NameTaken):
            db.session.commit()
        db.session.rollback()
        assert (
            "3 people, 1 mended"
            in run(SimpleNamespace(app=app), "adopt", "verify", "--mend").output
        )
        bob.username, bob.email = "BOB", "c@example.org"
        with pytest.raises(IntegrityError) as caught:
            db.session.commit()
        assert not isinstance(caught.value, NameTaken)
        db.session.remove()
        db.drop_all()
        db.engine.dispose()


def test_other_constraints_stay_the_hosts(guarded: Guarded):
    guarded.db.session.add(guarded.Member(username="ada", email="a@example.org"))
    guarded.db.session.commit()
    guarded.db.session.add(guarded.Member(username="grace", email="a@example.org"))
    with pytest.raises(IntegrityError) as caught:
        guarded.db.session.commit()
    assert not isinstance(caught.value, NameTaken)


def test_person_who_was_there_before_gets_another_name(guarded: Guarded):
    """Their name was never claimed; the next one is."""
    guarded.db.session.execute(text("INSERT INTO member (id, username) VALUES (99, 'ada')"))
    guarded.db.session.commit()
    ada: Any = guarded.db.session.get(guarded.Member, 99)
    ada.username = "grace"
    guarded.db.session.commit()
    assert guarded.owners() == {"grace": "99"}


def test_claimed_before_by_another_door_is_theirs(guarded: Guarded):
    """A script that claimed the names of those who were there needs no second thought."""
    guarded.db.session.execute(text("INSERT INTO member (id, username) VALUES (99, NULL)"))
    ada: Any = guarded.db.session.get(guarded.Member, 99)
    guarded.dibs.claim("ada", owner=ada)
    guarded.db.session.commit()
    ada.username = "Ada"
    guarded.db.session.commit()
    assert guarded.owners() == {"Ada": "99"}


def test_explicit_claim_beside_the_guard(guarded: Guarded):
    ada = guarded.Member(username="Ada")
    guarded.db.session.add(ada)
    guarded.dibs.claim("Ada", owner=ada)
    guarded.db.session.commit()
    assert guarded.owners() == {"Ada": str(ada.id)}


def test_same_name_asks_nothing_else(backend, guarded: Guarded):
    """The first step of an adoption: `admin` stays, and a second one is refused."""
    app = _another(guarded, rules="same-name")
    with app.app.app_context():
        app.add("admin", "a b", "x")
        app.db.session.add(app.Member(username="ADMIN"))
        with pytest.raises(NameTaken):
            app.db.session.commit()
        app.db.session.rollback()
        for member in app.db.session.scalars(select(app.Member)):
            app.db.session.delete(member)
        app.db.session.commit()
        app.add("Admin")
        app.db.session.remove()
        app.db.engine.dispose()


def _another(guarded: Guarded, **options: Any) -> Guarded:
    """The same app with another guard on its members."""
    db = SQLAlchemy()
    dibs = Dibs(metadata=db.metadata)

    class Member(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        username = db.Column(db.String(80), unique=True)

    dibs.guard(Member.username, **options)
    app = Flask("another")
    app.config |= {"SQLALCHEMY_DATABASE_URI": guarded.url}
    db.init_app(app)
    dibs.init_app(app)
    return Guarded(app, db, dibs, Member, None, None, guarded.backend, guarded.url)


def test_work_outside_of_an_app_context(guarded: Guarded):
    """A worker that has made the app needs no context for names."""
    seen: list[object] = []
    engine = guarded.db.engine

    def work() -> None:
        with Session(engine) as session:
            member = guarded.Member(username="ada")
            session.add(member)
            session.commit()
            seen.append(guarded.owners())
            session.delete(member)
            session.commit()
            seen.append(guarded.owners())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [len(owners) for owners in seen if isinstance(owners, dict)] == [1, 0]


DEADLOCKS = {"40P01", 1213}


@pytest.mark.parametrize("backend", [POSTGRESQL, MARIADB], ids=str)
def test_opposite_orders_do_not_deadlock(backend, guarded: Guarded):
    """Two transactions that add {a, b} and {b, a}: names are claimed in one order."""
    guarded.add("warm")
    names = [f"name{i}q" for i in range(40)]
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def add(order: list[str]) -> None:
        with guarded.app.app_context():
            barrier.wait()
            said = ""
            while not said:
                try:
                    guarded.add(*order)
                    said = "added"
                except NameTaken:
                    said = "taken"
                except TransactionMustRestart as error:
                    # On a busy machine the other one may take longer than a wait may last.
                    orig: Any = getattr(error.__cause__, "orig", None)
                    if DEADLOCKS & {getattr(orig, "sqlstate", None), *orig.args}:
                        said = "deadlock"
                guarded.db.session.remove()
            outcomes.append(said)

    for _ in range(3):
        threads = [threading.Thread(target=add, args=(o,)) for o in (names, names[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["added", "taken"]
        outcomes.clear()
        for member in guarded.db.session.scalars(select(guarded.Member)):
            guarded.db.session.delete(member)
        guarded.db.session.commit()


@pytest.mark.race
def test_one_of_48_requests_wins(guarded: Guarded):
    """16 threads, three spellings, at a barrier: one row, and nobody meets anything but `taken`."""
    guarded.add("warm")
    spellings = ["ada", "Ada", "ＡＤＡ"]
    barrier = threading.Barrier(16)
    outcomes: list[str] = []

    def add(i: int) -> None:
        with guarded.app.app_context():
            barrier.wait()
            for spelling in spellings[i % 3 :] + spellings[: i % 3]:
                try:
                    guarded.add(spelling)
                    outcomes.append("won")
                except NameTaken:
                    outcomes.append("taken")
                except Exception as error:
                    outcomes.append(type(error).__name__)
                guarded.db.session.rollback()
            guarded.db.session.remove()

    threads = [threading.Thread(target=add, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("won") == 1
    # A busy machine may keep a lock for longer than anybody waits: that is a 503 of its own kind.
    assert set(outcomes) <= {"won", "taken", "TransactionMustRestart", "OperationalError"}
    assert len(guarded.owners()) == 2


@pytest.mark.race
def test_first_flushes_of_a_process_are_all_heard(guarded: Guarded):
    """The guard is put in place by the first flush; those at the same moment wait for it."""
    app = _another(guarded)
    barrier = threading.Barrier(8)

    def add(i: int) -> None:
        with app.app.app_context():
            session = app.db.session
            barrier.wait()
            for _ in range(20):
                try:
                    session.add(app.Member(username=f"first-{i}x"))
                    session.commit()
                    break
                except (TransactionMustRestart, OperationalError):
                    session.rollback()
            session.remove()

    threads = [threading.Thread(target=add, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    members = guarded.members()
    assert len(members) == 8
    assert guarded.owners() == {str(name): id_ for name, id_ in members.items()}
    with app.app.app_context():
        app.db.engine.dispose()


BAD = """
Mixin.username | of a mixin
Model.id | no text
Model.computed | a computed value
Model.made | a server default
Model.worked_out | a default that the database works out
Model.touched | an `onupdate`
Model.both | takes the column of a mapped class
Model.other | not one column
"username" | takes the column of a mapped class
"""


@pytest.mark.parametrize("line", BAD.strip().splitlines())
def test_column_that_cannot_be_guarded(line):
    from sqlalchemy import Column, Computed, ForeignKey, Integer, String
    from sqlalchemy.ext.hybrid import hybrid_property
    from sqlalchemy.orm import DeclarativeBase, relationship

    class Base(DeclarativeBase):
        pass

    class Mixin:
        username = Column(String(20))

    class Model(Mixin, Base):
        __tablename__ = "model"
        id = Column(Integer, primary_key=True)
        computed = Column(String(20), Computed("username"))
        made = Column(String(20), server_default="x")
        worked_out = Column(String(20), default=func.lower("X"))
        touched = Column(String(20), onupdate=lambda: "x")
        other_id: Any = Column(ForeignKey("model.id"))
        other = relationship("Model")

        @hybrid_property
        def both(self) -> str:
            return ""

    what, _, words = line.partition(" | ")
    with pytest.raises(ConfigError, match=words.replace("`", ".")):
        Dibs().guard(eval(what, {"Mixin": Mixin, "Model": Model}))


@pytest.mark.parametrize("own_table", [True, False])
def test_subclasses_share_the_names_of_their_base(tmp_path, own_table):
    """Joined and single-table inheritance: one kind of owner, whichever class they are of."""
    db = SQLAlchemy()
    dibs = Dibs(db, metadata=db.metadata)

    class Person(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        username = db.Column(db.String(80), unique=True)
        kind = db.Column(db.String(20))
        __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "person"}

    dibs.guard(Person.username)

    class Admin(Person):
        if own_table:
            id = db.Column(db.ForeignKey("person.id"), primary_key=True)
        __mapper_args__: ClassVar = {"polymorphic_identity": "admin"}

    app = Flask("heirs")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/heirs.db"
    db.init_app(app)
    dibs.init_app(app)
    with app.app_context():
        db.create_all()
        admin = Admin(username="ada")
        db.session.add(admin)
        db.session.commit()
        found = dibs.owner_of("ADA")
        assert found is not None
        assert (found.kind, found.id) == ("person", str(admin.id))
        db.session.add(Person(username="Ada"))
        with pytest.raises(NameTaken):
            db.session.commit()
        db.session.rollback()
        admin.username = "grace"
        db.session.commit()
        assert dibs.names_of(admin) == ["grace"]
        db.session.remove()
        db.engine.dispose()


def test_second_column_of_a_model(guarded: Guarded):
    with pytest.raises(ConfigError, match=r"Member\.username is guarded .* already"):
        guarded.dibs.guard(guarded.Member.email)
    guarded.dibs.namespace("pages").guard(guarded.Member.email)


def test_sql_expression_is_refused(guarded: Guarded):
    guarded.db.session.add(guarded.Member(username=func.lower("ADA")))
    with pytest.raises(ConfigError, match=r"Member\.username .* not an SQL expression"):
        guarded.db.session.commit()


def test_unknown_rules():
    with pytest.raises(ConfigError, match="same-name"):
        Dibs().guard(None, rules="none")  # type: ignore[arg-type]


def test_app_without_dibs(guarded: Guarded):
    other = make_guarded(guarded.backend, guarded.url)
    del other.app.extensions["dibs"]
    with other.app.app_context():
        other.db.session.add(other.Member(username="ada"))
        with pytest.raises(RuntimeError, match="init_app"):
            other.db.session.commit()
        other.db.session.remove()
        other.db.engine.dispose()
