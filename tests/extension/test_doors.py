"""One name, every pair of doors, and whatever a host has told its engine: one owner."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import SingletonThreadPool

from dibs import Dibs
from dibs.cli import group
from dibs.errors import ConfigError, NameTaken
from dibs.state import parts_of
from dibs.store.schema import upgrade
from tests.backends import POSTGRESQL
from tests.conftest import missing
from tests.services import ServiceMissing


class Shop:
    """A host on some engine, with the routes and pages, and one way in for each door."""

    def __init__(self, app: Flask, db: SQLAlchemy, metadata: Any = None) -> None:
        self.app, self.db = app, db
        app.config.update(
            DIBS_PASSWORD="optional",
            DIBS_RATE_LIMITS="off",
            DIBS_QUARANTINE="0",
            DIBS_HOLDS="9",
            SECRET_KEY="s",
        )
        db.init_app(app)
        metadata = metadata if metadata is not None else db.metadata
        self.dibs = Dibs(metadata=metadata)

        class Member(db.Model):  # type: ignore[name-defined,misc]
            __bind_key__ = metadata.info.get("bind_key")
            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String(80))

        self.dibs.guard(Member.name)
        self.Member = Member
        self.dibs.init_app(app, api=True, pages=True, url_prefix="/names")
        with app.app_context():
            db.create_all()

    def claim(self, name: str) -> bool:
        with self.app.app_context():
            try:
                self.dibs.claim(name, owner=7)
            except NameTaken:
                self.db.session.rollback()
                return False
            self.db.session.commit()
            return True

    def rename(self, name: str) -> bool:
        old = f"was-{name}"
        with self.app.app_context():
            self.dibs.claim(old, owner=8)
            self.db.session.commit()
            try:
                self.dibs.rename(old, name, owner=8)
            except NameTaken:
                self.db.session.rollback()
                return False
            self.db.session.commit()
            return True

    def guard(self, name: str) -> bool:
        with self.app.app_context():
            self.db.session.add(self.Member(name=name))
            try:
                self.db.session.commit()
            except NameTaken:
                self.db.session.rollback()
                return False
            return True

    def register(self, name: str) -> bool:
        return self._posted("/names/register", name)

    def hold(self, name: str) -> bool:
        return self._posted("/names/holds", name)

    def reserve(self, name: str) -> bool:
        """As `flask dibs reserve add`, in this process."""
        info = ScriptInfo(create_app=lambda: self.app)
        added = CliRunner().invoke(group, ["reserve", "add", name], obj=info)
        refused = "already exists" in added.output or "right now" in added.output
        assert added.exit_code == int(refused), added.output
        return added.output == f"{name}: reserved\n"

    def page(self, name: str) -> bool:
        client, at = self.app.test_client(), "/names/sign-up"
        form = client.get(at)
        assert form.status_code == 200
        token = form.text.partition('name="csrf_token" value="')[2].partition('"')[0]
        sent = {"username": name, "password": "correct horse battery", "csrf_token": token}
        answer = client.post(at, data=sent)
        assert answer.status_code in (303, 409), answer.text
        return answer.status_code == 303

    def _posted(self, at: str, name: str) -> bool:
        answer = self.app.test_client().post(at, json={"username": name})
        assert answer.status_code in (201, 409), answer.text
        return answer.status_code == 201

    @property
    def doors(self) -> list[Callable[[str], bool]]:
        return [
            self.claim,
            self.rename,
            self.guard,
            self.register,
            self.hold,
            self.page,
            self.reserve,
        ]

    def close(self) -> None:
        parts_of(self.app).close()
        with self.app.app_context():
            self.db.session.remove()
            for engine in self.db.engines.values():
                engine.dispose()


def shop_on(url: str, options: dict[str, Any] | None = None, **config: Any) -> Shop:
    app = Flask("shop")
    app.config.update(
        SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=options or {}, **config
    )
    return Shop(app, SQLAlchemy())


@pytest.fixture
def schemas() -> Iterator[str]:
    """A database that has the tables in `public`, which is not where the host's are."""
    try:
        url = POSTGRESQL.migrated()
    except ServiceMissing as error:
        missing(error)
        raise
    POSTGRESQL.execute("CREATE SCHEMA shop AUTHORIZATION dibs", url)
    yield url
    POSTGRESQL.drop(url)


def in_memory(tmp_path: Path, url: str) -> Shop:
    return shop_on("sqlite://")


def in_memory_by_thread(tmp_path: Path, url: str) -> Shop:
    return shop_on("sqlite://", {"poolclass": SingletonThreadPool})


def two_binds(tmp_path: Path, url: str) -> Shop:
    """The tables are in both databases, and names in the one that Dibs was told."""
    app, db = Flask("shop"), SQLAlchemy()
    main = f"sqlite:///{tmp_path}/main.db"
    app.config["SQLALCHEMY_DATABASE_URI"] = main
    app.config["SQLALCHEMY_BINDS"] = {"people": f"sqlite:///{tmp_path}/people.db"}
    upgrade(main)

    class Person(db.Model):  # type: ignore[name-defined,misc]
        __bind_key__ = "people"
        id = db.Column(db.Integer, primary_key=True)

    return Shop(app, db, metadata=db.metadatas["people"])


def options(tmp_path: Path, url: str) -> Shop:
    return shop_on(url, {"connect_args": {"options": "-csearch_path=shop"}})


def other_driver(tmp_path: Path, url: str) -> Shop:
    """What `postgresql://` means to SQLAlchemy 2.0."""
    return options(tmp_path, url.replace("psycopg:", "psycopg2:"))


def creator(tmp_path: Path, url: str) -> Shop:
    import psycopg

    where = make_url(url)
    address = where.set(drivername="postgresql").render_as_string(hide_password=False)

    def make() -> Any:
        return psycopg.connect(address, options="-csearch_path=shop")

    return shop_on("postgresql+psycopg://nobody@127.0.0.1:1/nowhere", {"creator": make})


def listener(tmp_path: Path, url: str) -> Shop:
    def enter(connection: Any, record: object) -> None:
        connection.execute("SET search_path TO shop")
        connection.commit()

    return _listening(url, "connect", enter)


def begin_listener(tmp_path: Path, url: str) -> Shop:
    def enter(connection: Any) -> None:
        connection.exec_driver_sql("SET LOCAL search_path TO shop")

    return _listening(url, "begin", enter)


def _listening(url: str, name: str, listen: Callable[..., None]) -> Shop:
    app, db = Flask("shop"), SQLAlchemy()

    class Listening(SQLAlchemy):
        def _make_engine(self, bind_key: Any, options: Any, app: Flask) -> Engine:
            engine = super()._make_engine(bind_key, options, app)
            event.listen(engine, name, listen)
            return engine

    db = Listening()
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    return Shop(app, db)


LITE = (in_memory, in_memory_by_thread, two_binds)
SERVED = (options, other_driver, creator, listener, begin_listener)


def pairs_have_one_owner(shop: Shop) -> None:
    names = (f"name-{number}x" for number in range(99))
    for first, second in itertools.product(shop.doors, repeat=2):
        if first != second:
            name = next(names)
            assert first(name), (first, name)
            assert not second(name.upper()), (first, second, name)


@pytest.mark.parametrize("make", LITE)
def test_one_owner_on_sqlite(tmp_path: Path, make: Callable[[Path, str], Shop]) -> None:
    shop = make(tmp_path, "")
    pairs_have_one_owner(shop)
    shop.close()


@pytest.mark.parametrize("make", SERVED)
def test_one_owner_on_postgresql(
    tmp_path: Path, schemas: str, make: Callable[[Path, str], Shop]
) -> None:
    """In the host's own schema: the tables in `public` stay empty."""
    url = schemas.replace("postgresql://", "postgresql+psycopg://")
    shop = make(tmp_path, url)
    pairs_have_one_owner(shop)
    shop.close()
    assert POSTGRESQL.execute("SELECT COUNT(*) FROM public.dibs_names", schemas) == [(0,)]
    assert POSTGRESQL.execute("SELECT COUNT(*) > 19 FROM shop.dibs_names", schemas) == [(True,)]


def test_a_session_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    """By the first claim, in a sentence, with nothing written: the routes could give it again."""
    shop = shop_on(f"sqlite:///{tmp_path}/main.db")
    other = create_engine(f"sqlite:///{tmp_path}/other.db")
    shop.db.metadata.create_all(other)
    for use in (shop.dibs.claim, shop.dibs.release):
        with shop.app.app_context(), Session(other) as elsewhere:
            shop.dibs._session = lambda: elsewhere  # called in this round
            with pytest.raises(ConfigError, match="another database than the routes"):
                use("ada", owner=7)
    with other.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM dibs_names")).scalar() == 0
    other.dispose()
    shop.close()


def test_a_schema_that_only_sqlalchemy_knows_is_refused(tmp_path: Path) -> None:
    shop = shop_on(f"sqlite:///{tmp_path}/main.db")
    with shop.app.app_context():
        moved = {"schema_translate_map": {None: "main"}}
        shop.db.session.connection(execution_options=moved)
        with pytest.raises(ConfigError, match="search path"):
            shop.dibs.claim("ada", owner=7)
    shop.close()


def test_an_address_beside_the_apps_own_database_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/main.db"
    with pytest.raises(ConfigError, match="leave it out"):
        shop_on(url, DIBS_DATABASE_URL=f"sqlite:///{tmp_path}/other.db")
    shop = shop_on(url, DIBS_DATABASE_URL=url)
    assert shop.register("ada")
    assert not shop.claim("ada")
    shop.close()


@pytest.mark.parametrize("api", [False, True])
def test_commands_know_the_apps_engine_rules_and_namespace(api: bool) -> None:
    """Without routes, too: a driver of the app's choice, its reserved words, its namespace."""
    app, db = Flask("shop"), SQLAlchemy()
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", SECRET_KEY="s")
    db.init_app(app)
    dibs = Dibs(metadata=db.metadata, reserved=["acme"], namespace="people")
    dibs.init_app(app, api=api)
    with app.app_context():
        db.create_all()
        dibs.claim("Ada", owner=7)
        db.session.commit()
    for arguments, told in {
        ("names", "show", "ada"): "Ada: owned\nuser: 7\n",
        ("names", "show", "acme"): "This username is reserved",
        ("names", "history", "ADA"): "claimed\tAda",
        ("reserve", "add", "globex"): "globex: reserved",
        ("reserve", "list"): "globex\tstaff",
        ("reserve", "remove", "globex"): "globex: free",
        ("names", "assign", "ada", "--user", "eve"): "no such user" if api else "users of its own",
    }.items():
        info = ScriptInfo(create_app=lambda: app)
        said = CliRunner().invoke(group, arguments, obj=info)
        assert told in said.output, (arguments, said.output)


def test_an_app_without_a_session_has_the_service_alone(tmp_path: Path) -> None:
    """And a claim by a session that comes later is refused."""
    url = f"sqlite:///{tmp_path}/own.db"
    upgrade(url)
    app = Flask("service")
    app.config.update(DIBS_DATABASE_URL=url, DIBS_PASSWORD="off")
    dibs = Dibs()
    dibs.init_app(app, api=True)
    db = SQLAlchemy()
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db.init_app(app)
    assert app.test_client().post("/register", json={"username": "ada"}).status_code == 201
    with app.app_context(), pytest.raises(ConfigError, match="another database than the routes"):
        dibs.claim("bob", owner=7)
    parts_of(app).close()
