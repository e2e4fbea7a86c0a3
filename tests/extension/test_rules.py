"""An app's own rules hold at every door: its claims, the routes, the pages, the field."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

from dibs import Dibs, InvalidName, NamePolicy
from dibs.errors import ConfigError, Reason
from dibs.state import parts_of
from tests.backends import POSTGRESQL


def no_corp(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    if canonical.startswith("corp-"):
        yield Reason("corp", "Names of the firm's own begin so.")


POLICY = NamePolicy(min_length=4, max_length=12, extra_rules=(no_corp,))
RESERVED = ("globex", "Ümlaut GmbH", "Horne")


def make(tmp_path: Path, **options: Any) -> tuple[Flask, SQLAlchemy, Dibs]:
    db, app = SQLAlchemy(), Flask("strict")
    app.config.update(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/app.db",
        DIBS_PASSWORD="off",
        DIBS_RATE_LIMITS="off",
    )
    db.init_app(app)
    dibs = Dibs(db, metadata=db.metadata, policy=POLICY, reserved=RESERVED, lookalikes="strict")
    dibs.init_app(app, **options)
    with app.app_context():
        db.create_all()
    return app, db, dibs


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[tuple[Flask, SQLAlchemy, Dibs]]:
    app, db, dibs = make(tmp_path, api=True, pages=True, url_prefix="/names")
    yield app, db, dibs
    parts_of(app).close()
    with app.app_context():
        db.engine.dispose()


REFUSED = {
    "corp-ada": "corp",
    "ada": "too_short",
    "a-name-too-long": "too_long",
    "globex": "reserved",
    "G1obex": "reserved",
    "horne": "reserved",
}


@pytest.mark.parametrize(("name", "code"), REFUSED.items())
def test_every_door_refuses_it(
    strict: tuple[Flask, SQLAlchemy, Dibs], name: str, code: str
) -> None:
    app, db, dibs = strict
    with app.app_context():
        assert [r.code for r in dibs.check(name).reasons] == [code]
        with pytest.raises(InvalidName) as refused:
            dibs.claim(name, owner=7)
        assert [reason.code for reason in refused.value.reasons] == [code]
        dibs.claim("anna-b", owner=7)
        with pytest.raises(InvalidName):
            dibs.rename("anna-b", name, owner=7)
        db.session.rollback()
    client = app.test_client()
    status = 409 if code == "reserved" else 422
    for at in ("/names/register", "/names/holds"):
        answer = client.post(at, json={"username": name})
        assert answer.status_code == status, (at, answer.text)
        assert f'"{code}"' in answer.text
    checked = client.get(f"/names/usernames/{name}")
    assert checked.json is not None
    assert not checked.json["available"]
    page = client.get("/names/sign-up")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    sent = client.post("/names/sign-up", data={"username": name, "csrf_token": token})
    assert sent.status_code == status, sent.text


def test_lookalikes_are_the_apps_at_every_door(strict: tuple[Flask, SQLAlchemy, Dibs]) -> None:
    """Only `strict` has these two be one name."""
    app, db, dibs = strict
    with app.app_context():
        dibs.claim("wiill", owner=7)
        db.session.commit()
    answer = app.test_client().post("/names/register", json={"username": "wilil"})
    assert answer.status_code == 409, answer.text


@pytest.mark.parametrize(
    ("key", "value", "given", "other", "allowed"),
    [
        (
            "DIBS_NAME_RULES",
            "min_length=2",
            {"policy": NamePolicy(min_length=4)},
            "numbers=on",
            "Li",
        ),
        ("DIBS_UNRESERVED", "guest", {"unreserved": ["null"]}, "info", "Guest"),
        ("DIBS_LOOKALIKES", "strict", {"lookalikes": "off"}, "off", None),
    ],
)
def test_an_apps_config_says_what_names_may_be(
    key: str, value: str, given: Any, other: str, allowed: str | None
) -> None:
    """At every door that asks the rules; what is said twice, or of two apps, is one thing."""
    app, second = Flask("shop"), Flask("second")
    app.config |= {key: value, "SQLALCHEMY_DATABASE_URI": "sqlite://"}
    db = SQLAlchemy(app)
    dibs = Dibs(metadata=db.metadata)
    projects = dibs.namespace("projects")

    class User(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        username = db.Column(db.String(80))

    dibs.guard(User.username)
    app.config["DIBS_NAMESPACES"] = "projects"
    dibs.init_app(app)
    dibs.init_app(app)
    dibs.init_app(second)
    with app.app_context():
        db.create_all()
        if allowed:
            db.session.add(User(username=allowed))
            assert projects.check(allowed).available
        else:
            dibs.claim("wiill", owner=7)
            assert dibs.check("wilil").reason == "lookalike"
        db.session.commit()
        assert db.session.execute(text("SELECT rules_version FROM dibs_meta")).scalar() == (
            40 if allowed else 41
        )
    with pytest.raises(ConfigError, match=f"{key} in app.config and Dibs.*both say"):
        Dibs(**given).init_app(app)
    second.config[key] = other
    with pytest.raises(ConfigError, match="is on the app 'shop' too"):
        dibs.init_app(second)


def test_what_lists_the_rules_follows_them(strict: tuple[Flask, SQLAlchemy, Dibs]) -> None:
    document = strict[0].test_client().get("/names/openapi.json").json
    assert document is not None
    field = document["components"]["schemas"]["RegisterBody"]["properties"]["username"]
    assert field["description"].startswith("4 to 12 ")


def test_the_field_refuses_it(tmp_path: Path) -> None:
    app, db, _ = make(tmp_path, component=True)
    for name in REFUSED:
        answer = app.test_client().get(f"/usernames/{name}")
        assert answer.json is not None
        assert not answer.json["available"], name
    parts_of(app).close()
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("reserved", ["globex", [1], [None]])
def test_reserved_words_that_are_none(reserved: Any) -> None:
    """One text would reserve its letters."""
    with pytest.raises(ConfigError, match="list of words"):
        Dibs(reserved=reserved)


@pytest.mark.parametrize("name", [None, 12, 1.5, ["ada"], {"name": "ada"}, True])
def test_a_name_that_is_no_text(strict: tuple[Flask, SQLAlchemy, Dibs], name: Any) -> None:
    """As JSON brings them: a rule, and 422 where nobody catches it."""
    app, _, dibs = strict
    with app.app_context():
        uses: list[Callable[[], object]] = [
            lambda: dibs.claim(name, owner=7),
            lambda: dibs.rename(name, "anna-b", owner=7),
            lambda: dibs.rename("anna-b", name, owner=7),
        ]
        if name is not None:
            uses.append(lambda: dibs.release(name, owner=7))
        for use in uses:
            with pytest.raises(InvalidName) as refused:
                use()
            assert [reason.code for reason in refused.value.reasons] == ["not_text"]
        assert [reason.code for reason in dibs.check(name).reasons] == ["not_text"]


@pytest.mark.parametrize("given", [sessionmaker[Session](), Session(), 12, "db"])
def test_what_gives_no_session_is_refused(given: Any) -> None:
    with pytest.raises(ConfigError, match="lambda: db.session"):
        Dibs(given)


def test_an_app_is_no_session() -> None:
    """As other extensions are made; the sentence says how this one is."""
    with pytest.raises(ConfigError, match=r"takes no app: call init_app\(app\)"):
        Dibs(Flask("app"))


def test_a_function_that_gives_something_else(tmp_path: Path) -> None:
    app, dibs = Flask("odd"), Dibs(lambda: "session")
    dibs.init_app(app)
    with app.app_context(), pytest.raises(ConfigError, match="gave a str"):
        dibs.claim("anna-b", owner=7)


@pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)
def test_an_async_session(url: str) -> None:
    """Works where SQLAlchemy runs it; elsewhere a sentence says how."""
    engine = create_async_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    session = AsyncSession(engine)
    app, dibs = Flask("waiting"), Dibs(lambda: session)
    dibs.init_app(app)
    with pytest.raises(ConfigError, match="asyncio"):
        dibs.init_app(Flask("routes"), api=True)

    async def run() -> None:
        with pytest.raises(ConfigError, match="run_sync"):
            dibs.claim("anna-b", owner=7)
        await session.run_sync(lambda _: dibs.claim("anna-b", owner=7))
        await session.commit()
        found = await session.run_sync(lambda _: dibs.check("Anna-B"))
        assert found.reason == "taken"
        await session.close()
        await engine.dispose()

    with app.app_context():
        asyncio.run(run())


def test_an_apps_config_reserves_names_too() -> None:
    """Beside those of its `Dibs`, with the exceptions that it says."""
    app = Flask("shop")
    app.config |= {
        "SQLALCHEMY_DATABASE_URI": "sqlite://",
        "DIBS_NAME_RULES": "reserved=*-bot; free=good-bot",
    }
    db = SQLAlchemy(app)
    dibs = Dibs(metadata=db.metadata, reserved=["tills"])
    dibs.init_app(app)
    with app.app_context():
        db.create_all()
        names = ["tills", "spam-bot", "good-bot", "ada"]
        assert [dibs.check(name).available for name in names] == [False, False, True, True]
    bad = Flask("bad")
    bad.config["DIBS_NAME_RULES"] = "reserved=*-bot; free=admin"
    with pytest.raises(ConfigError, match="DIBS_NAME_RULES .*DIBS_UNRESERVED"):
        Dibs(metadata=SQLAlchemy().metadata).init_app(bad)
