"""People who become users of the service."""

from __future__ import annotations

import json
import secrets
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text

from dibs.adopt.accounts import user_id
from dibs.app import create_app
from dibs.state import state_of
from tests.backends import Backend
from tests.cli.terminal import Terminal


@pytest.fixture
def terminal(tmp_path, monkeypatch, capsys, own_url: str) -> Terminal:
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    terminal.set(database_url=own_url)
    return terminal


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("id,username\n1,Ada\n2,grace\n")
    return path


def owners(backend: Backend, url: str) -> dict[str, str]:
    rows = backend.execute("SELECT display, owner FROM dibs_names WHERE state = 'owned'", url)
    plain = [[v.decode() if isinstance(v, bytes) else v for v in row] for row in rows]
    return dict(plain)


def test_ids_become_uuids():
    """The same each time; one that is a UUID stays."""
    own = str(uuid.uuid4())
    assert (user_id(own), user_id(own.replace("-", ""))) == (own, own)
    assert user_id("1") == user_id("1") != user_id("2")
    assert str(uuid.UUID(user_id("1"))) == user_id("1")


def test_verify(terminal: Terminal, file: Path, backend: Backend, own_url: str):
    said = terminal.dibs("adopt", "verify", "--csv", str(file))
    assert (said.status, "2 people, 2 open" in said.out) == (1, True)
    assert terminal.dibs("adopt", "verify", "--csv", str(file), "--mend").status == 0
    assert owners(backend, own_url) == {"Ada": user_id("1"), "grace": user_id("2")}
    # Others are users of the service too.
    file.write_text("id,username\n1,Ada\n")
    assert terminal.dibs("adopt", "verify", "--csv", str(file)).status == 0
    assert terminal.dibs("adopt", "verify").status == 1


PASSWORD = "correct horse caf\u00e9"
DJANGO = "pbkdf2_sha256$1000$uf4N6yuQisxwpROMt2Jgch$57KNFVj5PaPKbCPSRYHfhZ3OMb7JIhATbAHWQSBBqH4="
SALT = "146585145368132386173505678016728509634"
KEYED = "$2b$04$EsurUEaNXnUrHdUqkJF9G.f35.85QOZJweWKy4yfY6Q7ZdZwnPvGC"
ARGON2 = "$argon2id$v=19$m=512,t=2,p=1$wxjj/P8/pzSmdO59D4FQ6g"
ARGON2 += "$b3HW3JbfiCNFrLvDTAorn742MCsJ+WAaTD1fU/ctb3E"
UUID4 = "9f0c7c0e-1f44-4c1b-9d6c-0d5f6b6f4a3e"

PK, TEXT = "PRIMARY KEY", "VARCHAR(255)"
LIBRARIES: dict[str, Any] = {
    "flask-security": (
        ("user", f"id INTEGER {PK}, username {TEXT}, password {TEXT}, active BOOLEAN"),
        [(1, "Ada", KEYED, True), (2, "ada", KEYED, False), (3, "grace", None, True)],
    ),
    "django": (
        ("auth_user", f"id INTEGER {PK}, password {TEXT}, username {TEXT}, is_active BOOLEAN"),
        [(1, DJANGO, "Ada", True), (2, DJANGO, "ada", False), (3, "!Xy7", "grace", True)],
    ),
    "fastapi-users": (
        ("user", f"id CHAR(36) {PK}, username {TEXT}, hashed_password {TEXT}, is_active BOOLEAN"),
        [
            (UUID4, "Ada", ARGON2, True),
            (UUID4[:-1] + "f", "ada", ARGON2, False),
            (UUID4[:-1] + "0", "grace", "", True),
        ],
    ),
}  # fmt: skip


def sign_in(name: str, password: str) -> int:
    """The status of a login at a service with the settings of the environment."""
    app = create_app()
    said = app.test_client().post("/login", json={"username": name, "password": password})
    parts = state_of(app).parts
    assert parts
    parts.close()
    return said.status_code


@pytest.mark.parametrize("library", LIBRARIES)
def test_tables_of_libraries(terminal: Terminal, own_url: str, backend: Backend, library):
    """Who is in a group logs in by exactly their name, and who was kept out stays out."""
    (table, columns), rows = LIBRARIES[library]
    quote = "`" if backend.name == "mariadb" else '"'
    engine = create_engine(own_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {quote}{table}{quote} ({columns})"))
        for row in rows:
            values = {f"v{i}": value for i, value in enumerate(row)}
            marks = ", ".join(f":{name}" for name in values)
            connection.execute(text(f"INSERT INTO {quote}{table}{quote} VALUES ({marks})"), values)
    terminal.set(flask_security_salt=SALT, token_secret=secrets.token_hex(32), rate_limits="off")
    for users, hashes in ((3, 2), (0, 0)):  # again: nothing is new
        said = terminal.dibs("adopt", "import", "--from", library, "--json")
        assert said.status == 0, said.err
        assert json.loads(said.out)["accounts"] == {
            "users": users,
            "hashes": hashes,
            "corrected": 0,
            "unread": {},
        }
    assert owners(backend, own_url) == {
        row[1 + (library == "django")]: user_id(str(row[0])) for row in rows
    }
    assert [sign_in(name, PASSWORD) for name in ("Ada", "ada", "grace", "ADA")] == [
        200,
        401,
        401,
        401,
    ]
    assert sign_in("Ada", PASSWORD + "x") == 401
    assert sign_in("Ada", PASSWORD) == 200  # by the hash that has replaced it


def test_hashes_of_a_file(terminal: Terminal, tmp_path: Path):
    """Those that cannot be checked are kept and told."""
    file = tmp_path / "people.csv"
    rows = [f"1,Ada,{DJANGO},t", "2,eve,shop:salt:67a1e09b,1", f"3,lin,{DJANGO},no", "4,max,,1"]
    file.write_text("id,username,hash,in\n" + "\n".join(rows) + "\n")
    words = "adopt", "import", "--csv", str(file), "--hashes", "hash", "--active", "in"
    terminal.set(token_secret=secrets.token_hex(32), rate_limits="off")
    said = terminal.dibs(*words)
    assert (said.status, "hashes that begin with 's' cannot be checked: 1" in said.out) == (
        1,
        True,
    ), said.out
    assert [sign_in(name, PASSWORD) for name in ("Ada", "eve", "lin", "max")] == [
        200,
        401,
        401,
        401,
    ]
    terminal.set(hash_check="tests.adopt.test_service:any_password")
    assert sign_in("eve", PASSWORD) == 200


def any_password(stored: str, password: str) -> bool:
    return stored == "shop:salt:67a1e09b" and bool(password)


def test_what_goes_with_hashes(terminal: Terminal, file: Path):
    needs_salt = terminal.dibs(
        "adopt",
        "import",
        "--csv",
        str(file),
        "--from",
        "flask-security",
        "--hashes",
        "username",
        "--active",
        "id",
    )
    assert "DIBS_FLASK_SECURITY_SALT" in needs_salt.err
    alone = terminal.dibs("adopt", "import", "--csv", str(file), "--active", "id")
    assert (alone.status, "--active is for --hashes" in alone.err) == (2, True)
    lacking = terminal.dibs("adopt", "import", "--from", "django")
    assert "there is no table auth_user" in lacking.err


def test_again_and_back(terminal: Terminal, tmp_path: Path, backend: Backend, own_url: str):
    """A hash that was wrong is corrected; undo takes users too, but for those who came in."""
    file, right = tmp_path / "people.csv", DJANGO
    terminal.set(token_secret=secrets.token_hex(32), rate_limits="off")
    words = "adopt", "import", "--csv", str(file), "--hashes", "hash"
    wrong = DJANGO.replace("57KN", "75KN")
    for hash_, corrected in ((wrong, 0), (right, 2), (right, 0)):
        file.write_text(f"id,username,hash\n1,Ada,{hash_}\n2,grace,{hash_}\n3,lin,\n")
        told = json.loads(terminal.dibs(*words, "--json").out)["accounts"]
        assert told["corrected"] == corrected
    assert sign_in("Ada", PASSWORD) == 200
    file.write_text(f"id,username,hash\n1,Ada,{wrong}\n2,grace,{right}\n3,lin,\n")
    assert json.loads(terminal.dibs(*words, "--json").out)["accounts"]["corrected"] == 0
    assert terminal.dibs("adopt", "undo", "--yes").out == "2 names were taken back\n"
    assert owners(backend, own_url) == {"Ada": user_id("1")}
    assert len(backend.execute("SELECT id FROM dibs_users", own_url)) == 1
    assert sign_in("Ada", PASSWORD) == 200
