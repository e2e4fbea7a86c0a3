"""A database that has stopped answering: told in time, and nothing written later."""

import time
from functools import partial

import pytest

from dibs.store import Budget, Won
from dibs.store.names.attempts import JUST_NOW
from dibs.store.names.store import NameStore
from tests.backends import open_store
from tests.fault.helpers import (
    BUDGET,
    NOISE_S,
    ask,
    ask_all,
    eventually,
    is_unavailable,
    is_unknown,
    sessions,
    stored,
    users_of,
    warm_up,
    within,
)
from tests.fault.traffic import Traffic
from tests.race.harness import at_once
from tests.services import FaultProxy, Server
from tests.support.contract import a_claim, soon

pytestmark = pytest.mark.fault
NAMES = [f"n{i}" for i in range(20)]


def test_a_frozen_server_is_not_waited_for_past_the_deadline(server: Server, url: str) -> None:
    """With the default of 5 s: twenty refusals, no row after the thaw, the next claim is won."""
    store = open_store(url)
    warm_up(store)
    time.sleep(2 * JUST_NOW)
    server.freeze()
    with within(Budget().deadline):
        assert all(is_unavailable(outcome) for outcome in ask_all(store, NAMES, Budget()))
    server.thaw()
    assert isinstance(ask(store, a_claim("first"), Budget()), Won)
    store.close()
    assert eventually(lambda: sessions(server, url) == 0)
    assert stored(server, url) == 8 + 1


def test_others_do_not_queue_up_behind_a_frozen_server(server: Server, store: NameStore) -> None:
    """Once the silence is known, one at a time asks; the rest are told at once."""
    warm_up(store)
    server.freeze()
    assert is_unavailable(ask(store, a_claim("first")))

    def seconds(name: str) -> float:
        start = time.monotonic()
        assert is_unavailable(ask(store, a_claim(name)))
        return time.monotonic() - start

    quickest = sorted(at_once([partial(seconds, name) for name in NAMES]))
    assert quickest[-1] < BUDGET.deadline + NOISE_S
    assert quickest[len(NAMES) // 2] < 1
    server.thaw()
    assert isinstance(ask(store, a_claim("afterwards")), Won)


def test_no_answer_was_a_lie_when_the_server_freezes(
    server: Server, store: NameStore, url: str
) -> None:
    """Won is there, refused is not, whatever the claim was doing when the server froze."""
    with Traffic(store) as traffic:
        traffic.wait_for_wins(40)
        server.freeze()
    server.thaw()
    store.engine.dispose()
    assert eventually(lambda: sessions(server, url) == 0)
    traffic.assert_told_the_truth()


def test_an_insert_that_comes_late_writes_nothing(
    server: Server, url: str, proxy: FaultProxy, via: NameStore
) -> None:
    """The network keeps the INSERT, the claim is answered, then the server gets it after all."""
    warm_up(via, 1)
    proxy.cut_at(b"INSERT INTO dibs_names", "swallow", times=None)
    with within(BUDGET.deadline):
        assert is_unavailable(ask(via, a_claim("late")))
    proxy.disarm()
    proxy.release(deliver=True)
    via.close()
    assert eventually(lambda: sessions(server, url) == 0)
    assert stored(server, url) == 1


def test_a_silent_commit_is_won_or_unknown(
    server: Server, url: str, proxy: FaultProxy, via: NameStore, store: NameStore
) -> None:
    """The network keeps COMMIT: never refused, never lost, and its retry is won."""
    warm_up(via, 1)
    proxy.cut_at(b"COMMIT", "swallow")
    wanted = a_claim("ada", user=True)
    with within(BUDGET.deadline):
        outcome = ask(via, wanted)
    assert isinstance(outcome, Won) or is_unknown(outcome)
    proxy.release(deliver=True)
    assert isinstance(ask(store, wanted), Won)
    assert stored(server, url) == 1 + 1
    assert users_of(store) == 1


def test_a_frozen_server_does_not_stop_a_shutdown(server: Server, store: NameStore) -> None:
    """Giving back connections asks nothing of the server."""
    warm_up(store)
    server.freeze()
    with within(0.5):
        store.close()
    server.thaw()
    assert len(store.find(NAMES, deadline=soon())) == 0
