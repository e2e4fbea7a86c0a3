"""`python -m dibs.checker`, as it is typed."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from dibs.checker import Operation
from tests.checker.histories import op
from tests.checker.test_properties import EVERYTHING, history_of


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-P", "-m", "dibs.checker", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


def write(path: Path, *history: Operation) -> None:
    path.write_text("".join(one.line() + "\n" for one in history))


def test_a_history_that_can_be(path: Path) -> None:
    write(path, *history_of(random.Random(1), 50, EVERYTHING))
    answer = run(path)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("50 operations, ")
    assert answer.stdout.endswith("violations: 0\n")


def test_a_history_that_cannot_be(path: Path) -> None:
    write(path, op("claim", "ada", "u1", 0, 1), op("claim", "ada", "u2", 2, 3))
    answer = run(path)
    assert answer.returncode == 1
    assert answer.stdout.splitlines()[:3] == [
        "2 operations, 2 judged, 1 names",
        "  claim done: 2",
        "violations: 1",
    ]


def test_several_files_are_one_history(path: Path) -> None:
    other = path.with_name("other.jsonl")
    write(path, op("claim", "ada", "u1", 0, 1))
    write(other, op("claim", "ada", "u2", 2, 3))
    assert (run(path).returncode, run(other).returncode) == (0, 0)
    assert run(path, other).returncode == 1


def test_what_may_be_forgiven(path: Path) -> None:
    late = op("claim", "ada", "u2", 25, 30, "taken")
    write(path, op("claim", "ada", "u1", 0, 10), op("release", "ada", "u1", 11, 20), late)
    assert run(path).returncode == 1
    assert run("--stale", "0.01", path).returncode == 0


def test_what_is_no_history(path: Path) -> None:
    path.write_text("{}\n")
    answer = run(path)
    assert answer.returncode == 2
    assert "line 1 is no operation" in answer.stderr
    assert run(path.with_name("missing.jsonl")).returncode == 2
    assert run().returncode == 2
