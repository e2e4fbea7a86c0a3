"""PostgreSQL is waited for on the event loop itself, and nothing that happens to it blocks that."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from dibs.errors import StoreUnavailable
from dibs.serving.turns import LoopTurns
from dibs.store import Lost, NameStore, Won
from tests.backends import POSTGRESQL
from tests.fault.helpers import BUDGET, ask, is_unavailable, is_unknown, warm_up
from tests.services import FaultProxy, Server
from tests.support.contract import a_claim
from tests.support.turns import STALL_S, TurnsPool

pytestmark = [
    pytest.mark.fault,
    pytest.mark.parametrize("served", [POSTGRESQL], ids=str, indirect=True),
]
STATEMENT = b"AS bound"


@pytest.fixture
def pool() -> Iterator[TurnsPool]:
    with TurnsPool() as pool:
        yield pool


@pytest.fixture
def one_thread(via: NameStore, pool: TurnsPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind others, whose answers have just come, and with no thread but that of the loop."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a thread was asked for")

    warm_up(via)
    monkeypatch.setattr("dibs.store.names.attempts.JUST_NOW", 1e9)
    monkeypatch.setattr(LoopTurns, "elsewhere", refuse)
    monkeypatch.setattr(pool._turns._lanes, "submit", refuse)


@pytest.mark.usefixtures("one_thread")
def test_no_thread_is_needed(via: NameStore, pool: TurnsPool) -> None:
    """For names that are new, somebody's, or looked up."""
    claims = [a_claim(f"n{i}", user=True) for i in range(5)]
    told = pool.at_once([partial(ask, via, one) for one in claims])
    assert [type(one) for one in told] == [Won] * 5
    told = pool.at_once([partial(ask, via, a_claim(f"n{i}")) for i in range(5)])
    assert [type(one) for one in told] == [Lost] * 5
    find = partial(via.find, ["n1", "n9"], deadline=BUDGET.start())
    (found,) = pool.at_once([find])
    assert list(found) == ["n1"]


def test_a_frozen_server(server: Server, via: NameStore, pool: TurnsPool) -> None:
    """Nobody is told that they have a name, and the loop serves others all the while."""
    warm_up(via)
    server.freeze()
    with pool.goes_on():
        told = pool.at_once([partial(ask, via, a_claim(f"f{i}", user=True)) for i in range(5)])
    assert all(is_unavailable(one) or is_unknown(one) for one in told)
    server.thaw()
    assert isinstance(ask(via, a_claim("thawed")), Won)


def test_no_connection_is_idle(via: NameStore, pool: TurnsPool) -> None:
    """Whoever waits for one does it in a thread."""
    warm_up(via)
    with ExitStack() as stack:
        for _ in range(via.engine.pool.size()):  # type: ignore[attr-defined]
            stack.callback(via.engine.raw_connection().close)
        with pool.goes_on():
            waiting = pool.submit(ask, via, a_claim("patient"))
            time.sleep(2 * STALL_S)
            assert not waiting.done()
            stack.close()
            assert isinstance(waiting.result(60), Won)


def test_no_connection_is_good(
    server: Server, proxy: FaultProxy, via: NameStore, pool: TurnsPool
) -> None:
    """New ones are made in a thread, however long that takes."""
    warm_up(via)
    proxy.cut_all()
    via.transactions.generation += 1
    with pool.goes_on():
        told = pool.at_once([partial(ask, via, a_claim(f"g{i}", user=True)) for i in range(5)])
    assert [type(one) for one in told] == [Won] * 5


def test_nobody_is_there_to_find_out(
    proxy: FaultProxy, via: NameStore, pool: TurnsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose COMMIT went unanswered is not told that nothing was done."""

    def late(*_: object, **__: object) -> None:
        raise StoreUnavailable

    warm_up(via)
    monkeypatch.setattr("dibs.store.names.attempts.JUST_NOW", 1e9)
    monkeypatch.setattr(LoopTurns, "elsewhere", late)
    proxy.cut_at(STATEMENT, "after")
    told = pool.at_once([partial(ask, via, a_claim(f"u{i}", user=True)) for i in range(3)])
    assert [is_unknown(one) for one in told] == [True] * 3, told
    assert isinstance(ask(via, a_claim("u0")), Lost)
