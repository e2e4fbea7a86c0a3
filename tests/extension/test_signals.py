"""Signals to the host: of what was committed, and of nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from dibs.errors import NameTaken
from dibs.signals import SIGNALS, NameChange, name_claimed
from tests.extension.conftest import Host

Told = list[tuple[str, str]]


@pytest.fixture
def told() -> Iterator[Told]:
    """Every change that was announced, as it was."""
    seen: Told = []

    def note(change: NameChange, **_: Any) -> None:
        seen.append((change.action, change.became or change.was or ""))

    signals = set(SIGNALS.values())
    for signal in signals:
        signal.connect(note)
    yield seen
    for signal in signals:
        signal.disconnect(note)


def test_after_the_commit(host: Host, told: Told) -> None:
    """In the order in which it was done."""
    user = host.user()
    host.dibs.claim("Ada", owner=user)
    host.db.session.flush()
    assert told == []
    host.db.session.commit()
    assert told == [("claimed", "Ada")]
    host.dibs.rename("Ada", "Eve", owner=user)
    host.dibs.rename("Eve", "EVE", owner=user)
    host.dibs.release("eve", owner=user)
    host.db.session.commit()
    assert told[1:] == [("renamed", "Eve"), ("respelled", "EVE"), ("released", "EVE")]
    host.db.session.commit()
    assert len(told) == 4


def test_the_change_is_there_when_it_is_told(host: Host) -> None:
    """By another connection, as a receiver would look."""
    seen: list[dict[str, str]] = []

    def look(change: NameChange) -> None:
        seen.append(host.names())

    with name_claimed.connected_to(look):
        host.owned("Ada")
    assert seen == [{"Ada": "owned"}]


def test_a_deletion_is_told(host: Host, told: Told) -> None:
    user = host.owned("Ada")
    host.db.session.delete(user)
    host.db.session.flush()
    assert told == [("claimed", "Ada")]
    host.db.session.commit()
    assert told == [("claimed", "Ada"), ("released", "Ada")]


def test_nothing_of_what_was_undone(host: Host, told: Told) -> None:
    """Nor with the next commit."""
    host.dibs.claim("Ada", owner=host.user())
    host.db.session.rollback()
    host.db.session.commit()
    host.owned("Eve")
    assert told == [("claimed", "Eve")]


def test_nothing_of_a_refusal(host: Host, told: Told) -> None:
    host.owned("Ada")
    with pytest.raises(NameTaken):
        host.dibs.claim("ada", owner=host.user("eve@example.org"))
    host.db.session.commit()
    assert told == [("claimed", "Ada")]


@pytest.mark.parametrize("end", [end for end in ("close", "reset") if hasattr(Session, end)])
def test_nothing_of_a_session_that_was_closed(host: Host, told: Told, end: str) -> None:
    """Which undoes it without a word; the session may be used again."""
    engine = create_engine(host.url)
    session = Session(engine)
    host.dibs._session = lambda: session
    host.dibs.claim("Ada", owner=1)
    getattr(session, end)()
    host.dibs.claim("Eve", owner=2)
    session.commit()
    session.close()
    engine.dispose()
    assert host.names() == {"Eve": "owned"}
    assert told == [("claimed", "Eve")]


# --- SAVEPOINTs ---------------------------------------------------------------------


def test_a_savepoint_that_was_undone(host: Host, told: Told) -> None:
    """And what was done around it is told."""
    user = host.user()
    host.dibs.claim("Ada", owner=user)
    nested = host.db.session.begin_nested()
    host.dibs.claim("Eve", owner=user)
    nested.rollback()
    host.dibs.claim("Grace", owner=user)
    host.db.session.commit()
    assert told == [("claimed", "Ada"), ("claimed", "Grace")]


def test_a_savepoint_that_was_kept(host: Host, told: Told) -> None:
    """Is told with the COMMIT around it, not before."""
    user = host.user()
    with host.db.session.begin_nested():
        host.dibs.claim("Ada", owner=user)
        with host.db.session.begin_nested():
            host.dibs.claim("Eve", owner=user)
    assert told == []
    host.db.session.commit()
    assert told == [("claimed", "Ada"), ("claimed", "Eve")]


@pytest.mark.parametrize("deep", [1, 2, 3])
def test_a_savepoint_that_was_kept_in_what_was_undone(host: Host, told: Told, deep: int) -> None:
    """The transaction around it, or a SAVEPOINT around it."""
    user = host.user()
    host.dibs.claim("Ada", owner=user)
    outer = host.db.session.begin_nested()
    inner = [host.db.session.begin_nested() for _ in range(deep)]
    host.dibs.claim("Eve", owner=user)
    for one in reversed(inner):
        one.commit()
    outer.rollback()
    host.db.session.commit()
    assert told == [("claimed", "Ada")]
    nested = host.db.session.begin_nested()
    host.dibs.claim("Grace", owner=user)
    nested.commit()
    host.db.session.rollback()
    host.db.session.commit()
    assert told == [("claimed", "Ada")]


def test_a_savepoint_that_was_closed(host: Host, told: Told) -> None:
    """As a context manager does whose block fails."""
    user = host.user()
    host.dibs.claim("Ada", owner=user)

    def fail() -> None:
        with host.db.session.begin_nested():
            host.dibs.claim("Eve", owner=user)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    nested = host.db.session.begin_nested()
    host.dibs.claim("Grace", owner=user)
    nested.close()
    host.db.session.commit()
    assert host.names() == {"Ada": "owned"}
    assert told == [("claimed", "Ada")]


# --- sessions, receivers -----------------------------------------------------------


def test_each_session_tells_its_own(host: Host, told: Told) -> None:
    """The end of one says nothing of the other."""
    engine = create_engine(host.url)
    host.owned("warm")
    told.clear()
    other = Session(engine)
    host.dibs.claim("Ada", owner=host.user("ada@example.com"))
    host.db.session.commit()
    mine = host.dibs._session
    host.dibs._session = lambda: other
    host.dibs.claim("Eve", owner=1)
    host.dibs._session = mine
    host.db.session.commit()
    assert told == [("claimed", "Ada")]
    other.rollback()
    host.db.session.commit()
    other.commit()
    assert told == [("claimed", "Ada")]
    other.close()
    engine.dispose()


def test_a_receiver_that_fails_undoes_nothing(
    host: Host, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the others are told."""

    def fail(change: NameChange) -> None:
        raise ZeroDivisionError(change.became)

    with name_claimed.connected_to(fail), caplog.at_level(logging.ERROR, "dibs.signals"):
        user = host.owned("Ada")
        host.dibs.claim("Eve", owner=user)
        host.db.session.commit()
    assert host.names() == {"Ada": "owned", "Eve": "owned"}
    assert told == [("claimed", "Ada"), ("claimed", "Eve")]
    errors = [record.exc_info for record in caplog.records if record.name == "dibs.signals"]
    assert len(errors) == 2
    assert all(error and error[0] is ZeroDivisionError for error in errors)
