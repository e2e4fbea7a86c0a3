"""What is noted is read back, from many threads and processes, killed ones too."""

from __future__ import annotations

import multiprocessing
import os
import signal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dibs.checker import BadHistory, Operation, Recorder, judge, load, parse
from tests.checker.histories import op
from tests.race.harness import at_once

RECORDED = op("rename", "ada ｅｖｅ", "u1", 1, 2, "held", request="r", hold="h", seconds=1.5)


def test_an_operation_survives_being_written() -> None:
    assert parse([RECORDED.line() + "\n"]) == [RECORDED]


def test_how_a_question_ends() -> None:
    """What is said of it, and `unknown` if nothing is, or if an exception was."""
    ticks = count(1)
    recorder = Recorder(clock=lambda: next(ticks))
    with recorder.asking("c", "claim", "ada", owner="u1", request="r") as note:
        note.done()
    with recorder.asking("c", "hold", "eve", owner="u2") as note:
        note.done(hold="h", seconds=600)
    with recorder.asking("c", "claim", "ada", owner="u2") as note:
        note.refused("taken")
    with recorder.asking("c", "release", "ada", owner="u1") as note:
        note.unchanged()
    with recorder.asking("c", "look", "ada") as note:
        note.done(owner="u1")
    with recorder.asking("c", "release", "ada", owner="u1", seconds=9):
        pass
    with pytest.raises(ZeroDivisionError), recorder.asking("c", "claim", "eve", owner="u3"):
        1 / 0  # noqa: B018
    found = recorder.operations
    outcomes = ["done", "done", "refused", "unchanged", "done", "unknown", "unknown"]
    assert [one.outcome for one in found] == outcomes
    assert (found[0].request, found[1].hold, found[1].seconds) == ("r", "h", 600)
    assert (found[2].code, found[4].owner, found[5].seconds) == ("taken", "u1", 9)
    assert all(one.began < one.ended for one in found)


def test_many_threads_share_a_recorder(tmp_path: Path) -> None:
    recorder = Recorder()

    def ask() -> None:
        for number in range(100):
            with recorder.asking("c", "claim", f"n{number}", owner="u") as note:
                note.done()

    at_once([ask] * 8)
    recorder.save(tmp_path / "history.jsonl")
    assert load([tmp_path / "history.jsonl"]) == recorder.operations
    assert len(recorder.operations) == 800


def _killed(path: Path) -> None:
    recorder = Recorder(path)
    with recorder.asking("c", "claim", "ada", owner="u1") as note:
        note.done()
    with recorder.asking("c", "release", "ada", owner="u1"):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_leaves_what_it_had_asked(tmp_path: Path) -> None:
    """The answer is unknown; the history goes together with that of another process."""
    theirs, ours = tmp_path / "theirs.jsonl", tmp_path / "ours.jsonl"
    process = multiprocessing.get_context("forkserver").Process(target=_killed, args=(theirs,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    theirs.write_text(theirs.read_text() + '{"client": "cut o')
    recorder = Recorder(ours)
    with recorder.asking("d", "claim", "ada", owner="u2") as note:
        note.done()
    recorder.close()
    history = load([theirs, ours])
    assert [one.outcome for one in history] == ["done", "unknown", "done"]
    assert judge(history).violations == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "clam"},
        {"outcome": "perhaps"},
        {"names": ["ada"]},
        {"names": ["ada", ""]},
        {"ended": 0},
        {"colour": "red"},
    ],
    ids=str,
)
def test_what_is_no_operation_is_refused_with_its_line(changed: dict[str, Any]) -> None:
    line = RECORDED.line()
    for key, value in changed.items():
        line = Operation.line(RECORDED).removesuffix("}") + f', "{key}": {_json(value)}}}'
    with pytest.raises(BadHistory, match="^line 2 is no operation: "):
        parse([RECORDED.line() + "\n", line + "\n"])
    with pytest.raises(BadHistory):
        parse(["[]\n"])


def _json(value: Any) -> str:
    return str(value).replace("'", '"') if not isinstance(value, str) else f'"{value}"'
