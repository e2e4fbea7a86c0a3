"""Random traffic on every database, recorded and judged: nothing that cannot be."""

from __future__ import annotations

import os

import pytest

from dibs.checker import Allowance, Answer, Recorder, Verdict, drive, judge
from dibs.strategies import STRATEGIES
from tests.checker.clients import WANTED, RegistryClient, client_of, key_of
from tests.checker.runs import ALLOWED, CLIENTS, RUNS

pytestmark = pytest.mark.race

SECONDS = float(os.environ.get("CHECKER_SECONDS", "0.4"))


def assert_right(verdict: Verdict) -> None:
    """Nothing wrong, nothing left open, and there was something to be judged."""
    assert (verdict.violations, verdict.undecided) == ((), ()), str(verdict)
    for kind in ("claim", "release", "look"):
        assert verdict.counts[kind, "done"] > 0, str(verdict)
    assert verdict.counts["claim", "refused"] > 0


@pytest.mark.parametrize("run", RUNS)
def test_sixteen_clients(own_url: str, run: str) -> None:
    """Who asked and was answered, whichever way: some order explains it all."""
    history = RUNS[run](own_url, SECONDS)
    assert len({one.client for one in history if one.kind == "claim"}) == CLIENTS
    assert_right(judge(history, allowance=ALLOWED.get(run, Allowance())))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy(strategy: str) -> None:
    """In memory, where more of it fits into a second."""
    recorder = Recorder()
    drive([client_of(strategy=strategy)], recorder, wanted=WANTED, seed=1, rounds=30, key=key_of)
    verdict = judge(recorder.operations)
    assert_right(verdict)
    # In a few seconds on a busy machine a database does not get to all of these.
    for kind in ("hold", "unhold", "rename"):
        assert verdict.counts[kind, "done"] > 0, str(verdict)
    assert verdict.counts["release", "refused"] > 0


class Broken(RegistryClient):
    """Fails in the midst of it."""

    def claim(self, name: str, **others: str) -> Answer:
        raise ZeroDivisionError


def test_a_client_that_fails_ends_the_run() -> None:
    """With its own error, and without the others waiting for it."""
    sound = client_of()
    broken = Broken(sound.registry, sound.holds, sound.renames)
    with pytest.raises(ZeroDivisionError):
        drive([sound, broken], Recorder(), wanted=WANTED, seed=1, rounds=30)
