"""A claim that is one statement and its own transaction: the truth when its reply is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from dibs.signals import NameChange
from dibs.store import Claim, Won
from dibs.store.names.store import NameStore
from tests.backends import POSTGRESQL, open_store
from tests.fault.helpers import (
    BUDGET,
    ask,
    eventually,
    is_unavailable,
    is_unknown,
    sessions,
    stored,
    warm_up,
    within,
)
from tests.histories import announced
from tests.services import FaultProxy, Server
from tests.services.proxy import When
from tests.support.contract import a_claim, look_up, lose, win

pytestmark = [
    pytest.mark.fault,
    pytest.mark.parametrize("served", [POSTGRESQL], ids=str, indirect=True),
]
WHEN = pytest.mark.parametrize("when", ["before", "after"])
STATEMENT = b"WITH won AS"


@pytest.fixture(autouse=True)
def warm(via: NameStore) -> None:
    warm_up(via, 1)


@pytest.fixture
def news() -> Iterator[list[NameChange]]:
    with announced() as news:
        yield news


def a_member(name: str, token: str | None = None) -> Claim:
    """Of somebody whose password has been hashed."""
    return a_claim(name, token=token, user=True, password_hash="$argon2id$...")


def rows(server: Server, url: str) -> tuple[int, ...]:
    """Of names, which have their line of the history, and users; without those of `warm`."""
    tables = ("dibs_names", "dibs_users")
    return tuple(stored(server, url, table) - (table != "dibs_users") for table in tables)


def test_it_is_alone(server: Server, url: str, proxy: FaultProxy, via: NameStore) -> None:
    """No BEGIN and no COMMIT: this is what the tests below are about."""
    proxy.cut_at(b"BEGIN", times=None)
    assert isinstance(ask(via, a_member("ada")), Won)
    proxy.cut_at(b"COMMIT", times=None)
    assert isinstance(ask(via, a_member("grace")), Won)
    assert (proxy.hits, rows(server, url)) == (0, (2, 2))


@WHEN
def test_cut_once_it_is_won(
    server: Server,
    url: str,
    proxy: FaultProxy,
    via: NameStore,
    news: list[NameChange],
    when: When,
) -> None:
    """One name, one user, one line of the history, one signal, and the claim knows."""
    proxy.cut_at(STATEMENT, when)
    wanted = a_member("ada")
    assert win(via, wanted).owner == wanted.owner
    assert proxy.hits == 1
    assert rows(server, url) == (1, 1)
    assert [(one.action, one.became) for one in news] == [("claimed", "ada")]


def test_one_that_never_arrives_is_unknown_and_its_retry_is_won(
    server: Server, url: str, proxy: FaultProxy, via: NameStore, store: NameStore
) -> None:
    proxy.cut_at(STATEMENT, "before", times=None)
    wanted = a_member("ada")
    with within(BUDGET.deadline):
        assert is_unknown(ask(via, wanted))
    assert look_up(store, "ada") is None
    assert win(store, a_member("ada", wanted.token)).claim_token == wanted.token
    assert rows(server, url) == (1, 1)


def test_one_whose_every_reply_is_lost_is_settled_by_reading(
    server: Server, url: str, proxy: FaultProxy, via: NameStore
) -> None:
    proxy.cut_at(STATEMENT, "after", times=None)
    wanted = a_member("ada")
    assert win(via, wanted).owner == wanted.owner
    assert (proxy.hits, rows(server, url)) == (1, (1, 1))


def test_one_that_comes_late_is_no_refusal(
    server: Server, url: str, proxy: FaultProxy, via: NameStore, store: NameStore
) -> None:
    """The network keeps it, the claim is answered, then the server gets it after all."""
    proxy.cut_at(STATEMENT, "swallow")
    wanted = a_member("ada")
    with within(BUDGET.deadline):
        outcome = ask(via, wanted)
    assert isinstance(outcome, Won) or is_unknown(outcome)
    proxy.release(deliver=True)
    assert isinstance(ask(store, wanted), Won)
    assert rows(server, url) == (1, 1)


def test_a_server_that_stands_still_is_unknown_at_worst(
    server: Server, url: str, via: NameStore, store: NameStore
) -> None:
    """From the moment at which the name was seen to be free."""
    warm_up(store, 1)
    wanted = a_member("ada")
    server.freeze()
    with within(BUDGET.deadline):
        outcome = ask(store, wanted)
    assert is_unknown(outcome) or is_unavailable(outcome)
    server.thaw()
    via.close()
    store.engine.dispose()
    assert eventually(lambda: sessions(server, url) == 0)
    found = look_up(store, "ada")
    assert found is None or is_unknown(outcome)
    assert isinstance(ask(store, wanted), Won)
    assert stored(server, url, "dibs_users") == 1


def test_what_the_server_refused_itself_is_not_unknown(server: Server, url: str) -> None:
    """A standby after a failover, for instance: nothing was changed, and one can say so."""
    store = open_store(f"{url}?options=-c default_transaction_read_only=on", budget=BUDGET)
    assert is_unavailable(ask(store, a_member("ada")))
    store.close()


FULL_DISK = """
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$;
    CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON dibs_names DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION fail()
"""


@pytest.mark.parametrize("password_hash", [None, "$argon2id$..."])
def test_a_commit_that_the_server_refused_is_not_unknown(
    server: Server, url: str, via: NameStore, store: NameStore, password_hash: str | None
) -> None:
    """Not even where the statement itself had been answered, as here; and never a success."""
    server.execute(FULL_DISK, url)
    wanted = a_claim("ada", user=True, password_hash=password_hash)
    assert is_unavailable(ask(store, wanted))
    assert look_up(via, "ada") is None
    server.execute("DROP TRIGGER fail ON dibs_names", url)
    assert isinstance(ask(store, wanted), Won)


def test_behind_a_stuck_transaction_nothing_is_unknown(
    stuck: Connection, store: NameStore, server: Server, url: str
) -> None:
    assert is_unavailable(ask(store, a_member("stuck")))
    stuck.commit()
    assert lose(store, a_member("stuck")).key == "stuck"
    assert stored(server, url, "dibs_users") == 0
