"""Who is kept out, told by every database."""

from __future__ import annotations

from tests.accounts.people import Process
from tests.support.contract import soon


def test_since_when_who_is_disabled(process: Process) -> None:
    """Of those that are asked for alone; the first moment stays, and who is let in has none."""
    ada, bob, eve = (process.newcomer(name).user_id for name in ("ada", "bob", "eve"))
    before = process.parts.store.clock(deadline=soon())
    for user in (ada, eve):
        process.profiles.set_disabled(user, disabled=True, deadline=soon())
    found = process.parts.accounts.users.disabled([ada, bob, "no such id"], deadline=soon())
    assert found.keys() == {ada}
    now = process.parts.store.clock(deadline=soon())
    assert before <= found[ada] <= now
    process.profiles.set_disabled(ada, disabled=True, deadline=soon())
    assert process.parts.accounts.users.disabled([ada], deadline=soon()) == found
    process.profiles.set_disabled(ada, disabled=False, deadline=soon())
    assert process.parts.accounts.users.disabled([ada, bob], deadline=soon()) == {}
    assert process.parts.accounts.users.disabled([], deadline=soon()) == {}
