"""Teams and users that end, and what becomes of their names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from dibs.errors import LastOwner, NameTaken, NotAllowed, TeamNotFound, UserNotFound
from dibs.registry.renames import Renamed
from dibs.store.accounts.sessions import Living
from tests.accounts.people import Clock, Process
from tests.accounts.teams import NOBODY, ROUNDS, delete, outcome, put
from tests.race.harness import at_once
from tests.support.contract import soon


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


@pytest.mark.race
def test_a_team_that_is_renamed_at_once(process: Process, other: Process) -> None:
    """However often, by whom and from where: in the end it has one name, that of who was last."""
    ada, bob = process.newcomer("ada"), process.newcomer("bob")
    for i in range(ROUNDS):
        team = process.team(f"builders{i}", ada)
        put(process, team.id, bob, "owner", by=ada)
        wishes = [f"masons{i}x{k}" for k in range(6)]
        told = at_once(
            [
                partial(outcome, partial(rename, one, team.id, wish, by=by))
                for one, by, wish in zip(
                    [process, other] * 3, [ada] * 3 + [bob] * 3, wishes, strict=True
                )
            ]
        )
        got = [wish for wish, one in zip(wishes, told, strict=True) if isinstance(one, Renamed)]
        assert {type(one) for one in told} <= {Renamed, type}, told
        name = process.teams.get(team.id, reader=ada, deadline=soon()).name
        assert name in got
        assert owned(process, team.id) == [name]
        for wish in set(wishes) - {name}:
            row = process.parts.registry.holder(wish, deadline=soon())
            assert row is None


@pytest.mark.race
def test_a_team_that_is_renamed_as_it_ends(process: Process, other: Process) -> None:
    """No name is left to a team that is no more."""
    ada = process.newcomer("ada")
    for i in range(ROUNDS):
        team = process.team(f"builders{i}", ada)
        renamed, deleted, again = at_once(
            [
                partial(outcome, partial(rename, process, team.id, f"masons{i}", by=ada)),
                partial(outcome, partial(delete, other, team.id, by=ada)),
                partial(outcome, partial(rename, other, team.id, f"bakers{i}", by=ada)),
            ]
        )
        assert deleted is None
        assert all(isinstance(one, Renamed) or one is TeamNotFound for one in (renamed, again))
        assert owned(process, team.id) == []
        for name in ("builders", "masons", "bakers"):
            other.register(f"{name}{i}")


def rename(process: Process, team_id: str, name: str, by: Living) -> Renamed:
    ends = soon()
    return process.parts.renames.rename_team(name, team_id=team_id, by=by.user_id, deadline=ends)


def owned(process: Process, team_id: str) -> list[str]:
    rows = process.parts.store.names_of("team", team_id, deadline=soon())
    return [row.display for row in rows]
