"""Teams: names like users' names, and owners of whom one always stays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from dibs.deadline import Deadline
from dibs.errors import (
    DibsError,
    LastOwner,
    NameLookalike,
    NameTaken,
    NotAllowed,
    SessionEnded,
    TeamNotFound,
    UserNotFound,
)
from dibs.store.sessions import Living
from dibs.testing import soon
from tests.accounts.people import Clock, Process
from tests.race.harness import at_once

NOBODY = "00000000-0000-4000-8000-000000000000"
ROUNDS = 5


def outcome(job: Callable[[], object]) -> object:
    """What it returns, or the class of what it raises."""
    try:
        return job()
    except DibsError as error:
        return type(error)


def put(process: Process, team_id: str, user: Living, role: str, by: Living) -> None:
    process.teams.put_member(team_id, user.user_id, role, by=by, deadline=soon())  # type: ignore[arg-type]


def remove(process: Process, team_id: str, user: Living, by: Living) -> None:
    process.teams.remove_member(team_id, user.user_id, by=by, deadline=soon())


def delete(process: Process, team_id: str, by: Living) -> None:
    process.teams.delete(team_id, by=by, deadline=soon())


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
    asked = process.teams._refuse_strangers

    def ask_and_lose_it(team_id: str, by: Living, deadline: Deadline) -> None:
        asked(team_id, by, deadline)
        if end == "removed":
            remove(other, team.id, bob, by=ada)
        else:
            other.profiles.set_disabled(bob.user_id, disabled=True, deadline=soon())

    monkeypatch.setattr(process.teams, "_refuse_strangers", ask_and_lose_it)
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


def test_a_team_ends_with_its_memberships_and_its_name(
    process: Process, other: Process, clock: Clock
) -> None:
    """The name is free at once, for a user, on another worker too; other teams stay."""
    ada, bob = process.newcomer("ada"), process.newcomer("bob")
    team, stays = process.team("builders", ada), process.team("painters", ada)
    put(process, team.id, bob, "member", by=ada)
    for stranger in (bob, process.newcomer("eve")):
        assert outcome(partial(delete, process, team.id, stranger)) is NotAllowed
    assert outcome(partial(other.register, "builders")) is NameTaken
    delete(process, team.id, by=ada)
    assert process.who(process.login("bob")).user_id == bob.user_id
    assert (clock.count("dibs_teams"), clock.count("dibs_members")) == (1, 1)
    assert process.roles(stays) == {ada.user_id: "owner"}
    for gone in (
        partial(delete, process, team.id, ada),
        partial(put, process, team.id, bob, "member", by=ada),
        partial(process.teams.get, team.id, reader=ada, deadline=soon()),
        partial(delete, process, NOBODY, Living("", NOBODY, "staff")),
    ):
        assert outcome(gone) is TeamNotFound
    user_id = other.register("builders")
    row = process.parts.registry.holder("builders", deadline=soon())
    assert row is not None
    assert (row.owner_kind, row.owner) == ("user", user_id)


def test_staff_end_any_team_and_a_repeated_request_makes_another(process: Process) -> None:
    """What made a team that has ended finds the name free, and no team of before."""
    ada, staff = process.newcomer("ada"), Living("", NOBODY, "staff")
    first = process.team("builders", ada, request=b"the same")
    delete(process, first.id, by=staff)
    again = process.team("builders", ada, request=b"the same")
    assert again.id != first.id


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


@pytest.mark.race
def test_a_member_who_is_put_into_a_team_that_ends(
    process: Process, other: Process, clock: Clock
) -> None:
    """No membership of nothing is left, whoever comes first."""
    ada, bob = process.newcomer("ada"), process.newcomer("bob")
    for i in range(ROUNDS):
        team = process.team(f"builders{i}", ada)
        added, again, deleted = at_once(
            [
                partial(outcome, partial(put, process, team.id, bob, "owner", by=ada)),
                partial(outcome, partial(put, other, team.id, ada, "owner", by=ada)),
                partial(outcome, partial(delete, other, team.id, by=ada)),
            ]
        )
        assert deleted is None
        # Whose memberships went first does not own it any more.
        assert {added, again} <= {None, TeamNotFound, UserNotFound, NotAllowed}
        assert clock.count("dibs_members") == clock.count("dibs_teams") == 0


@pytest.mark.race
def test_a_team_that_ends_while_its_owners_leave(
    process: Process, other: Process, clock: Clock
) -> None:
    """Whether the last owner was in time or not, nothing is left over."""
    for i in range(ROUNDS):
        ada, bob = process.newcomer(f"ada{i}"), process.newcomer(f"bob{i}")
        team = process.team(f"builders{i}", ada)
        put(process, team.id, bob, "member", by=ada)
        ended, left, gone = at_once(
            [
                partial(outcome, partial(delete, process, team.id, by=ada)),
                partial(outcome, partial(other.profiles.delete, ada.user_id, deadline=soon())),
                partial(outcome, partial(process.profiles.delete, bob.user_id, deadline=soon())),
            ]
        )
        assert (ended, gone) == (None, True)
        assert left in (True, LastOwner)
        assert clock.count("dibs_members") == clock.count("dibs_teams") == 0


@pytest.mark.race
def test_a_team_that_ends_twice_at_once_frees_its_name_once(
    process: Process, other: Process
) -> None:
    """Whoever takes the name meanwhile keeps it."""
    ada = process.newcomer("ada")
    for i in range(ROUNDS):
        team = process.team(f"builders{i}", ada)
        ends = [partial(outcome, partial(delete, p, team.id, by=ada)) for p in (process, other)]
        take: list[Callable[[], object]] = [
            *ends,
            partial(outcome, partial(other.register, f"builders{i}")),
        ]
        *ended, _ = at_once(take)
        assert None in ended
        assert set(ended) <= {None, TeamNotFound, NotAllowed}
        outcome(partial(process.register, f"builders{i}"))
        row = process.parts.registry.holder(f"builders{i}", deadline=soon())
        assert row is not None
        assert (row.state, row.owner_kind) == ("owned", "user")


def test_teams_are_listed_page_by_page(process: Process) -> None:
    ada = process.newcomer("ada")
    made = sorted(process.team(f"builders{i}", ada).id for i in range(5))
    listed: list[str] = []
    while page := process.teams.page(
        limit=2, after=listed[-1] if listed else None, deadline=soon()
    ):
        listed += [team.id for team in page]
    assert listed == made
    of = process.parts.accounts.teams.of([ada.user_id, NOBODY], deadline=soon())
    assert sorted(team.id for team in of[ada.user_id]) == made
    assert of[NOBODY] == []


def test_a_deleted_users_name_is_free_at_once(process: Process, other: Process) -> None:
    """For a user and for a team, on another worker too."""
    bob = process.newcomer("bob")
    for _ in range(3):
        ada = process.newcomer("ada")
        assert process.profiles.delete(ada.user_id, deadline=soon())
        assert not process.profiles.delete(ada.user_id, deadline=soon())
    team = other.team("ada", bob)
    assert team.name == "ada"


@pytest.mark.parametrize("kind", ["user", "team"])
def test_caches_are_told_before_a_deletion_is_committed(
    process: Process, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Or one would go on refusing a name that is free."""
    end: Callable[[], object]
    if kind == "user":
        end = partial(process.profiles.delete, process.newcomer("ada").user_id, deadline=soon())
    else:
        bob = process.newcomer("bob")
        end = partial(delete, process, process.team("ada", bob).id, bob)
    row = process.parts.registry.holder("ada", deadline=soon())
    assert row is not None
    told: list[tuple[str, dict[str, int], bool]] = []

    def forget(namespace, versions, *, deadline):
        still = process.parts.registry.holder("ada", deadline=soon()) is not None
        told.append((namespace, dict(versions), still))

    monkeypatch.setattr(process.parts.cache, "forget", forget)
    end()
    assert told == [("default", {row.key: row.version + 1}, True)]
    after = process.parts.store.find([row.key], deadline=soon())[row.key]
    assert (after.state, after.version) == ("free", row.version + 1)
