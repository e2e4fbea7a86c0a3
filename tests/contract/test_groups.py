"""Groups: people whose names are one keep them, and nobody else gets the key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from dibs.cache import NameFilter, TakenNames
from dibs.context import Deadline, acting_as
from dibs.errors import InvalidName, NameTaken
from dibs.names import Parser
from dibs.registry import Registry
from dibs.registry.coherence import Coherence
from dibs.registry.renames import Renames
from dibs.store import Claim, Lost, NameRow, NameStore, Won
from dibs.store.accounts.users import Users
from dibs.store.database.runs import Run
from dibs.store.names.groups import Joined, join, lock, name_first
from dibs.store.names.history import History, append
from dibs.store.names.moves import Pace
from dibs.store.names.quarantine import release_for_good
from dibs.store.records import NewUser
from dibs.strategies import STRATEGIES, Sources
from tests.support.contract import AN_HOUR_MS, look_up, soon

PARSER = Parser()
THREE = ("Ada", "ada", "ADA")


def a_wish(name: str, owner: str, *, by_staff: bool = False) -> Claim:
    user = NewUser(owner, f"hash of {owner}")
    token = f"{owner} wants {name}"
    return Claim(PARSER.existing(name), "user", owner, token, user=user, by_staff=by_staff)


def a_group(store: NameStore, *names: str) -> list[str]:
    """People who have these names; who they are, in the same order."""
    owners = [f"user-{at}" for at in range(len(names))]
    wishes = [a_wish(name, owner) for name, owner in zip(names, owners, strict=True)]
    outcome = store.claim(wishes[0], deadline=soon())
    assert isinstance(outcome, Won)
    for wish in wishes[1:]:  # they have accounts, and no name yet
        other = a_wish(f"other-{wish.owner}", wish.owner)
        store.claim(other, deadline=soon())
        assert store.release(other.username.key, owner=wish.owner, deadline=soon())
    joined = join_all(store, wishes[1:])
    assert all(joined.rows.values())
    return owners


def join_all(store: NameStore, wishes: Sequence[Claim]) -> Joined:
    return store.transactions.write(
        lambda run: join(run, wishes, adopted=True), changed=bool, deadline=soon()
    )


def a_registry(store: NameStore) -> Registry:
    strategy = STRATEGIES["unique_constraint"](Sources(store, TakenNames(), NameFilter()))
    return Registry(store, strategy, parser=PARSER)


def renames_of(store: NameStore) -> Renames:
    pace = Pace(pause=AN_HOUR_MS)
    registry = a_registry(store)
    return Renames(
        registry, store, Coherence(store), quarantine=AN_HOUR_MS, redirects=True, pace=pace
    )


def whose(store: NameStore, name: str) -> str | None:
    """Who is found by a name, by the registry and at sign-in: both say the same."""
    row = a_registry(store).holder(name, deadline=soon())
    typed, users = PARSER.typed(name), Users(store.transactions, "default")
    found = users.credentials(typed, PARSER.keys(typed), deadline=soon())
    assert (found.user_id if found else None) == (row.owner if row else None)
    assert found is None or found.display == (row.display if row else None)
    return row.owner if row else None


def reason(store: NameStore, name: str) -> str | None:
    """Why nobody else can have a name now."""
    taken = a_registry(store).check(PARSER.existing(name), deadline=soon())
    return taken.code if taken else None


def key_row(store: NameStore) -> NameRow:
    row = look_up(store, "ada")
    assert row is not None
    return row


def test_in_a_group_each_is_found_by_their_own_spelling(store: NameStore) -> None:
    owners = a_group(store, *THREE)
    assert [whose(store, name) for name in THREE] == owners
    assert whose(store, "aDa") is None
    assert key_row(store).state == "group"
    for name, owner in zip(THREE, owners, strict=True):
        assert [row.display for row in store.names_of("user", owner, deadline=soon())] == [name]
        assert reason(store, name) == "taken"


@pytest.mark.parametrize("by_staff", [False, True])
@pytest.mark.parametrize("name", ["aDa", "ada", "Ada"])
def test_nobody_else_gets_the_name(store: NameStore, name: str, by_staff: bool) -> None:
    """Staff neither; where a member has exactly this name, they are told of that one."""
    a_group(store, *THREE)
    wish, registry = a_wish(name, "a fourth", by_staff=by_staff), a_registry(store)
    assert isinstance(store.claim(wish, deadline=soon()), Lost)
    with pytest.raises(NameTaken) as refused:
        registry.claim(wish, deadline=soon())
    assert refused.value.code == "taken"
    with pytest.raises(NameTaken):
        registry.reserve("ada", reason="staff", deadline=soon())
    assert whose(store, "aDa") is None


def leave(store: NameStore, name: str, owner: str, how: str) -> None:
    """Give a name up in one of the ways there are."""
    if how == "rename":
        renames_of(store).rename(f"new-{owner}", user_id=owner, deadline=soon())
    elif how == "release":
        assert a_registry(store).release(name, owner=owner, deadline=soon())
    else:
        users = Users(store.transactions, "default")
        assert users.delete(owner, quarantine=AN_HOUR_MS, deadline=soon())


@pytest.mark.parametrize("how", ["rename", "release", "delete"])
def test_who_leaves_drops_out_and_the_last_one_is_promoted(store: NameStore, how: str) -> None:
    owners = a_group(store, *THREE)
    leave(store, "Ada", owners[0], how)
    assert [whose(store, name) for name in THREE] == [None, *owners[1:]]
    assert key_row(store).state == "group"
    leave(store, "ADA", owners[2], how)
    # From now on they are found by any spelling, as everybody is who is alone.
    assert {whose(store, name) for name in (*THREE, "aDa")} == {owners[1]}
    row = key_row(store)
    assert (row.state, row.owner, row.display) == ("owned", owners[1], "ada")
    leave(store, "ada", owners[1], how)
    assert whose(store, "ada") is None
    assert key_row(store).state == ("free" if how == "release" else "quarantined")


def test_a_group_that_all_leave_at_once_rests(store: NameStore) -> None:
    a_group(store, "Ada", "ada")
    gone = store.transactions.write(
        lambda run: release_for_good(run, "owner_kind = 'user'", {}, AN_HOUR_MS),
        changed=bool,
        deadline=soon(),
    )
    assert "ada" in {row.key for row in gone}  # which caches are told of
    assert (key_row(store).state, key_row(store).owner) == ("quarantined", None)


def test_a_member_may_spell_their_name_as_no_other_member_does(store: NameStore) -> None:
    """As often as they like: it is no rename."""
    owners = a_group(store, "Ada", "ada")
    renames = renames_of(store)
    for spelling in ("ADA", "aDa", "Ada", "AdA"):
        renamed = renames.rename(spelling, user_id=owners[0], deadline=soon())
        assert renamed.became == spelling
        assert whose(store, spelling) == owners[0]
        assert whose(store, "ada") == owners[1]
    with pytest.raises(NameTaken):
        renames.rename("ada", user_id=owners[0], deadline=soon())
    assert whose(store, "Ada") is None


def test_a_members_name_is_passed_on_within_the_group(store: NameStore) -> None:
    owners = a_group(store, *THREE)
    store.claim(a_wish("bob", "user-bob"), deadline=soon())
    renames = renames_of(store)
    renames.transfer("Ada", to="bob", instead="eve", deadline=soon())
    assert [whose(store, name) for name in THREE] == ["user-bob", *owners[1:]]
    assert whose(store, "eve") == owners[0]
    assert key_row(store).state == "group"
    # A member whose own name is given up for another member's leaves it to them.
    renames.transfer("ADA", to="ada", instead="mallory", deadline=soon())
    assert [whose(store, name) for name in THREE] == ["user-bob", None, owners[1]]
    renames.transfer("ADA", to="Ada", instead="trent", deadline=soon())
    assert {whose(store, name) for name in THREE} == {"user-bob"}
    assert key_row(store).display == "ADA"


def test_a_first_is_found_by_what_nobody_else_is(store: NameStore) -> None:
    owners = a_group(store, *THREE)

    def make_first(run: Run) -> bool:
        group = lock(run, ("default", "ada"))
        (row,) = [one for one in group.owned if one.owner == owners[1]]
        assert group.row is not None
        append(run, [name_first(run, group.row, row)])
        return True

    store.transactions.write(make_first, changed=bool, deadline=soon())
    assert [whose(store, name) for name in (*THREE, "aDa")] == [*owners, owners[1]]
    assert reason(store, "aDa") == "taken"
    renames_of(store).rename("adA", user_id=owners[1], deadline=soon())
    assert [whose(store, name) for name in ("ada", "adA", "Ada")] == [owners[1]] * 2 + [owners[0]]
    leave(store, "adA", owners[1], "release")
    assert [whose(store, name) for name in (*THREE, "aDa")] == [owners[0], None, owners[2], None]


def test_the_history_of_a_name_tells_of_its_group(store: NameStore) -> None:
    with acting_as("adopt"):
        owners = a_group(store, "Ada", "ada")
    leave(store, "Ada", owners[0], "release")
    history = History(store.transactions, "default")
    told = history.of_name(PARSER.existing("aDa"), limit=20, deadline=soon())
    actions = [(one.change.action, one.change.owner) for one in reversed(told)]
    assert actions[0] == ("claimed", owners[0])
    assert ("adopted", owners[1]) in actions
    assert ("grouped", None) in actions
    assert ("released", owners[0]) in actions
    assert ("promoted", owners[1]) in actions[-2:]


def test_who_writes_it_exactly_alike_cannot_join(store: NameStore) -> None:
    a_group(store, "Ada", "ada")
    again = a_wish("Ada", "another")
    assert join_all(store, [again]).rows == {again.token: None}
    a_long_one = a_wish("ada" + "\u0301" * 400, "long")
    assert isinstance(store.claim(a_long_one, deadline=soon()), Won)
    too_long = a_wish("ADA" + "\u0301" * 400, "longer")
    assert join_all(store, [too_long]).rows == {too_long.token: None}
    assert whose(store, a_long_one.username.display) == "long"


def test_caches_hear_of_the_key_of_who_goes(store: NameStore) -> None:
    """Two members who go in one transaction leave the key to others."""
    told: dict[str, int] = {}

    class Cache(TakenNames):
        def forget(self, namespace: str, versions: Any, *, deadline: Deadline) -> None:
            told.update(versions)

    owners = a_group(store, "Ada", "ada")
    Coherence(store, Cache()).prepare_deletion("user", owners[0], deadline=soon())
    assert told["ada"] == key_row(store).version + 1


def test_a_user_comes_back_to_a_name_that_they_kept(store: NameStore) -> None:
    """Which nobody new could take, and spells it anew; nobody else does."""
    admin, eve = "user-a", "user-e"
    for name, owner in (("admin", admin), ("eve", eve)):
        assert isinstance(store.claim(a_wish(name, owner), deadline=soon()), Won)
    renames = Renames(
        a_registry(store),
        store,
        Coherence(store),
        quarantine=AN_HOUR_MS,
        redirects=True,
        pace=Pace(),
    )
    for name in ("ADMIN", "grace", "Admin"):
        assert renames.rename(name, user_id=admin, deadline=soon()).became == name
    for user, name in ((eve, "admin"), (admin, "root")):
        with pytest.raises(InvalidName):
            renames.rename(name, user_id=user, deadline=soon())
