"""A team has an owner at any moment, whoever leaves and whatever else happens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from dibs.accounts.teams import TeamAccounts
from dibs.context import Deadline
from dibs.errors import LastOwner, NotAllowed, SessionEnded, UserNotFound
from dibs.store.accounts.sessions import Living
from tests.accounts.people import Clock, Process
from tests.accounts.teams import NOBODY, ROUNDS, delete, outcome, put, remove
from tests.race.harness import at_once
from tests.support.contract import soon


def test_the_last_owner_stays(process: Process) -> None:
    """Neither leaves, nor becomes a member, nor is deleted; with another one she may."""
    ada, bob = process.newcomer("ada"), process.newcomer("bob")
    team = process.team("builders", ada)
    put(process, team.id, bob, "member", by=ada)
    jobs: list[Callable[[], object]] = [
        partial(put, process, team.id, ada, "member", by=ada),
        partial(remove, process, team.id, ada, by=ada),
        partial(process.profiles.delete, ada.user_id, deadline=soon()),
    ]
    assert [outcome(job) for job in jobs] == [LastOwner] * 3
    assert process.who(process.login("ada")).user_id == ada.user_id
    put(process, team.id, bob, "owner", by=ada)
    assert process.profiles.delete(ada.user_id, deadline=soon())
    assert process.roles(team) == {bob.user_id: "owner"}


def test_who_is_disabled_is_no_owner_to_stay(process: Process) -> None:
    """Nobody could do anything for the team: the one who can log in is the last one."""
    ada, bob = process.newcomer("ada"), process.newcomer("bob")
    team = process.team("builders", ada)
    put(process, team.id, bob, "owner", by=ada)
    process.profiles.set_disabled(bob.user_id, disabled=True, deadline=soon())
    jobs: list[Callable[[], object]] = [
        partial(put, process, team.id, ada, "member", by=ada),
        partial(remove, process, team.id, ada, by=ada),
        partial(process.profiles.delete, ada.user_id, deadline=soon()),
    ]
    assert [outcome(job) for job in jobs] == [LastOwner] * 3
    remove(process, team.id, bob, by=ada)  # who is disabled may go
    assert process.roles(team) == {ada.user_id: "owner"}


def test_a_team_whose_only_owner_is_disabled_keeps_her(process: Process) -> None:
    """Until staff make somebody else the owner."""
    ada, bob, staff = process.newcomer("ada"), process.newcomer("bob"), Living("", NOBODY, "staff")
    team = process.team("builders", ada)
    process.profiles.set_disabled(ada.user_id, disabled=True, deadline=soon())
    assert outcome(partial(remove, process, team.id, ada, by=staff)) is LastOwner
    put(process, team.id, bob, "owner", by=staff)
    remove(process, team.id, ada, by=staff)
    assert process.roles(team) == {bob.user_id: "owner"}


@pytest.mark.parametrize("end", ["removed", "disabled"])
@pytest.mark.parametrize("act", ["add", "remove", "delete"])
def test_who_owns_it_no_more_when_it_is_done(
    process: Process, other: Process, monkeypatch: pytest.MonkeyPatch, act: str, end: str
) -> None:
    """An owner when she asked: the transaction finds out that she is one no longer."""
    ada, bob, eve = (process.newcomer(name) for name in ("ada", "bob", "eve"))
    team = process.team("builders", ada)
    put(process, team.id, bob, "owner", by=ada)
    asked = TeamAccounts.refuse_strangers

    def ask_and_lose_it(teams: TeamAccounts, team_id: str, by: Living, deadline: Deadline) -> None:
        asked(teams, team_id, by, deadline)
        if teams is not process.teams:
            return
        if end == "removed":
            remove(other, team.id, bob, by=ada)
        else:
            other.profiles.set_disabled(bob.user_id, disabled=True, deadline=soon())

    monkeypatch.setattr(TeamAccounts, "refuse_strangers", ask_and_lose_it)
    acts: dict[str, Callable[[], object]] = {
        "add": partial(put, process, team.id, eve, "member", by=bob),
        "remove": partial(remove, process, team.id, ada, by=bob),
        "delete": partial(delete, process, team.id, by=bob),
    }
    assert outcome(acts[act]) is NotAllowed
    assert process.roles(team) == {ada.user_id: "owner"} | (
        {bob.user_id: "owner"} if end == "disabled" else {}
    )


@pytest.mark.race
def test_an_owner_who_is_removed_while_she_adds(process: Process, other: Process) -> None:
    """She added before, or not at all; and who is out adds nobody."""
    for i in range(ROUNDS):
        ada, bob, eve, dan = (
            process.newcomer(f"{name}{i}") for name in ("ada", "bob", "eve", "dan")
        )
        team = process.team(f"builders{i}", ada)
        put(process, team.id, bob, "owner", by=ada)
        removed, added = at_once(
            [
                partial(outcome, partial(remove, other, team.id, bob, by=ada)),
                partial(outcome, partial(put, process, team.id, eve, "owner", by=bob)),
            ]
        )
        assert removed is None
        assert added in (None, NotAllowed)
        assert (eve.user_id in process.roles(team)) == (added is None)
        assert outcome(partial(put, process, team.id, dan, "member", by=bob)) is NotAllowed


@pytest.mark.race
@pytest.mark.parametrize("way", ["leave", "step down", "be deleted", "remove each other"])
def test_of_two_owners_who_go_at_once_one_stays(process: Process, other: Process, way: str) -> None:
    ways: dict[str, Callable[[Process, str, Living, Living], object]] = {
        "leave": lambda p, t, me, you: remove(p, t, me, by=me),
        "step down": lambda p, t, me, you: put(p, t, me, "member", by=me),
        "be deleted": lambda p, t, me, you: p.profiles.delete(me.user_id, deadline=soon()),
        "remove each other": lambda p, t, me, you: remove(p, t, you, by=me),
    }
    for i in range(ROUNDS):
        ada, bob = process.newcomer(f"ada{i}"), other.newcomer(f"bob{i}")
        team = process.team(f"builders{i}", ada)
        put(process, team.id, bob, "owner", by=ada)
        jobs = [
            partial(ways[way], process, team.id, ada, bob),
            partial(ways[way], other, team.id, bob, ada),
        ]
        answers = at_once([partial(outcome, job) for job in jobs])
        # Who was removed already may not remove anybody any more.
        assert sum(answer in (LastOwner, NotAllowed) for answer in answers) == 1, answers
        assert list(process.roles(team).values()).count("owner") == 1


@pytest.mark.race
def test_an_owner_who_is_added_and_deleted_at_once(
    process: Process, other: Process, clock: Clock
) -> None:
    """No team is left to somebody who is no more, and no membership to nobody."""
    for i in range(ROUNDS):
        ada, bob = process.newcomer(f"ada{i}"), process.newcomer(f"bob{i}")
        team = process.team(f"builders{i}", ada)
        added, deleted = at_once(
            [
                partial(outcome, partial(put, process, team.id, bob, "owner", by=ada)),
                partial(outcome, partial(other.profiles.delete, bob.user_id, deadline=soon())),
            ]
        )
        assert deleted is True
        assert added in (None, UserNotFound)
        assert clock.count("dibs_members") == i + 1


@pytest.mark.race
def test_a_team_that_is_made_while_its_owner_is_deleted(
    process: Process, other: Process, clock: Clock
) -> None:
    """Either the team is there and so is she, or neither."""
    for i in range(ROUNDS):
        ada = process.newcomer(f"ada{i}")
        made, deleted = at_once(
            [
                partial(outcome, partial(process.team, f"builders{i}", ada)),
                partial(outcome, partial(other.profiles.delete, ada.user_id, deadline=soon())),
            ]
        )
        assert (made is SessionEnded) == (deleted is True), (made, deleted)
        assert (deleted is LastOwner) == (made is not SessionEnded)
    assert clock.count("dibs_members") == clock.count("dibs_teams")


def test_who_was_made_the_last_owner_can_leave_for_good(process: Process, clock: Clock) -> None:
    """Against her will: the one who owned the team made her an owner, and left."""
    ada, bob = process.newcomer("ada"), process.newcomer("bob")
    team = process.team("builders", ada)
    put(process, team.id, bob, "owner", by=ada)
    remove(process, team.id, ada, by=ada)
    leave = partial(process.profiles.delete, bob.user_id, deadline=soon())
    assert outcome(leave) is LastOwner
    delete(process, team.id, by=bob)
    assert leave() is True
    assert clock.count("dibs_members") == clock.count("dibs_teams") == 0
