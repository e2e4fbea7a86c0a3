"""`dibs prove` against apps as people have them, each on a server of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.backends import POSTGRESQL, SQLITE
from tests.caches import REDIS
from tests.cli.terminal import Terminal
from tests.conftest import missing
from tests.docs.blocks import ROOT
from tests.prove.apps import served
from tests.service import Service
from tests.services import ServiceMissing
from tests.services.tools import free_port

pytestmark = pytest.mark.slow

on_sqlite = pytest.mark.parametrize("backend", [SQLITE], ids=str, indirect=True)
on_postgresql = pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)


@pytest.fixture
def terminal(tmp_path, monkeypatch, capsys) -> Terminal:
    return Terminal(tmp_path, monkeypatch, capsys)


@contextmanager
def running(path: str, **environment: str) -> Iterator[str]:
    """An example by Flask's own server; yields the address of its sign-up."""
    port = free_port()
    command = ["flask", "--app", str(ROOT / "examples" / path), "run", "--port", str(port)]
    with served(command, port, None, **environment):
        yield f"http://127.0.0.1:{port}/register"


def proved(terminal: Terminal, url: str, *words: str) -> dict[str, Any]:
    said = terminal.dibs("prove", url, *words, "--timeout", "60", "--json")
    report: dict[str, Any] = json.loads(said.out)
    assert said.status == {"good": 0, "bad": 1, "open": 2}[report["verdict"]]
    return report


def accounts(report: dict[str, Any]) -> dict[str, int]:
    """How many people have the name of each round, where it is more than one."""
    return {one["kind"]: one["accounts"] for one in report["rounds"] if one["accounts"] > 1}


def number(report: dict[str, Any], kind: str) -> int:
    return sum(one["answers"][kind] for one in report["rounds"])


SPELLINGS = {"spellings": 5, "marks": 2, "again": 5}


@pytest.mark.race
@on_sqlite
def test_the_textbook(terminal, empty_url):
    """A name for each spelling, an error for who looks at the same moment; with dibs neither."""
    with running("textbook/before.py", DATABASE_URL=empty_url) as url:
        report = proved(terminal, url)
        for _ in range(4):
            if not number(report, "fault"):  # a busy machine may have served them in turns
                report = proved(terminal, url)
    assert accounts(report) == SPELLINGS
    assert number(report, "fault") > 0
    assert "500 Internal Server Error" in report["findings"][1]


@pytest.mark.race
@on_sqlite
def test_the_textbook_with_dibs(terminal, empty_url):
    with running("textbook/app.py", DATABASE_URL=empty_url) as url:
        assert_all_is_well(proved(terminal, url))


def assert_all_is_well(report: dict[str, Any]) -> None:
    assert report["verdict"] == "good", report
    assert accounts(report) == {}
    # Beside those who got a name and were told that it is taken only a rule was told of.
    assert number(report, "refused") == 1
    assert number(report, "later") == 0


SLOW = """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END'"""
INSERTS = 'CREATE TRIGGER slow BEFORE INSERT ON "user" FOR EACH ROW EXECUTE FUNCTION slow()'


@pytest.mark.race
@on_postgresql
def test_query_then_insert(terminal, empty_url):
    """Two accounts, and more, of exactly the same name; an INSERT takes as long as it may."""
    with running("three_ways/query_then_insert.py", DATABASE_URL=empty_url) as url:
        for statement in (SLOW, INSERTS):
            POSTGRESQL.execute(statement, empty_url)
        report = proved(terminal, url)
    found = accounts(report)
    assert found["race"] > 1
    assert found["spellings"] > 5


@pytest.mark.race
@on_postgresql
def test_unique_constraint(terminal, empty_url):
    """One that nobody has is "taken", since whatever goes wrong is called that."""
    with running("three_ways/unique_constraint.py", DATABASE_URL=empty_url) as url:
        report = proved(terminal, url)
    assert accounts(report) == SPELLINGS
    assert number(report, "fault") == 0
    (long,) = [one for one in report["rounds"] if one["kind"] == "long"]
    assert long["samples"] == {"lie": "409 用户名已存在"}
    assert any("a name nobody has is taken" in one for one in report["findings"])


@pytest.mark.race
@on_postgresql
def test_redis_first(terminal, empty_url):
    """Two spellings are two people there, too; and a name of 300 letters is an error."""
    try:
        redis = REDIS.empty()
    except ServiceMissing as error:
        missing(error)
        raise
    environment = {"DATABASE_URL": empty_url, "REDIS_URL": redis}
    with running("three_ways/redis_first.py", **environment) as url:
        report = proved(terminal, url)
    assert accounts(report) == SPELLINGS
    assert number(report, "fault") > 0


COURSE = ("--body", '{"username": "{name}", "password": "correct horse"}')


@pytest.mark.race
@on_postgresql
@pytest.mark.parametrize("file", ["before.py", "app.py"])
def test_the_course(terminal, empty_url, file):
    with running(f"smorest_course/{file}", DATABASE_URL=empty_url) as url:
        report = proved(terminal, url, *COURSE)
        # Without what it wants nothing can be said, and it is not asked again.
        plain = terminal.dibs("prove", url)
    assert (plain.status, "refuses a plain sign-up" in plain.err) == (2, True)
    if file == "app.py":
        assert_all_is_well(report)
    else:
        assert accounts(report) == SPELLINGS


@pytest.mark.race
@pytest.mark.parametrize("backend", [SQLITE, POSTGRESQL], ids=str, indirect=True)
def test_dibs(terminal, own_url):
    """With two workers; its limits, if they are on, are told as limits."""
    with Service(own_url, workers=2) as service:
        report = proved(terminal, f"http://127.0.0.1:{service.port}/register")
    assert_all_is_well(report)


@on_sqlite
def test_dibs_with_its_limits(terminal, own_url):
    with Service(own_url, workers=1, rate_limits="on") as service:
        url = f"http://127.0.0.1:{service.port}/register"
        said = terminal.dibs("prove", url, "--json")
    assert said.status == 2, said
    assert "429 " in said.out


@pytest.mark.race
@on_postgresql
def test_the_pages_of_dibs(terminal, own_url):
    """By their form, as a browser does; so few that no hash of a password keeps others waiting."""
    with Service(own_url, workers=2, password="required") as service:
        url = f"http://127.0.0.1:{service.port}/sign-up"
        how = ("--form", "/sign-up", "--body", "username={name}&password=correct+horse+battery")
        report = proved(terminal, url, *how, "--taken", "already exists", "--people", "8")
    assert report["verdict"] == "good", report
