"""What test_rekey.py is there to catch, it catches: each guard that is taken away is missed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from dibs.store import Claim, Won
from dibs.store.database.dialects.base import Dialect
from dibs.store.database.dialects.mysql import MySQL
from dibs.store.database.runs import Run
from dibs.store.names import claims, companions
from dibs.store.names.companions import Taken
from dibs.store.names.rekey import Rekey
from tests.backends import MARIADB, POSTGRESQL, Backend
from tests.race.harness import PATIENCE_S
from tests.race.test_rekey import STRICT, Server, at_once_heard, new, old, work
from tests.support.contract import a_claim, soon

__all__ = ["at_once_heard", "new", "old", "work"]

pytestmark = pytest.mark.race


@contextmanager
def half_a_claim(at: Server, name: str) -> Iterator[threading.Event]:
    """A claim whose transaction goes on until it may end, and then commits."""
    claim = a_claim(at.username(name), owner=name)
    claimed, may_end = threading.Event(), threading.Event()

    def slowly(run: Run) -> Any:
        outcomes = claims.decide(run, [claim])
        claimed.set()
        assert may_end.wait(PATIENCE_S)
        return outcomes

    with ThreadPoolExecutor(1) as pool:
        write = at.store.transactions.write
        sent: Future[Any] = pool.submit(write, slowly, changed=bool, deadline=soon())
        assert claimed.wait(PATIENCE_S)
        try:
            yield may_end
        finally:
            may_end.set()
        (outcome,) = sent.result()
        assert isinstance(outcome, Won)


def test_a_claim_that_began_before_is_waited_for(old: Server, new: Server, work: Rekey) -> None:
    """It knows no second key; the names that are looked through have it among them."""
    old.wins("ada")
    with ThreadPoolExecutor(1) as pool, half_a_claim(old, "sofia") as may_end:
        begun = pool.submit(work.begin, STRICT)
        threading.Timer(0.3, may_end.set).start()
        assert begun.result().apart == 1
    new.store.verify(deadline=soon())
    assert new.loses("sofla")


@pytest.mark.parametrize("backend", [POSTGRESQL, MARIADB], ids=str, indirect=True)
def test_no_wait_between_phases(
    backend: Backend, old: Server, new: Server, work: Rekey, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.wins("ada")
    monkeypatch.setattr(MySQL, "rules", Dialect.rules)
    monkeypatch.setattr(Rekey, "_wait", lambda _: None)
    with half_a_claim(old, "sofia"):
        assert work.begin(STRICT).apart == 0
    new.store.verify(deadline=soon())
    assert not new.loses("sofla")


def test_a_claim_that_does_not_read_the_phase(
    old: Server, new: Server, work: Rekey, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.wins("mike")
    work.begin(STRICT)
    work.switch()
    work.finish()
    monkeypatch.setattr(old.store.transactions.dialect, "rules", "40")
    outcome = old.store.claim(a_claim(old.username("mike"), owner="eve"), deadline=soon())
    assert isinstance(outcome, Won)
    assert (old.owner("mike"), new.owner("mike")) == ("eve", "mike")


def test_a_companion_that_is_left_out(
    old: Server, new: Server, work: Rekey, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.begin(STRICT)
    new.store.verify(deadline=soon())

    def none(run: Run, wanted: list[Claim], *, patient: bool = True) -> Taken:
        del run, wanted, patient
        return Taken({}, {})

    monkeypatch.setattr(companions, "take", none)
    old.wins("sofia")
    assert not new.loses("sofla")
