"""The driver asks for all that there is to ask for, of one who keeps names right."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from dibs.checker import Answer, Recorder, drive, judge
from dibs.checker.operation import Kind
from tests.checker.histories import op
from tests.checker.test_properties import World

REST_S = 0.005
ALL = {"claim", "release", "look", "hold", "unhold", "rename"}


class App:
    """A world behind a lock, in which holds and quarantines end within the run."""

    hold_s = 0.005

    def __init__(self) -> None:
        self.world, self.lock = World(), threading.Lock()

    def ask(self, kind: Kind, names: str, owner: str = "", hold: str = "") -> Answer:
        seconds = {"hold": self.hold_s, "release": REST_S, "rename": REST_S}.get(kind, 0)
        with self.lock:
            asked = op(kind, names, owner, 0, 1, hold=hold, seconds=seconds)
            did = self.world.do(asked, time.monotonic() * 1000)
        owner_seen = did.owner if kind == "look" else None
        return Answer(did.outcome, did.code, owner_seen, did.hold, did.seconds)

    def claim(self, name: str, *, owner: str, request: str, hold: str) -> Answer:
        return self.ask("claim", name, owner, hold)

    def release(self, name: str, *, owner: str) -> Answer:
        return self.ask("release", name, owner)

    def look(self, name: str) -> Answer:
        return self.ask("look", name)


class WholeApp(App):
    """With the rest of a name's life."""

    def hold(self, name: str, *, owner: str, request: str) -> Answer:
        return self.ask("hold", name, owner)

    def unhold(self, name: str, *, owner: str, hold: str) -> Answer:
        with self.lock:
            token, until = self.world.holds.get(name, ("", 0))
            if token != hold or until <= time.monotonic() * 1000:
                return Answer("refused", "not_found")
            del self.world.holds[name]
        return Answer()

    def rename(self, old: str, new: str, *, owner: str, request: str) -> Answer:
        return self.ask("rename", f"{old} {new}", owner)


class RenamesInTwoSteps(WholeApp):
    """Gives the old name up before it asks for the new one, and has neither when it is refused."""

    def rename(self, old: str, new: str, *, owner: str, request: str) -> Answer:
        answer = self.release(old, owner=owner)
        if answer.outcome == "done":
            answer = self.claim(new, owner=owner, request=request, hold="")
        return Answer(answer.outcome, answer.code, seconds=REST_S if not answer.code else 0)


class LongHolds(WholeApp):
    """Holds outlive the run: of those shorter than the clocks' allowance nothing can be said."""

    hold_s = 60


class ForgetsHolds(LongHolds):
    """Gives a held name to whoever asks."""

    def claim(self, name: str, *, owner: str, request: str, hold: str) -> Answer:
        with self.lock:
            self.world.holds.pop(name, None)
        return super().claim(name, owner=owner, request=request, hold=hold)


class LosesReplies(WholeApp):
    """Every third claim is carried out, and nobody hears of it until it is asked again."""

    def __init__(self) -> None:
        super().__init__()
        self.won: dict[str, Answer] = {}

    def claim(self, name: str, *, owner: str, request: str, hold: str) -> Answer:
        if request in self.won:
            return self.won[request]
        self.won[request] = super().claim(name, owner=owner, request=request, hold=hold)
        return Answer("unknown") if len(self.won) % 3 == 0 else self.won[request]


def run(app: App, seed: int = 1) -> Recorder:
    recorder = Recorder()
    drive([app], recorder, wanted=["ada", "eve", "bob", "zoe"], seed=seed, rounds=20)
    return recorder


def assert_right(recorder: Recorder) -> None:
    verdict = judge(recorder.operations)
    assert (verdict.violations, verdict.undecided) == ((), ()), str(verdict)


def test_what_an_app_can_do_is_asked_of_it() -> None:
    plain, whole, long = run(App()), run(WholeApp()), run(LongHolds())
    assert {one.kind for one in plain.operations} == {"claim", "release", "look"}
    assert {one.kind for one in long.operations if one.outcome == "done"} == ALL
    for recorder in (plain, whole, long):
        assert_right(recorder)


def test_replies_that_are_lost() -> None:
    recorder = run(LosesReplies())
    assert "unknown" in {one.outcome for one in recorder.operations}
    assert_right(recorder)


@pytest.mark.parametrize("broken", [RenamesInTwoSteps, ForgetsHolds])
def test_what_breaks_the_rest_of_a_names_life_is_caught(broken: Callable[[], App]) -> None:
    """Within a few runs."""
    assert any(judge(run(broken(), seed).operations).violations for seed in range(20))
