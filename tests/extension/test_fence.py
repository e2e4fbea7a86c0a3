"""In a host's own transaction too, nothing is claimed by rules that are not in force."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy.exc import PendingRollbackError

from dibs.errors import RulesReplaced
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


@pytest.mark.parametrize("way", [add, add_some, rename, respell, claim])
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
