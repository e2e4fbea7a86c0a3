"""The audit counts right and says everything, whatever is in the table; it changes nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from dibs.adopt.audit import Audit, audit
from dibs.adopt.people import Source
from dibs.errors import ConfigError
from dibs.names import Parser
from dibs.store.host.people import TablePeople, reading_engine
from tests.adopt.conftest import make_table
from tests.backends import MARIADB, POSTGRESQL, SQLITE, path_of

KEYED = "id INTEGER PRIMARY KEY, name VARCHAR(12000)"
NAMES: list[str | None] = [
    "Ada",
    "ada",
    "ADA",
    "paypal",
    "paypa1",
    "grace",
    "admin",
    "12345",
    "a b",
]
NAMES += ["\u202e", "", None]
LONG = "x" * 10_000


def look(engine: Engine, *ids: str, page: int = 3) -> Audit:
    people = TablePeople(engine, "people", "name", ids, page=page)
    return audit(Source(people, Parser()))


def test_figures(engine: Engine):
    make_table(engine, KEYED, list(enumerate([*NAMES, LONG], 1)))
    found = look(engine)
    assert (found.people, found.nameless, found.alone, found.grouped) == (12, 1, 4, 5)
    assert [[one.name for one in group.members] for group in found.groups] == [
        ["Ada", "ada", "ADA"],
        ["paypal", "paypa1"],
    ]
    assert (found.groups_of("same_name"), found.groups_of("lookalike"), found.largest) == (1, 1, 3)
    assert (found.broken, dict(found.kept)) == (
        3,
        {"reserved": 1, "numeric_only": 1, "white_space": 1},
    )
    assert [(one.id, one.reasons) for one in found.without_key] == [
        ("10", ("empty",)),
        ("11", ("empty",)),
        ("13", ("too_long",)),
    ]
    assert all(len(one.name) <= 100 for one in found.without_key)
    assert found.noticing == 8
    assert found.uniques == []


KEYS: dict[str, tuple[str, list[Any]]] = {
    "text": ("id VARCHAR(100)", [f"{i:03}" * 20 for i in range(9)]),
    "uuid": ("id CHAR(36)", [str(uuid.UUID(int=i << 96)) for i in range(9)]),
    "big": ("id BIGINT", [2**40 + i for i in range(9)]),
    "negative": ("id INTEGER", list(range(-5, 4))),
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_every_kind(engine: Engine, kind):
    """Nobody is left out or met twice, where pages end among them."""
    column, ids = KEYS[kind]
    rows = [(one, f"person-{at}x") for at, one in enumerate(ids)]
    make_table(engine, f"{column} PRIMARY KEY, name VARCHAR(80)", rows)
    people = Source(TablePeople(engine, "people", "name", page=2), Parser()).people()
    assert sorted(one.id for one in people) == sorted(map(str, ids))


@pytest.mark.parametrize("backend", [POSTGRESQL], indirect=True, ids=str)
def test_keys_of_postgresql(engine: Engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS citext"))
    for column, values in (("uuid", [uuid.UUID(int=i) for i in range(5)]), ("citext", "aBcDe")):
        rows = [(one, f"person-{at}x") for at, one in enumerate(values)]
        make_table(engine, f"id {column} PRIMARY KEY, name VARCHAR(80)", rows)
        people = Source(TablePeople(engine, "people", "name", page=2), Parser()).people()
        assert [one.id for one in people] == [str(one) for one in values]
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE people"))


def test_composite_key(engine: Engine):
    rows = [(a, b, f"p{a}-{b}x") for a in range(4) for b in "uvw"]
    make_table(engine, "a INTEGER, b VARCHAR(9), name VARCHAR(80), PRIMARY KEY (a, b)", rows)
    people = Source(TablePeople(engine, "people", "name", page=2), Parser()).people()
    assert [one.id for one in people] == [f"{a}:{b}" for a in range(4) for b in "uvw"]


def test_ids_that_nobody_can_have(engine: Engine):
    make_table(
        engine, "id VARCHAR(100) PRIMARY KEY, name VARCHAR(9)", [("i" * 100, "ada"), ("j", "Ada")]
    )
    found = look(engine)
    assert [(one.id, one.reasons) for one in found.without_key] == [("i" * 100, ("id_too_long",))]
    assert found.groups == []


def test_table_without_a_key(engine: Engine):
    make_table(
        engine, "mail VARCHAR(9), name VARCHAR(9)", [("a", "ada"), ("b", "Ada"), (None, "x")]
    )
    with pytest.raises(ConfigError, match="no primary key: say by --id .* mail, name"):
        look(engine)
    found = look(engine, "mail", page=1)
    assert (found.people, found.grouped, found.left_out) == (2, 2, 1)


def test_id_that_tells_nobody_apart(engine: Engine):
    make_table(engine, "mail VARCHAR(9), name VARCHAR(9)", [("a", "ada"), ("a", "grace")])
    with pytest.raises(ConfigError, match="more than one row of people has 'a'"):
        look(engine, "mail")


def test_the_same_name_to_the_letter(engine: Engine):
    make_table(engine, KEYED, [(1, "ada"), (2, "ada"), (3, "Ada")])
    found = look(engine)
    assert [one.why for one in found.groups[0].members] == ["identical", "identical", "same_name"]


def test_unique_is_named(engine: Engine):
    made = "id INTEGER PRIMARY KEY, name VARCHAR(80), CONSTRAINT one_name UNIQUE (name)"
    make_table(engine, made, [(1, "ada")])
    assert look(engine).uniques == ["one_name"]


@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
@pytest.mark.parametrize("written", ["varchar(80) unique", "TEXT UNIQUE NOT NULL", "PRIMARY KEY"])
def test_unique_without_a_name(engine: Engine, written):
    """However it is written."""
    make_table(engine, f"id INTEGER, name {written}", [(1, "ada")])
    assert look(engine, "id").uniques == ["UNIQUE (name)"]


def test_rows_that_change_meanwhile(engine: Engine):
    """Who stays is met once, whatever becomes of the others."""
    make_table(engine, KEYED, [(i, f"person-{i}x") for i in range(10)])
    met: list[str] = []
    for page in TablePeople(engine, "people", "name", page=2).pages():
        met += [owner for owner, _, _ in page]
        with engine.begin() as connection:
            connection.execute(text(f"DELETE FROM people WHERE id = {len(met)}"))
            connection.execute(text(f"INSERT INTO people VALUES ({90 - len(met)}, 'late')"))
            connection.execute(text("UPDATE people SET name = 'renamed' WHERE id = 9"))
    assert len(met) == len(set(met))
    assert {"0", "1", "3", "5", "7", "9"} <= set(met)


@pytest.mark.parametrize("backend", [SQLITE, MARIADB], indirect=True, ids=str)
def test_zero_bytes(engine: Engine):
    make_table(engine, KEYED, [(1, "a\0b")])
    assert [one.reasons for one in look(engine).without_key] == [("control",)]


@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
def test_sqlite_holds_anything(engine: Engine):
    """Halves of characters, bytes that are no text, numbers, and primary keys that are NULL."""
    make_table(engine, "id TEXT PRIMARY KEY, name", [(None, "lost"), ("n", 12), ("t", "ada")])
    with engine.begin() as connection:
        for owner, sql in {"s": "CAST(x'eda080' AS TEXT)", "b": "CAST(x'ff' AS TEXT)"}.items():
            connection.execute(text(f"INSERT INTO people VALUES ('{owner}', {sql})"))
        connection.execute(text("INSERT INTO people VALUES (CAST(x'eda0806964' AS TEXT), 'bob')"))
    found = look(engine, page=1)
    assert {one.id: one.reasons for one in found.without_key} == {
        "n": ("not_text",),
        "s": ("control",),
        "b": ("control",),
        "\udced\udca0\udc80id": ("id_not_text",),
    }
    assert (found.alone, found.left_out) == (1, 1)


@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
def test_nothing_is_written(engine: Engine, people_url: str):
    """Not even a journal: a file that can only be read will do."""
    make_table(engine, KEYED, [(1, "ada")])
    file = Path(path_of(people_url))
    before = file.read_bytes()
    file.chmod(0o400)
    try:
        assert look(reading_engine(people_url)).alone == 1
    finally:
        file.chmod(0o600)
    assert file.read_bytes() == before


def test_command(engine: Engine, people_url: str, run: Callable[..., Any]):
    make_table(engine, KEYED, list(enumerate(NAMES, 1)))
    where = "--database", people_url, "--table", "people", "--column", "name"
    said = run("adopt", "audit", *where)
    assert said.exit_code == 1
    assert said.output.startswith("people.name: 11 people have a name, and 4 of them are alone")
    assert "reserved                                    1  admin\n" in said.output
    found = json.loads(run("adopt", "audit", *where, "--json").output)[0]
    assert (found["people"], found["grouped"], len(found["groups"])) == (11, 5, 2)


REFUSED = {
    "no such table": (("--table", "peple", "--column", "name"), "do you mean people?"),
    "no such column": (("--table", "people", "--column", "nam"), "it has id, name"),
    "no such id": (("--table", "people", "--column", "name", "--id", "x"), "no column x"),
    "no column": (("--table", "people"), "--table needs --column"),
    "no table": (("--column", "name"), "--column and --id are for"),
    "two places": (("--csv", "x.csv", "--table", "people", "--column", "name"), "give one of"),
    "no place": ((), "say where the people are"),
    "no app": (("User.name",), "flask dibs adopt"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
def test_what_is_not_there(engine: Engine, people_url: str, run: Callable[..., Any], case):
    make_table(engine, KEYED, [])
    words, sentence = REFUSED[case]
    database = ("--database", people_url) if "--table" in words else ()
    said = run("adopt", "audit", *words, *database)
    assert said.exit_code in (1, 2)
    assert sentence in said.output
    assert said.exception is None or isinstance(said.exception, SystemExit)


def test_a_database_that_is_away(run: Callable[..., Any]):
    where = "--table", "people", "--column", "name"
    for url, sentence in (
        ("postgresql://nobody@127.0.0.1:1/none", "The database cannot answer"),
        ("sqlite:///none.db", "none.db does not exist"),
        ("nonsense", "--database is not a database address"),
    ):
        said = run("adopt", "audit", "--database", url, *where)
        assert (said.exit_code, sentence in said.output) == (1, True), said.output


@pytest.mark.parametrize("backend", [POSTGRESQL], indirect=True, ids=str)
def test_a_schema(engine: Engine, people_url: str):
    """A table that is not in the search path; and a view."""
    with engine.begin() as connection:
        for sql in (
            "CREATE SCHEMA elsewhere",
            "CREATE TABLE elsewhere.people (id INTEGER PRIMARY KEY, name VARCHAR(9) UNIQUE)",
            "INSERT INTO elsewhere.people VALUES (1, 'ada')",
            "CREATE VIEW elsewhere.seen AS SELECT * FROM elsewhere.people",
        ):
            connection.execute(text(sql))
    try:
        people = TablePeople(engine, "elsewhere.people", "name")
        assert ([*people.pages()], len(people.uniques())) == ([[("1", "ada", ())]], 1)
        assert [*TablePeople(engine, "elsewhere.seen", "name", ["id"]).pages()]
    finally:
        with engine.begin() as connection:
            for sql in ("DROP VIEW elsewhere.seen", "DROP TABLE elsewhere.people"):
                connection.execute(text(sql))
            connection.execute(text("DROP SCHEMA elsewhere"))
