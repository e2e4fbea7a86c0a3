"""An app's names on their way to other rules, and the app kept past the switch."""

from __future__ import annotations

import pytest

from dibs.errors import NameTaken, StoreError
from dibs.store import Budget
from dibs.store.host.transactions import HostTransactions
from dibs.store.names.rekey import Rekey
from tests.extension.guarded import Guarded

STANDARD, STRICT = 40, 41


def test_an_app_of_the_rules_of_before(guarded: Guarded) -> None:
    """It refuses what the new rules call taken; after the switch it claims nothing."""
    guarded.add("mike", "Ada")
    work = Rekey(HostTransactions(guarded.db.engine, Budget(20)), lease=0.0)
    guarded.db.session.remove()
    try:
        work.begin(STRICT)
        with pytest.raises(StoreError):  # it hears of it
            guarded.add("Eve")
        guarded.db.session.rollback()
        sofia, _ = guarded.add("sofia", "Eve")
        for name in ("sofla", "mlke"):
            with pytest.raises(NameTaken):
                guarded.add(name)
            guarded.db.session.rollback()
        sofia.username = "sophia"
        guarded.db.session.commit()
        assert set(guarded.owners()) == {"mike", "Ada", "Eve", "sophia"}
        guarded.db.session.remove()
        work.switch()
        for _ in range(2):
            with pytest.raises(StoreError):
                guarded.add("zed")
            guarded.db.session.rollback()
        guarded.db.session.remove()
        work.finish()
        assert set(guarded.owners()) == {"mike", "Ada", "Eve", "sophia"}
    finally:
        guarded.backend.execute(
            f"UPDATE dibs_meta SET rules_version = {STANDARD}, other_rules = NULL, phase = NULL",
            guarded.url,
        )
