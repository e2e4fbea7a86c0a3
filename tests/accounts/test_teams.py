"""Teams: names like users' names, and owners of whom one always stays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from dibs.errors import (
    NameLookalike,
    NameTaken,
    NotAllowed,
    SessionEnded,
    TeamNotFound,
    UserNotFound,
)
from dibs.store.accounts.sessions import Living
from tests.accounts.people import Clock, Process
from tests.accounts.teams import NOBODY, ROUNDS, outcome, put, remove
from tests.race.harness import at_once
from tests.support.contract import soon


def test_a_team_its_owner_and_its_name(process: Process, clock: Clock) -> None:
    ada = process.newcomer("ada")
    team = process.team("Builders", ada)
    assert (team.name, process.roles(team)) == ("Builders", {ada.user_id: "owner"})
    row = process.parts.registry.holder("builders", deadline=soon())
    assert row is not None
    assert (row.owner_kind, row.owner) == ("team", team.id)
    assert clock.count("dibs_teams") == clock.count("dibs_members") == 1


def test_the_same_request_gets_the_same_team(process: Process, clock: Clock) -> None:
    ada = process.newcomer("ada")
    first, again = (process.team("builders", ada, request=b"the same") for _ in range(2))
    assert (first.id, clock.count("dibs_teams")) == (again.id, 1)
    with pytest.raises(NameTaken):
        process.team("builders", ada, request=b"another one")


def test_a_team_that_fails_leaves_nothing(process: Process, clock: Clock) -> None:
    """Neither its name, nor its row: who makes it was deleted a moment ago, elsewhere."""
    ada = process.newcomer("ada")
    process.profiles.delete(ada.user_id, deadline=soon())
    with pytest.raises(SessionEnded):
        process.team("builders", ada)
    assert process.parts.registry.holder("builders", deadline=soon()) is None
    assert clock.count("dibs_teams") == clock.count("dibs_members") == 0


def test_a_team_and_a_user_never_share_a_name(process: Process) -> None:
    """In either order, and not even nearly."""
    ada = process.newcomer("modern")
    for name, error in (("MODERN", NameTaken), ("modem", NameLookalike)):
        with pytest.raises(error):
            process.team(name, ada)
    process.team("builders", ada)
    with pytest.raises(NameTaken):
        process.register("Builders")


@pytest.mark.race
def test_a_team_and_a_user_want_one_name_at_once(process: Process, other: Process) -> None:
    """One of them gets it, and the other is told."""
    ada = process.newcomer("ada")
    for i in range(ROUNDS):
        name = f"builders{i}"
        jobs: list[Callable[[], object]] = [
            partial(process.team, name, ada),
            partial(other.register, name),
            partial(other.team, name, ada),
            partial(process.register, name),
        ]
        answers = at_once([partial(outcome, job) for job in jobs])
        assert answers.count(NameTaken) == 3, answers


def test_members_come_and_go(process: Process) -> None:
    ada, bob, eve = (process.newcomer(name) for name in ("ada", "bob", "eve"))
    team = process.team("builders", ada)
    put(process, team.id, bob, "member", by=ada)
    assert process.roles(team) == {ada.user_id: "owner", bob.user_id: "member"}
    for forbidden in (
        partial(put, process, team.id, eve, "member", by=bob),
        partial(put, process, team.id, bob, "owner", by=bob),
        partial(remove, process, team.id, ada, by=bob),
        partial(remove, process, team.id, ada, by=eve),
    ):
        assert outcome(forbidden) is NotAllowed
    put(process, team.id, bob, "owner", by=ada)
    put(process, team.id, ada, "member", by=bob)
    assert process.roles(team) == {ada.user_id: "member", bob.user_id: "owner"}
    remove(process, team.id, ada, by=ada)
    assert process.roles(team) == {bob.user_id: "owner"}
    assert outcome(partial(remove, process, team.id, ada, by=bob)) is UserNotFound


def test_what_is_not_there(process: Process) -> None:
    ada = process.newcomer("ada")
    team = process.team("builders", ada)
    nobody = Living("", NOBODY, None)
    assert outcome(partial(put, process, team.id, nobody, "member", by=ada)) is UserNotFound
    assert outcome(partial(remove, process, team.id, nobody, by=ada)) is UserNotFound
    for job in (
        partial(put, process, NOBODY, ada, "member", by=ada),
        partial(remove, process, NOBODY, ada, by=ada),
        partial(process.teams.get, NOBODY, reader=ada, deadline=soon()),
    ):
        assert outcome(job) is TeamNotFound


def test_who_sees_the_members(process: Process) -> None:
    ada, eve = process.newcomer("ada"), process.newcomer("eve")
    team = process.team("builders", ada)
    staff = Living("", NOBODY, "staff")
    seen = {
        reader: process.teams.get(team.id, reader=reader, deadline=soon()).members is not None
        for reader in (ada, eve, staff, None)
    }
    assert seen == {ada: True, eve: False, staff: True, None: False}


def test_teams_are_listed_page_by_page(process: Process) -> None:
    ada = process.newcomer("ada")
    made = sorted(process.team(f"builders{i}", ada).id for i in range(5))
    listed: list[str] = []
    while page := process.teams.rows.page(
        limit=2, after=listed[-1] if listed else None, deadline=soon()
    ):
        listed += [team.id for team in page]
    assert listed == made
    of = process.parts.accounts.teams.rows.of([ada.user_id, NOBODY], deadline=soon())
    assert sorted(team.id for team in of[ada.user_id]) == made
    assert of[NOBODY] == []
