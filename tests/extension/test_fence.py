"""In a host's own transaction too, nothing is claimed by rules that are not in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import PendingRollbackError

from dibs.errors import RulesReplaced
from dibs.store import Budget
from dibs.store.host.transactions import HostTransactions
from dibs.store.names import claims
from dibs.store.names.rekey import Rekey
from tests.extension.guarded import Guarded


def add(guarded: Guarded) -> None:
    guarded.add("Eve")


def add_some(guarded: Guarded) -> None:
    guarded.add("Eve", "Eva")


def rename(guarded: Guarded) -> None:
    ada = guarded.db.session.query(guarded.Member).first()
    ada.username = "Eve"
    guarded.db.session.commit()


def respell(guarded: Guarded) -> None:
    ada = guarded.db.session.query(guarded.Member).first()
    ada.username = "ADA"
    guarded.db.session.commit()


def claim(guarded: Guarded) -> None:
    guarded.dibs.claim("Eve", owner="7", kind="bot")
    guarded.db.session.commit()


def pass_on(guarded: Guarded) -> None:
    guarded.dibs.transfer("Ada", to="7", kind="bot")
    guarded.dibs.claim("Eve", owner="7", kind="bot")
    guarded.dibs.rename("Eve", "Eva", owner="7", kind="bot")
    guarded.db.session.commit()


WAYS = pytest.mark.parametrize("way", [add, add_some, rename, respell, claim])


@WAYS
def test_no_way_to_a_name(guarded: Guarded, way: Callable[[Guarded], None]) -> None:
    """Only a rollback is accepted, and nothing is written; once they are back, it is done."""
    guarded.add("Ada")
    guarded.backend.execute("UPDATE dibs_meta SET phase = 'both'", guarded.url)
    try:
        with pytest.raises(RulesReplaced, match="by other rules now"):
            way(guarded)
        with pytest.raises(PendingRollbackError):
            guarded.db.session.connection().exec_driver_sql("SELECT 1")
        guarded.db.session.rollback()
        assert (list(guarded.owners()), list(guarded.members())) == (["Ada"], ["Ada"])
    finally:
        guarded.backend.execute("UPDATE dibs_meta SET phase = NULL", guarded.url)
    way(guarded)
    assert set(guarded.owners()) != {"Ada"}


@pytest.fixture
def rekeyed(guarded: Guarded) -> Iterator[Guarded]:
    """An app that has read which rules are in force, before others are to come."""
    guarded.add("Ada")
    guarded.db.session.remove()
    Rekey(HostTransactions(guarded.db.engine, Budget(20)), lease=0.0).begin(41)
    yield guarded
    guarded.db.session.rollback()
    guarded.backend.execute("UPDATE dibs_meta SET other_rules = NULL, phase = NULL", guarded.url)


@pytest.mark.parametrize("way", [add, add_some, rename, respell, claim, pass_on])
def test_every_way_goes_along(
    rekeyed: Guarded, way: Callable[[Guarded], None], caplog: pytest.LogCaptureFixture
) -> None:
    """In the request that hears of it, beside what the app has written already."""
    rekeyed.db.session.execute(text("UPDATE member SET email = 'ada@example.org'"))
    way(rekeyed)
    assert set(rekeyed.owners()) != {"Ada"}
    assert caplog.text.count("this server goes along") == 1
    read = "SELECT email FROM member WHERE email IS NOT NULL"
    assert rekeyed.backend.execute(read, rekeyed.url)


def test_not_where_something_was_written(rekeyed: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The companion is there when the rules change once more: only a rollback is accepted."""
    rekeyed.add("Eva")

    def changed(*_: object, **__: object) -> None:
        raise RulesReplaced

    monkeypatch.setattr(claims, "_decide", changed)
    with pytest.raises(RulesReplaced):
        add(rekeyed)
    with pytest.raises(PendingRollbackError):
        rekeyed.db.session.connection()
