"""Staff on every database: the last one stays whoever acts at once, and what was done is found."""

from __future__ import annotations

from functools import partial

import pytest

from dibs.errors import DibsError, LastStaff, UserNotFound
from tests.accounts.people import Process
from tests.race.harness import at_once
from tests.support.contract import soon

ROUNDS = 5


def test_two_who_take_each_other_away(process: Process) -> None:
    """By role, by disabling or by deletion: one of the two stays, and is told why."""
    staff, users = process.parts.accounts.staff, process.parts.store
    for i in range(ROUNDS):
        pair = [process.register(f"pair{i}-{letter}") for letter in "ab"]
        for one in pair:
            users.set_role(one, "staff", deadline=soon())
        ways = (
            partial(staff.set_role, pair[0], None),
            partial(staff.set_disabled, pair[1], disabled=True)
            if i % 2
            else partial(staff.delete, pair[1]),
        )

        def tried(way: partial[None]) -> DibsError | None:
            try:
                way(deadline=soon())
            except DibsError as error:
                return error
            return None

        ends = at_once([partial(tried, way) for way in ways])
        refused = [one for one in ends if one is not None]
        assert [type(one) for one in refused] == [LastStaff]
        stays = pair[ends.index(refused[0])]
        users.set_role(stays, None, deadline=soon())


def test_events_of_one_and_of_all(process: Process) -> None:
    """The newest first, from any of them on; who is nobody has none, and cannot be acted on."""
    staff = process.parts.accounts.staff
    ada, eve = (process.newcomer(name).user_id for name in ("ada", "eve"))
    staff.set_disabled(ada, disabled=True, deadline=soon())
    assert staff.sign_out(eve, deadline=soon()) == 1
    staff.set_disabled(ada, disabled=False, deadline=soon())
    events = process.parts.accounts.recovery.ways.events
    found = events(limit=3, deadline=soon())
    assert [one.kind for one in found] == ["enabled", "signed_out", "disabled"]
    assert events(after=found[0].id, limit=1, deadline=soon()) == found[1:2]
    of_ada = events(ada, limit=10, deadline=soon())
    assert of_ada == [found[0], found[2]]
    assert events(ada, after=of_ada[0].id, limit=10, deadline=soon()) == of_ada[1:]
    for act in (staff.sign_out, staff.delete, partial(staff.set_role, role=None)):
        with pytest.raises(UserNotFound):
            act("no such id", deadline=soon())


def test_found_by_the_beginning_of_a_name(process: Process) -> None:
    """In any spelling, page by page; also whose letters look like others."""
    staff = process.parts.accounts.staff
    ids = {
        name: process.register(name) for name in ("morning", "Moon", "mole", "noon", "m\u00fcsli")
    }

    def found(beginning: str, after: str | None = None, limit: int = 10) -> list[str]:
        rows = staff.find(beginning, after=after, limit=limit, deadline=soon())
        return [row.username for row in rows]

    assert found("mo") == found("\uff2d\uff2f ") == ["mole", "Moon", "morning"]
    assert found("mo", ids["mole"], 1) == ["Moon"]
    assert found("mor") == ["morning"]
    assert found("M\u00dc") == ["m\u00fcsli"]
    assert found("\0") == found("x") == []
    assert sorted(found("")) == sorted(ids)
