"""An app's names on their way to other rules, and the app kept past the switch."""

from __future__ import annotations

import pytest

from dibs.errors import NameTaken, StoreError
from dibs.store import Budget
from dibs.store.host.transactions import HostTransactions
from dibs.store.names.rekey import Rekey
from tests.extension.guarded import Guarded, make_guarded

STANDARD, STRICT = 40, 41


def test_an_app_of_the_rules_of_before(guarded: Guarded, caplog) -> None:
    """It refuses what the new rules call taken; after the switch it claims nothing.

    No request fails for having been begun before a phase that its server can follow.
    """
    guarded.add("mike", "Ada")
    work = Rekey(HostTransactions(guarded.db.engine, Budget(20)), lease=0.0)
    guarded.db.session.remove()
    try:
        work.begin(STRICT)
        sofia, _ = guarded.add("sofia", "Eve")
        assert caplog.text.count("goes along: rules version 40 (standard) decides, and") == 1
        newer = make_guarded(guarded.backend, guarded.url, DIBS_LOOKALIKES="strict")
        with newer.app.app_context():
            newer.add("lisa")
            newer.db.session.remove()
        for name in ("sofla", "mlke"):
            with pytest.raises(NameTaken):
                guarded.add(name)
            guarded.db.session.rollback()
        sofia.username = "sophia"
        guarded.db.session.commit()
        assert set(guarded.owners()) == {"mike", "Ada", "Eve", "sophia", "lisa"}
        guarded.db.session.remove()
        work.switch()
        for _ in range(2):
            with pytest.raises(StoreError):
                guarded.add("zed")
            guarded.db.session.rollback()
        guarded.db.session.remove()
        with newer.app.app_context():
            newer.add("zoe")
            newer.db.session.remove()
            newer.db.engine.dispose()
        work.finish()
        assert set(guarded.owners()) == {"mike", "Ada", "Eve", "sophia", "lisa", "zoe"}
    finally:
        guarded.backend.execute(
            f"UPDATE dibs_meta SET rules_version = {STANDARD}, other_rules = NULL, phase = NULL",
            guarded.url,
        )
