"""The checker catches each of five bugs on a real database, and lets the right one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dibs.checker import Recorder, Verdict, drive, judge
from tests.backends import Backend
from tests.checker.planted import PLANTED, WANTED, Textbook, workers

pytestmark = pytest.mark.race

ROUNDS, BOUND = 4, 25

Run = Callable[[int], Verdict]


@pytest.fixture
def run(request: pytest.FixtureRequest, backend: Backend, empty_url: str) -> Iterator[Run]:
    """Sixteen threads at two workers, on a table that is emptied before each run."""
    kind: type[Textbook] = request.param
    kind.make(backend, empty_url)
    processes = workers(kind, empty_url)

    def once(seed: int) -> Verdict:
        backend.execute("DELETE FROM planted", empty_url)
        recorder = Recorder()
        drive(processes, recorder, wanted=WANTED, seed=seed, rounds=ROUNDS)
        return judge(recorder.operations)

    yield once
    for process in processes:
        process.engine.dispose()


@pytest.mark.parametrize("run", [Textbook], indirect=True, ids=lambda kind: kind.__name__)
def test_the_right_one_passes(run: Run) -> None:
    """The very same traffic, and as much of it as finds the bugs."""
    for seed in range(3):
        verdict = run(seed)
        assert (verdict.violations, verdict.undecided) == ((), ()), str(verdict)
        assert verdict.counts["claim", "done"] > 0


@pytest.mark.parametrize("run", PLANTED, indirect=True, ids=lambda kind: kind.__name__)
def test_a_planted_bug_is_caught(run: Run, request: pytest.FixtureRequest) -> None:
    """By the rule it breaks, within a bounded number of runs; in nearly all by the first."""
    kind = request.node.callspec.params["run"]
    for seed in range(BOUND):
        rules = {violation.rule for violation in run(seed).violations}
        if kind.rule in rules:
            request.node.user_properties.append(("runs", seed + 1))
            return
    pytest.fail(f"{kind.__name__} was not caught in {BOUND} runs")
