"""The contract of renames and transfers: both or neither."""

# Asserting is what this module is for.

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from dibs.errors import RenamedTooOften, UserNotFound
from dibs.names import Username
from dibs.store import Lost, NameRow, NameStore, Outcome, Won
from dibs.store.names.moves import Pace, Rename, Transfer
from dibs.store.names.quarantine import FREE, Quarantine
from tests.support.contract.helpers import (
    AN_HOUR_MS,
    a_claim,
    a_name,
    look_up,
    lose,
    release,
    soon,
    win,
)

RESTING = Quarantine(AN_HOUR_MS, remembered=True)


class MoveContract:
    """How an owner comes to another name."""

    # --- renames -----------------------------------------------------------

    def test_a_rename_gives_one_and_takes_one(self, store: NameStore) -> None:
        """The old name rests, and its owner is found by it."""
        old = _user(store, "ada")
        wish = a_rename(old, "eve")
        row = _renamed(store, wish)
        assert (row.key, row.owner, row.state, row.version) == ("eve", old.owner, "owned", 1)
        assert row == look_up(store, "eve")
        left = look_up(store, "ada")
        assert left is not None
        assert (left.state, left.owner, left.version) == ("quarantined", old.owner, 2)
        assert (left.claim_token, left.free, left.display) == (None, False, "ada")
        assert _keys(store, old) == ["eve"]
        user = store.user(str(old.owner), deadline=soon())
        assert user is not None
        assert user.username == "eve"

    def test_a_refused_rename_changes_neither(self, store: NameStore) -> None:
        """Whatever it is that is in the way."""
        old, other = _user(store, "ada"), _user(store, "eve")
        held = win(store, a_claim("held", lasts=AN_HOUR_MS))
        for row in (other, held):
            assert _rename(store, a_rename(old, row.key)) == Lost(row)
            assert look_up(store, row.key) == row
            assert look_up(store, "ada") == old

    def test_a_rename_sent_twice_is_one(self, store: NameStore) -> None:
        """Its own token is found on the new name."""
        wish = a_rename(_user(store, "ada"), "eve")
        row = _renamed(store, wish)
        assert _renamed(store, wish) == row
        assert [_version(store, key) for key in ("ada", "eve")] == [2, 1]

    def test_another_spelling_is_changed_in_place(self, store: NameStore) -> None:
        """Nothing is given up, and it takes no time."""
        old = _user(store, "ada")
        wish = a_rename(old, a_name("ada", display="Ada"), pace=Pace(most=0))
        row = _renamed(store, wish)
        assert (row.display, row.state, row.version) == ("Ada", "owned", 2)
        assert (row.owner, row.expires_at) == (old.owner, None)
        assert look_up(store, "ada") == row == _renamed(store, wish)

    def test_an_old_name_is_taken_back(self, store: NameStore) -> None:
        """By who had it; anybody else is refused."""
        first = _user(store, "ada")
        second = _renamed(store, a_rename(first, "eve"))
        other = _user(store, "bob")
        refused = _rename(store, a_rename(other, "ada"))
        assert isinstance(refused, Lost)
        row = _renamed(store, a_rename(second, "ada"))
        assert (row.state, row.owner, row.version) == ("owned", first.owner, 3)
        assert _version(store, "eve") == 2
        assert _keys(store, first) == ["ada"]

    def test_a_held_name_is_taken_by_its_token(self, store: NameStore) -> None:
        """As in a registration."""
        hold = win(store, a_claim("eve", lasts=AN_HOUR_MS))
        wish = a_rename(_user(store, "ada"), "eve", hold=str(hold.claim_token))
        assert _renamed(store, wish).version == 2

    def test_a_rename_of_what_has_changed_is_none(self, store: NameStore) -> None:
        """Somebody was quicker; nothing is done, and the caller reads again."""
        old = _user(store, "ada")
        _renamed(store, a_rename(old, "eve"))
        assert _rename(store, a_rename(old, "bob")) is None
        assert _rename(store, a_rename(old, a_name("ada", display="Ada"))) is None
        assert look_up(store, "bob") is None
        assert _version(store, "ada") == 2

    def test_a_rename_without_rest_frees_the_old_name(self, store: NameStore) -> None:
        """At once, for anybody."""
        old = _user(store, "ada")
        _renamed(store, replace(a_rename(old, "eve"), rest=FREE))
        assert win(store, a_claim("ada")).version == 3

    def test_nobody_who_is_not_there_is_renamed(self, store: NameStore) -> None:
        """A name without its user, if the service has users of its own."""
        old = win(store, a_claim("ada"))
        with pytest.raises(UserNotFound):
            _rename(store, a_rename(old, "eve"))
        assert look_up(store, "ada") == old
        assert look_up(store, "eve") is None
        assert _renamed(store, replace(a_rename(old, "eve"), user=False)).owner == old.owner

    def test_the_next_rename_has_to_wait(self, store: NameStore) -> None:
        """For the pause, of which the answer tells the rest; and nothing is changed."""
        row = _renamed(store, a_rename(_user(store, "ada"), "eve"))
        with pytest.raises(RenamedTooOften) as refused:
            _rename(store, a_rename(row, "bob", pace=Pace(pause=AN_HOUR_MS)))
        assert 3500 <= (refused.value.retry_after or 0) <= 3600
        assert (look_up(store, "eve"), look_up(store, "bob")) == (row, None)
        _renamed(store, a_rename(row, "bob"))

    def test_there_are_so_many_renames_in_a_period(self, store: NameStore) -> None:
        """Those of everybody else do not count, nor those before it, nor refused ones."""
        row = _user(store, "a0")
        pace = Pace(most=2, period=AN_HOUR_MS)
        _renamed(store, a_rename(_user(store, "bob"), "bobby", pace=pace))
        assert isinstance(_rename(store, a_rename(row, "bobby", pace=pace)), Lost)
        for key in ("a1", "a2"):
            row = _renamed(store, a_rename(row, key, pace=pace))
        with pytest.raises(RenamedTooOften) as refused:
            _rename(store, a_rename(row, "a3", pace=pace))
        assert 3500 <= (refused.value.retry_after or 0) <= 3600
        _renamed(store, a_rename(row, "a3", pace=Pace(most=3, period=AN_HOUR_MS)))

    def test_the_pause_counts_past_the_period(self, store: NameStore) -> None:
        """A period of nothing forgives no pause."""
        row = _renamed(store, a_rename(_user(store, "ada"), "eve"))
        with pytest.raises(RenamedTooOften):
            _rename(store, a_rename(row, "bob", pace=Pace(pause=AN_HOUR_MS, period=0)))

    # --- transfers ---------------------------------------------------------

    def test_a_transfer_leaves_nobody_without_a_name(self, store: NameStore) -> None:
        """Three names change in one."""
        name, theirs = _user(store, "ada"), _user(store, "eve")
        wish = _transfer_of(name, theirs, instead="ada-2")
        outcome = store.transfer(wish, deadline=soon())
        assert isinstance(outcome, Won)
        assert (outcome.row.key, outcome.row.owner) == ("ada-2", name.owner)
        passed, left = look_up(store, "ada"), look_up(store, "eve")
        assert passed is not None
        assert (passed.owner, passed.state, passed.version) == (theirs.owner, "owned", 2)
        assert left is not None
        assert (left.owner, left.state, left.version) == (theirs.owner, "quarantined", 2)
        assert (_keys(store, name), _keys(store, theirs)) == (["ada-2"], ["ada"])
        assert store.transfer(wish, deadline=soon()) == outcome

    def test_a_token_is_no_success_after_a_transfer(self, store: NameStore) -> None:
        """The late retry of who had the name is told that another has it."""
        first = a_claim("ada", user=True)
        name, theirs = win(store, first), _user(store, "eve")
        store.transfer(_transfer_of(name, theirs, instead="ada-2"), deadline=soon())
        assert lose(store, first).owner == theirs.owner

    def test_a_refused_transfer_changes_nothing(self, store: NameStore) -> None:
        """Not a single one of the three."""
        name, theirs, other = (_user(store, key) for key in ("ada", "eve", "bob"))
        outcome = store.transfer(_transfer_of(name, theirs, instead="bob"), deadline=soon())
        assert outcome == Lost(other)
        assert [look_up(store, row.key) for row in (name, theirs, other)] == [name, theirs, other]

    def test_a_transfer_of_what_has_changed_is_none(self, store: NameStore) -> None:
        """Of either of the two names."""
        name, theirs = _user(store, "ada"), _user(store, "eve")
        for stale in (
            _transfer_of(replace(name, version=9), theirs, instead="bob"),
            _transfer_of(name, replace(theirs, version=9), instead="bob"),
        ):
            assert store.transfer(stale, deadline=soon()) is None
        assert [look_up(store, row.key) for row in (name, theirs)] == [name, theirs]
        assert look_up(store, "bob") is None

    def test_a_transfer_is_between_users(self, store: NameStore) -> None:
        """A name whose user is gone has nobody to pass it on, or to take it."""
        name, theirs = _user(store, "ada"), win(store, a_claim("eve"))
        for one, other in ((name, theirs), (theirs, name)):
            with pytest.raises(UserNotFound):
                store.transfer(_transfer_of(one, other, instead="bob"), deadline=soon())
        assert [look_up(store, row.key) for row in (name, theirs)] == [name, theirs]

    # --- names of an owner -------------------------------------------------

    def test_an_owners_names_are_those_that_are_hers_now(self, store: NameStore) -> None:
        """In order; what is over is hers no more, and another kind is somebody else."""
        owner = str(uuid.uuid4())
        for namespace, key in (("x", "b"), ("x", "a"), ("a", "z")):
            win(store, a_claim(key, owner=owner, namespace=namespace))
        win(store, a_claim("other", namespace="x"))
        win(store, replace(a_claim("team", owner=owner, namespace="x"), owner_kind="team"))
        everywhere = store.names_of("user", owner, deadline=soon())
        assert [(row.namespace, row.key) for row in everywhere] == [
            ("a", "z"),
            ("x", "a"),
            ("x", "b"),
        ]
        here = store.names_of("user", owner, namespace="x", deadline=soon())
        assert [row.key for row in here] == ["a", "b"]

    def test_what_an_owner_holds_or_had_is_asked_for_by_its_state(self, store: NameStore) -> None:
        """Only while it lasts."""
        owner = str(uuid.uuid4())
        for key, lasts in (("held", AN_HOUR_MS), ("over", 0)):
            win(store, a_claim(key, owner=owner, lasts=lasts))
        for key, rest in (
            ("had", RESTING),
            ("gone", Quarantine(0, remembered=True)),
            ("freed", FREE),
        ):
            win(store, a_claim(key, owner=owner))
            release(store, key, owner, rest=rest)
        for state, keys in (("held", ["held"]), ("quarantined", ["had"]), ("owned", [])):
            rows = store.names_of("user", owner, state=state, deadline=soon())  # type: ignore[arg-type]
            assert [row.key for row in rows] == keys


def a_rename(
    old: NameRow,
    to: str | Username,
    *,
    hold: str = "",
    rest: Quarantine = RESTING,
    pace: Pace | None = None,
) -> Rename:
    """The wish of an owner who is a user to be called otherwise."""
    wanted = a_claim(to, owner=str(old.owner), namespace=old.namespace, hold=hold)
    return Rename(wanted, old, rest, user=True, pace=pace)


def _transfer_of(name: NameRow, theirs: NameRow, *, instead: str) -> Transfer:
    return Transfer(name, a_claim(instead, owner=str(name.owner)), theirs, RESTING)


def _user(store: NameStore, key: str) -> NameRow:
    return win(store, a_claim(key, user=True))


def _rename(store: NameStore, wish: Rename) -> Outcome | None:
    return store.rename(wish, deadline=soon())


def _renamed(store: NameStore, wish: Rename) -> NameRow:
    outcome = _rename(store, wish)
    assert isinstance(outcome, Won), outcome
    return outcome.row


def _version(store: NameStore, key: str) -> int:
    row = look_up(store, key)
    assert row is not None
    return row.version


def _keys(store: NameStore, owner: NameRow) -> list[str]:
    rows = store.names_of("user", str(owner.owner), deadline=soon())
    return [row.key for row in rows]
