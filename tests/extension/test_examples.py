"""The example apps, as a reader would run them: on every database, and under a race."""

import ast
import difflib
import importlib.util
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from passlib.hash import pbkdf2_sha256
from sqlalchemy import create_engine, event, text

from dibs.accounts.passwords.formats import parse
from tests.backends import SERVED, SQLITE, Served
from tests.services import FaultProxy, Server

EXAMPLES = Path(__file__).parents[2] / "examples"
CLIENTS = 64

served = pytest.mark.parametrize("backend", SERVED, ids=str, indirect=True)


def example(path: str) -> ModuleType:
    """A module of its own each time: an app, a database and models that nobody else has."""
    spec = importlib.util.spec_from_file_location("example", EXAMPLES / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def textbook_app(url: str, path: str = "textbook/app.py") -> tuple[Flask, Any]:
    module = example(path)
    return module.create_app({"SQLALCHEMY_DATABASE_URI": url}), module.db


@pytest.fixture
def textbook(empty_url: str) -> Iterator[Flask]:
    app, db = textbook_app(empty_url)
    yield app
    with app.app_context():
        db.engine.dispose()


def register(app: Flask, name: Any) -> Any:
    return app.test_client().post("/register", json={"username": name})


def race(app: Flask, names: list[str], **body: str) -> Counter[int]:
    """All of them at once, each from a client of its own; who is told 503 asks again."""
    barrier = threading.Barrier(len(names))

    def one(name: str) -> int:
        client = app.test_client()
        barrier.wait()
        ends = time.monotonic() + 60
        while True:
            status = client.post("/register", json={"username": name, **body}).status_code
            if status != 503 or time.monotonic() > ends:
                return status
            time.sleep(1)

    with ThreadPoolExecutor(len(names)) as pool:
        return Counter(pool.map(one, names))


def users(url: str) -> list[Any]:
    engine = create_engine(url)
    table = '"user"' if "postgresql" in url else "user"
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT username FROM {table}")).scalars().all()
    engine.dispose()
    return list(found)


@pytest.mark.parametrize("folder", ["textbook", "smorest_course"])
def test_dibs_takes_four_lines(folder):
    """Lines added and lines removed, each counted, the docstring and blank lines left out."""
    before, after = (code(EXAMPLES / folder / name) for name in ("before.py", "app.py"))
    changed = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert len(changed) <= 4, "\n".join(changed)


def code(path: Path) -> list[str]:
    source = path.read_text(encoding="utf-8")
    docstring = ast.parse(source).body[0]
    return [line for line in source.splitlines()[docstring.end_lineno :] if line.strip()]


def test_textbook(textbook: Flask):
    assert register(textbook, "Ada").status_code == 201
    refused = register(textbook, "ＡＤＡ")
    assert (refused.status_code, refused.json["code"]) == (409, "taken")
    assert register(textbook, "Ada").status_code == 409
    assert register(textbook, "").status_code == 400
    assert register(textbook, "a b").status_code == 422
    assert register(textbook, "Eve").json["username"] == "Eve"


@pytest.mark.race
def test_textbook_under_a_race(textbook: Flask, empty_url: str):
    """64 at once for one name: one 201, and the truth for everybody else."""
    for name in ("Ada", "Eve", "Bob"):
        assert race(textbook, [name] * CLIENTS) == {201: 1, 409: CLIENTS - 1}
    assert sorted(users(empty_url)) == ["Ada", "Bob", "Eve"]


@pytest.mark.race
def test_textbook_under_a_race_of_spellings(textbook: Flask, empty_url: str):
    names = ["Ada", "ADA", "ada", "ａｄａ"] * (CLIENTS // 4)
    assert race(textbook, names) == {201: 1, 409: CLIENTS - 1}
    assert len(users(empty_url)) == 1


@pytest.mark.race
@pytest.mark.parametrize(("path", "loser"), [("before.py", 500), ("app.py", 409)])
def test_the_race_is_real(empty_url: str, path, loser):
    """All have looked, found nothing and are about to insert: without dibs that is a 500."""
    app, db = textbook_app(empty_url, f"textbook/{path}")
    with app.app_context():
        assert db.session.execute(db.select(db.func.count())).scalar() == 1
        barrier = threading.Barrier(8)
        event.listen(db.session, "before_flush", lambda *_: barrier.wait())
        assert race(app, ["Ada"] * 8) == {201: 1, loser: 7}
        db.session.remove()
        db.engine.dispose()
    assert len(users(empty_url)) == 1


@pytest.fixture
def proxy(backend: Served, empty_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(backend.server.port) as proxy:
        yield proxy


@served
@pytest.mark.fault
def test_database_that_is_away(empty_url: str, proxy: FaultProxy):
    """It is a 503, not a lie about the name."""
    engine = create_engine(through(empty_url, proxy), pool_pre_ping=True)
    app = example("plain/app.py").create_app(engine)
    assert join(app, "Ada").status_code == 201
    proxy.close()
    for name in ("Ada", "Eve"):
        refused = join(app, name)
        assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
    engine.dispose()


def join(app: Flask, name: str) -> Any:
    return app.test_client().post("/members", json={"name": name})


@served
@pytest.mark.fault
def test_textbook_whose_connection_is_cut(empty_url: str, proxy: FaultProxy):
    """Nothing of the request is kept, and the next one is served."""
    app, db = textbook_app(through(empty_url, proxy))
    assert register(app, "Ada").status_code == 201
    proxy.cut_at(b"INTO dibs_names")
    assert register(app, "Eve").status_code == 503
    assert users(empty_url) == ["Ada"]
    assert register(app, "Eve").status_code == 201
    with app.app_context():
        db.engine.dispose()


def through(url: str, proxy: FaultProxy) -> str:
    return Server.url_via(url, proxy.port)


@pytest.fixture
def plain(empty_url: str) -> Iterator[Flask]:
    engine = create_engine(empty_url)
    yield example("plain/app.py").create_app(engine)
    engine.dispose()


def test_plain(plain: Flask):
    client = plain.test_client()
    joined = client.post("/members", json={"name": "Ada"})
    assert joined.status_code == 201
    assert joined.json is not None
    assert client.post("/members", json={"name": "ada"}).status_code == 409
    assert client.get("/names/ADA").json == {"available": False, "reason": "taken"}
    assert client.delete(f"/members/{joined.json['id']}").status_code == 204
    assert client.get("/names/ADA").json == {"available": False, "reason": "quarantined"}
    assert client.post("/members", json={"name": "ada"}).status_code == 409


COURSE = {"username": "Ada", "password": "correct horse battery"}


@pytest.fixture
def course(empty_url: str) -> Iterator[Flask]:
    app, db = textbook_app(empty_url, "smorest_course/app.py")
    yield app
    with app.app_context():
        db.engine.dispose()


def test_course(course: Flask):
    """Teams, users and documents are what they were."""
    client = course.test_client()
    assert client.post("/team", json={"name": "Engines"}).json == {
        "id": 1,
        "name": "Engines",
        "users": [],
    }
    assert client.post("/register", json={**COURSE, "team_id": 1}).status_code == 201
    assert client.get("/user/1").json == {
        "id": 1,
        "username": "Ada",
        "team": {"id": 1, "name": "Engines"},
    }
    assert client.get("/team/1").json["users"] == [{"id": 1, "username": "Ada"}]  # type: ignore[index]
    assert client.post("/register", json=COURSE).json == {
        "code": 409,
        "message": "A user with that username already exists.",
        "status": "Conflict",
    }
    refused = client.post("/register", json={**COURSE, "username": "ADA"})
    assert refused.status_code == 409
    assert refused.json["message"] == "A user with that username already exists."  # type: ignore[index]
    assert client.post("/register", json={"username": "Eve"}).status_code == 422
    assert "/register" in client.get("/openapi.json").json["paths"]  # type: ignore[index]
    assert client.delete("/user/1").status_code == 200
    assert client.post("/register", json=COURSE).status_code == 409


@pytest.mark.race
def test_course_under_a_race(course: Flask, empty_url: str):
    names = ["Ada", "ADA", "ada", "ａｄａ"] * (CLIENTS // 4)
    assert race(course, names, password="secret") == {201: 1, 409: CLIENTS - 1}
    rows = accounts(empty_url)
    assert len(rows) == 1


@pytest.mark.parametrize("backend", [SQLITE], ids=str, indirect=True)
def test_hashes_of_the_course_still_verify(course: Flask, empty_url: str):
    """By passlib, and by dibs if its logins take the users over."""
    course.test_client().post("/register", json=COURSE)
    ((_, stored),) = accounts(empty_url)
    assert stored.startswith("$pbkdf2-sha256$")
    assert pbkdf2_sha256.verify(COURSE["password"], stored)
    hashed = parse(stored)
    assert hashed is not None
    assert hashed.matches(COURSE["password"].encode())
    assert not hashed.matches(b"wrong")


def accounts(url: str) -> list[tuple[str, str]]:
    """Name and hash of every user of the course."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT username, password FROM users"))
        found = [(row.username, row.password) for row in rows]
    engine.dispose()
    return found
