"""What an app can do to the names of a flush: each has one owner, and nobody is told of a fault."""

import asyncio
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, inspect, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, load_only

from dibs import (
    ConfigError,
    Dibs,
    InvalidName,
    NameTaken,
    StoreUnavailable,
    TransactionMustRestart,
)
from dibs.state import parts_of
from tests.backends import POSTGRESQL
from tests.extension.guarded import Guarded, as_text, make_guarded
from tests.fault.helpers import eventually
from tests.race.harness import PATIENCE_S, at_once


@pytest.mark.parametrize("value", [12, 1.5, ["ada"], {"name": "ada"}, True, b"ada"])
def test_what_json_brings_instead_of_text(guarded: Guarded, value):
    """A rule that is broken, and no fault of the app's."""
    guarded.db.session.add(guarded.Member(username=value))
    with pytest.raises(InvalidName, match="username must be a string") as refused:
        guarded.db.session.commit()
    assert isinstance(refused.value, IntegrityError)
    assert refused.value.params == {"username": value}


def test_refused_owner_is_tried_again(guarded: Guarded):
    """The same instance, by another name, or with the same one once what was wrong is mended."""
    guarded.db.session.add(guarded.Member(username="ada", email="a@example.org"))
    guarded.db.session.commit()
    again = guarded.Member(username="ADA", email="a@example.org")
    for name, email in [("ADA", "a@example.org"), ("grace", "a@example.org")]:
        again.username, again.email = name, email
        guarded.db.session.add(again)
        with pytest.raises(IntegrityError):
            guarded.db.session.flush()
        guarded.db.session.rollback()
    again.email = "g@example.org"
    guarded.db.session.add(again)
    guarded.db.session.commit()
    assert guarded.owners()["grace"] == str(again.id)
    assert {str(name): id_ for name, id_ in guarded.members().items()} == guarded.owners()


def test_detached_instance(guarded: Guarded):
    """Nothing of the app's is loaded for dibs before the flush."""
    (ada,) = guarded.add("ada")
    guarded.db.session.close()
    ada.username = "grace"
    guarded.db.session.add(ada)
    guarded.db.session.commit()
    assert guarded.owners() == {"grace": str(ada.id)}


@pytest.mark.parametrize("wanted", ["cid1", "bob1"])
def test_two_renames_of_one_person(guarded: Guarded, wanted):
    """Who changes their name by two requests at once has one name in the end, and hoards none."""
    (ada,) = guarded.add("ada")
    with Session(guarded.db.engine) as one, Session(guarded.db.engine) as two:
        both: list[Any] = [session.get(guarded.Member, ada.id) for session in (one, two)]
        first, second = both
        assert first.username == second.username
        first.username = "bob1"
        one.commit()
        second.username = wanted
        try:
            two.commit()
        except TransactionMustRestart:  # where reads are of an older snapshot
            two.rollback()
            second.username = wanted
            two.commit()
    assert guarded.owners() == {wanted: str(ada.id)}
    assert list(guarded.members()) == [wanted]


@pytest.mark.race
def test_four_renames_of_one_person_in_one_moment(guarded: Guarded):
    """From what all had read before any of them wrote; the last one's name is the only one."""
    (ada,) = guarded.add("ada")
    key, engine = ada.id, guarded.db.engine
    guarded.db.session.remove()
    all_have_read = threading.Barrier(4, timeout=PATIENCE_S)

    def rename(wanted: str) -> int:
        with guarded.app.app_context(), Session(engine) as session:
            member: Any = session.get(guarded.Member, key)
            assert member.username == "ada"
            all_have_read.wait()
            for tries in count(1):
                member.username = wanted
                try:
                    session.commit()
                    return tries
                # A deadlock may be told to a statement of the app's own, as what it is.
                except (StoreUnavailable, TransactionMustRestart, OperationalError):
                    session.rollback()
        raise AssertionError

    at_once([partial(rename, f"name{i}") for i in range(4)])
    assert [guarded.owners()] == [{name: str(key)} for name in guarded.members()]


def test_renamed_after_what_went_past(guarded: Guarded):
    """What the guard did not see is not theirs to keep."""
    (ada,) = guarded.add("ada")
    guarded.db.session.execute(text("UPDATE member SET username = 'sue1'"))
    guarded.db.session.commit()
    ada.username = "grace"
    guarded.db.session.commit()
    assert guarded.owners() == {"grace": str(ada.id)}


def test_refused_owner_can_be_pickled(guarded: Guarded):
    guarded.add("ada")
    owner = guarded.Member()
    guarded.db.session.add(owner)
    with pytest.raises(NameTaken):
        guarded.dibs.claim("ADA", owner=owner)
    assert pickle.loads(pickle.dumps(inspect(owner).info)).keys() == {"dibs.pending"}


def test_statements_that_are_committed_one_by_one(guarded: Guarded):
    """What an app's own constraint refuses could not be taken back."""
    options = {"SQLALCHEMY_ENGINE_OPTIONS": {"isolation_level": "AUTOCOMMIT"}}
    app = make_guarded(guarded.backend, guarded.url, **options)
    with app.app.app_context():
        app.db.session.add(app.Member(username="ada"))
        with pytest.raises(ConfigError, match="AUTOCOMMIT"):
            app.db.session.commit()
        app.db.session.rollback()
        with pytest.raises(ConfigError, match="AUTOCOMMIT"):
            app.dibs.claim("ada", owner=7)
        app.db.session.remove()
        app.db.engine.dispose()
    assert [guarded.names(), guarded.members()] == [{}, {}]


def test_guard_in_a_function_that_makes_the_app(guarded: Guarded):
    guarded.dibs.guard(guarded.Member.username)
    assert len(guarded.dibs.guards) == 3
    with pytest.raises(ConfigError, match=r"Member\.username is guarded by another Dibs"):
        Dibs().guard(guarded.Member.username)
    guarded.add("ada")
    assert list(guarded.owners()) == ["ada"]


def test_a_pending_owner_is_seen_by_nobody(guarded: Guarded):
    """The name is claimed before the row whose id the database makes, in one transaction."""
    seen: list[Any] = []

    @event.listens_for(guarded.Member, "after_insert")
    def look(*_: object) -> None:
        owners = guarded.db.session.execute(text("SELECT owner FROM dibs_names")).one()
        seen.extend([as_text(tuple(owners))[0][:8], guarded.names()])

    (ada,) = guarded.add("ada")
    assert seen == ["pending:", {}]
    assert guarded.names() == {"ada": ("owned", str(ada.id))}


def test_caches_learn_of_it_when_it_is_committed(guarded: Guarded):
    app = make_guarded(guarded.backend, guarded.url)
    app.dibs.init_app(app.app, component=True)
    client = app.app.test_client()

    def taken() -> list[str]:
        asked = {name: client.get(f"/usernames/{name}").json for name in ("ada", "grace")}
        return [name for name, said in asked.items() if said and not said["available"]]

    with app.app.app_context():
        (ada,) = app.add("ada")
        for end, found in [("rollback", ["ada"]), ("commit", ["grace"])]:
            assert taken() == ["ada"]
            ada.email = end
            app.db.session.flush()  # without a write before it, SQLite's driver commits a savepoint
            with app.db.session.begin_nested():
                ada.username = "grace"
            assert taken() == ["ada"]
            getattr(app.db.session, end)()
            assert taken() == found
        app.db.session.remove()
        app.db.engine.dispose()
    parts_of(app.app).close()


@pytest.fixture
def shop(guarded: Guarded) -> Iterator[Any]:
    """Models whose namespace is not known before their row, or the row of another, is written."""
    db, dibs = SQLAlchemy(), Dibs()

    class Site(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        products = db.relationship("Product")

    class Product(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        slug = db.Column(db.String(40))
        site_id = db.Column(db.ForeignKey("site.id"))
        shelf = db.Column(db.String(10), default=lambda: "a")
        wing = db.Column(db.String(10), server_default="w")

    class Clerk(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        username = db.Column(db.String(6))

    dibs.guard(Clerk.username)
    dibs.guard(Product.slug, namespace=lambda one: f"s:{one.site_id}:{one.shelf}:{one.wing}")
    app = type(guarded.app)("shop")
    app.config |= {
        "SQLALCHEMY_DATABASE_URI": guarded.url,
        "DIBS_NAMESPACES": "s:1:a:w,s:2:a:w,s:None:a:w",
        "DIBS_QUARANTINE": "0",
    }
    db.init_app(app)
    dibs.init_app(app)
    with app.app_context():
        db.create_all()
        yield SimpleNamespace(session=db.session, Site=Site, Product=Product, Clerk=Clerk)
        db.session.remove()
        db.drop_all()
        db.engine.dispose()


def test_longer_than_its_column(shop: Any, guarded: Guarded):
    """PostgreSQL and MariaDB would answer it by an error that is a 500."""
    shop.session.add(shop.Clerk(username="abcdefg"))
    with pytest.raises(InvalidName, match="at most 6 characters"):
        shop.session.commit()
    shop.session.rollback()
    assert guarded.names() == {}


def test_namespace_that_the_flush_makes(shop: Any, guarded: Guarded):
    """By keys that the database makes, whichever model is written first, and by defaults."""
    sites = [shop.Site(products=[shop.Product(slug="lamp")]) for _ in range(2)]
    shop.session.add_all([shop.Clerk(username="ada"), *sites])
    shop.session.commit()
    first = select(shop.Product).where(shop.Product.site_id == 1)
    for wrong in (
        shop.Product(slug="LAMP", site_id=1, shelf="a", wing="w"),
        shop.Product(slug="Lamp", site_id=2),
    ):
        shop.session.add(wrong)
        with pytest.raises(NameTaken):
            shop.session.commit()
        shop.session.rollback()
    lamp = shop.session.scalars(first).one()
    lamp.shelf = "b"
    with pytest.raises(ConfigError, match="DIBS_NAMESPACES"):
        shop.session.commit()
    shop.session.rollback()
    shop.session.expunge_all()
    lamp = shop.session.scalars(first.options(load_only(shop.Product.shelf))).one()
    lamp.site_id = None  # though its name was not loaded
    shop.session.commit()
    shop.session.add(shop.Product(slug="lamp", site_id=1))
    shop.session.commit()
    rows = guarded.backend.execute("SELECT namespace, state FROM dibs_names", guarded.url)
    places = sorted(namespace for namespace, state in map(as_text, rows) if state == "owned")
    assert places == ["default", "s:1:a:w", "s:2:a:w", "s:None:a:w"]


@pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)
def test_an_async_session(guarded: Guarded):
    """`add` and `commit` as always: SQLAlchemy runs the flush for whoever awaits it."""
    engine = create_async_engine(guarded.url.replace("postgresql://", "postgresql+psycopg://"))

    async def run() -> None:
        async with AsyncSession(engine) as session:
            session.add(guarded.Member(username="ada"))
            await session.commit()
            session.add(guarded.Member(username="ADA"))
            with pytest.raises(NameTaken):
                await session.commit()
            await session.rollback()
            ada = (await session.scalars(select(guarded.Member))).one()
            ada.username = "grace"
            await session.commit()
            await session.delete(ada)
            await session.commit()
        await engine.dispose()

    asyncio.run(run())
    assert {name: state for name, (state, _) in guarded.names().items()} == {
        "ada": "free",
        "grace": "free",
    }


@pytest.mark.parametrize("backend", [POSTGRESQL], ids=str)
def test_a_rename_that_came_while_another_waited_for_the_row(backend: Any, guarded: Guarded):
    """The second and the third both look before the second is committed; one name is left."""
    (ada,) = guarded.add("ada")
    key, engine = ada.id, guarded.db.engine
    guarded.db.session.remove()
    first, second, third = (Session(engine) for _ in range(3))
    with guarded.app.app_context():
        for number, session in enumerate((first, second, third), 1):
            session.get(guarded.Member, key).username = f"name{number}"  # type: ignore[union-attr]
        first.commit()
        second.flush()
        with ThreadPoolExecutor(1) as pool:

            def rename() -> None:
                with guarded.app.app_context():
                    third.commit()

            waiting = pool.submit(rename)
            sql = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            assert eventually(lambda: backend.execute(sql, guarded.url) != [])
            second.commit()
            waiting.result()
        for session in (first, second, third):
            session.close()
    assert list(guarded.members()) == ["name3"]
    assert guarded.owners() == {"name3": str(key)}
