"""`dibs compare`, with so few questions that its figures mean nothing; its counts do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from dibs.cache.filter import follower
from dibs.compare import measure
from dibs.store.measuring import count
from dibs.strategies import STRATEGIES, UniqueConstraint
from tests.backends import BACKENDS, SQLITE, Backend
from tests.cli.terminal import SCRIPT, Terminal
from tests.conftest import missing
from tests.services import RedisServer, ServiceMissing

pytestmark = pytest.mark.slow

compare = import_module("dibs.cli.compare")
"""The module: the package has the command under this name."""

TINY = ("--seconds", "0.05", "--names", "30", "--clients", "2")
CACHED = ("cache_aside", "membership_filter")


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    try:
        server = RedisServer().start()
    except ServiceMissing as error:
        missing(error)
        raise
    yield server
    server.close()


@pytest.fixture
def quick(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """One round instead of five."""
    monkeypatch.setattr(measure, "ROUNDS", 1)
    return terminal


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes the filter no later than it may be: counts are exact."""
    monkeypatch.setattr(follower, "FRESH_SECONDS", 60.0)


def compared(terminal: Terminal, *words: str) -> dict[str, Any]:
    """The figures of a tiny comparison."""
    said = terminal.dibs("compare", *TINY, "--json", "figures.json", *words)
    assert said.status == 0, said
    found: dict[str, Any] = json.loads((terminal.folder / "figures.json").read_text())
    return found


def counted(figures: dict[str, Any], strategy: str) -> dict[str, tuple[float, float]]:
    """Statements and requests to Redis for an answer, by case."""
    cases = figures["decision"][strategy].items()
    return {case: (one["sql"], one["redis"]) for case, one in cases}


def test_without_any_setting(quick):
    """On a database of its own, which is gone; in DIBS_HOME nothing was made."""
    figures = compared(quick)
    assert figures["false_answers"] == 0
    assert figures["about"]["database"].startswith("SQLite 3.")
    assert figures["decision"].keys() == STRATEGIES.keys()
    assert [path.name for path in quick.folder.iterdir()] == ["figures.json"]


@pytest.mark.parametrize("backend", BACKENDS, ids=str, indirect=True)
@pytest.mark.usefixtures("patient")
def test_counts_are_those_of_the_design(quick, backend: Backend, own_url, redis):
    """BEGIN, COMMIT and the user's row apart; a Redis that is asked in vain is counted."""
    quick.set(database_url=own_url, redis_url=redis.url)
    figures = compared(quick)
    fresh = 2 if backend.name == "mariadb" else 1
    alike = {"check": (1, 0), "check_free": (1, 0), "check_taken": (1, 0)}
    classic = {"fresh": (fresh + 1, 0), "taken": (1, 0)} | alike
    assert counted(figures, "query_then_insert") == classic
    plain = {"fresh": (fresh, 0), "taken": (2, 0)} | alike
    assert counted(figures, "unique_constraint") == plain
    for strategy in CACHED:
        found = counted(figures, strategy)
        asked = 2 if strategy == "cache_aside" else 1  # a filter knows that nobody ever had it
        assert (found["fresh"], found["taken"]) == ((fresh, asked), (0, 1))
        assert found["check_taken"][0] == 0
    # But for the few that a process has heard of within the last second.
    assert counted(figures, "cache_aside")["check_free"] == pytest.approx((1, 1), abs=0.1)
    assert counted(figures, "membership_filter")["check_free"][0] == 0
    assert figures["false_answers"] == 0


def test_nothing_is_left_behind(quick, redis):
    """And what was there is as it was: a name, a user, an entry."""
    quick.set(database_url=f"sqlite:///{quick.folder}/own.db", redis_url=redis.url)
    quick.dibs("db", "upgrade")
    quick.dibs("register", "ada")
    redis.command("SET", "somebody's", "1")
    before = everything(quick)
    compared(quick)
    assert everything(quick) == before
    left = [key for key in redis.command("KEYS", "*") if b"probe" not in key]
    assert [key for key in left if b"compare-" in key] == []
    assert b"somebody's" in left
    assert not (quick.folder / "instance").exists()


def everything(terminal: Terminal) -> list[list[tuple[Any, ...]]]:
    """All rows of both tables."""
    url = f"sqlite:///{terminal.folder}/own.db"
    return [SQLITE.execute(f"SELECT * FROM {table}", url) for table in ("dibs_names", "dibs_users")]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop(terminal, stop, redis):
    """Amid the measuring: soon, and nothing is left behind."""
    url = f"sqlite:///{terminal.folder}/own.db"
    terminal.set(database_url=url, redis_url=redis.url)
    terminal.dibs("db", "upgrade")
    words = [str(SCRIPT), "compare", "--seconds", "60", "--names", "50", "--clients", "2"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        wait_for_rows(url, 60, process)
        process.send_signal(stop)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, b"")
    assert b"Aborted!" in err
    assert SQLITE.execute("SELECT * FROM dibs_names", url) == []
    assert SQLITE.execute("SELECT * FROM dibs_users", url) == []
    assert [key for key in redis.command("KEYS", "*") if b"compare-" in key] == []


def wait_for_rows(url: str, number: int, process: subprocess.Popen[bytes]) -> None:
    """As long as the test may take, while the process goes on."""
    while len(SQLITE.execute("SELECT 1 FROM dibs_names", url)) < number:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_a_false_answer_is_seen(quick, monkeypatch):
    """A strategy that calls every name free fails the comparison."""

    class Liar(UniqueConstraint):
        def check(self, keys, *, namespace, deadline):
            return {}

    monkeypatch.setitem(STRATEGIES, "query_then_insert", Liar)
    said = quick.dibs("compare", *TINY, "--strategies", "query_then_insert")
    assert (said.status, "answers were false" in said.err) == (1, True)


def test_a_name_that_is_given_twice_is_seen(quick, monkeypatch):
    """By asking for it once more."""
    monkeypatch.setattr(measure, "given_twice", lambda parts, names: 1)
    assert quick.dibs("compare", *TINY, "--strategies", "unique_constraint").status == 1


def test_over_http(quick):
    """The service itself, on the same database."""
    figures = compared(quick, "--http", "--strategies", "unique_constraint")
    http = figures["http"]["unique_constraint"]
    assert all(one["answers"] > 0 and one["failed"] == 0 for one in http.values())
    assert figures["false_answers"] == 0


def test_files(quick):
    """Tables, figures and both pictures."""
    compared(quick, "--markdown", "all.md", "--chart", "one.svg", "--chart", "two.png")
    assert "| `cache_aside` |" in (quick.folder / "all.md").read_text()
    assert b"<svg" in (quick.folder / "one.svg").read_bytes()
    assert (quick.folder / "two.png").read_bytes().startswith(b"\x89PNG")


def test_without_rbloom(quick, monkeypatch):
    """Its strategy is left out aloud, unless it was asked for."""
    find = compare.find_spec
    monkeypatch.setattr(compare, "find_spec", lambda name: None if name == "rbloom" else find(name))
    said = quick.dibs("compare", *TINY, "--json", "figures.json")
    assert (said.status, "membership_filter is left out" in said.err) == (0, True)
    figures = json.loads((quick.folder / "figures.json").read_text())
    assert figures["decision"].keys() == STRATEGIES.keys() - {"membership_filter"}
    said = quick.dibs("compare", *TINY, "--strategies", "membership_filter")
    assert (said.status, "pip install 'dibs[filter]'" in said.err) == (1, True)


@pytest.mark.parametrize("option", ["--json", "--markdown", "--chart"])
def test_a_file_that_cannot_be_written(quick, monkeypatch, option):
    """Said before anything is measured."""
    monkeypatch.setattr(measure, "measure", None)
    said = quick.dibs("compare", *TINY, option, "nowhere/file.svg")
    assert (said.status, "cannot be written" in said.err) == (1, True)


def test_what_was_in_a_file_stays_until_there_is_better(quick, monkeypatch):
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "measure", fail)
    (quick.folder / "old.json").write_text("old")
    quick.dibs("compare", *TINY, "--json", "old.json", "--markdown", "new.md")
    assert (quick.folder / "old.json").read_text() == "old"
    assert not (quick.folder / "new.md").exists()


def test_without_matplotlib(quick, monkeypatch):
    """Said before anything is measured."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = quick.dibs("compare", *TINY, "--chart", "one.svg")
    assert (said.status, "pip install 'dibs[compare]'" in said.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--strategies", "nonsense"], 2, "nonsense is no strategy"),
        (["--chart", "picture.gif"], 2, ".svg or .png"),
        (["--seconds", "0"], 2, "--seconds"),
    ],
)
def test_what_cannot_be_measured(quick, words, status, says):
    said = quick.dibs("compare", *words)
    assert (said.status, says in said.err) == (status, True)


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("redis_url", "redis://127.0.0.1:1", "cannot be reached"),
        ("database_url", "postgresql://127.0.0.1:1/dibs", "The database cannot answer"),
        ("database_url", "sqlite:///without-tables.db", "dibs db upgrade"),
    ],
)
def test_servers_that_cannot_be_used(quick, setting, value, says):
    """One sentence."""
    quick.set(**{setting: value})
    said = quick.dibs("compare", *TINY)
    assert (said.status, says in said.err) == (1, True)


def test_the_count_of_another_namespace_is_its_own(quick, own_url):
    assert count(own_url, "compare-nothing") == 0
