"""The contract of holds and of what a name is after its owner."""

# Asserting is what this module is for.

from __future__ import annotations

import uuid
from dataclasses import replace

from dibs.store import NameRow, NameStore
from dibs.store.names.quarantine import Quarantine
from dibs.store.records import State
from tests.support.contract.helpers import (
    AN_HOUR_MS,
    PATIENCE_S,
    a_claim,
    look_up,
    lose,
    release,
    soon,
    win,
)


class LifeContract:
    """How long a name is held, and how long it rests."""

    # --- holds -------------------------------------------------------------

    def test_a_hold_ends_when_the_store_says(self, store: NameStore) -> None:
        """By the store's own clock, of which the row tells both the moment and what is left."""
        row = win(store, a_claim("ada", lasts=AN_HOUR_MS))
        now = store.clock(deadline=soon())
        assert (row.state, row.free, row.version) == ("held", False, 1)
        assert row.expires_at is not None
        assert 0 <= now + AN_HOUR_MS - row.expires_at < 1000 * PATIENCE_S
        assert row.expires_in is not None
        assert 0 < row.expires_in <= AN_HOUR_MS
        assert look_up(store, "ada") == row

    def test_holds_that_go_on_are_listed(self, store: NameStore) -> None:
        """The newest first, in their namespace: of a new name, and of one that was somebody's."""
        win(store, a_claim("over", lasts=0))
        win(store, a_claim("elsewhere", lasts=AN_HOUR_MS, namespace="other"))
        win(store, a_claim("owned"))
        given_up = win(store, a_claim("again"))
        release(store, given_up.key, str(given_up.owner))
        wanted = [win(store, a_claim(name, lasts=AN_HOUR_MS)).key for name in ("new", "again")]
        held = store.held(within=AN_HOUR_MS, limit=10, deadline=soon())
        assert {row.key for row in held} == set(wanted)
        assert held == sorted(held, key=lambda row: row.expires_in or 0, reverse=True)
        assert len(store.held(within=AN_HOUR_MS, limit=1, deadline=soon())) == 1

    def test_a_hold_asked_for_again_is_the_same_hold(self, store: NameStore) -> None:
        """Its end does not move."""
        wanted = a_claim("ada", lasts=AN_HOUR_MS)
        row = win(store, wanted)
        assert win(store, wanted) == row
        assert row.won_by(wanted.token)

    def test_nobody_else_gets_what_is_held(self, store: NameStore) -> None:
        """Neither to own nor to hold it, nor with another hold's token."""
        row = win(store, a_claim("ada", lasts=AN_HOUR_MS))
        other = win(store, a_claim("bob", lasts=AN_HOUR_MS))
        for wanted in (
            a_claim("ada"),
            a_claim("ada", lasts=AN_HOUR_MS),
            a_claim("ada", hold=str(other.claim_token)),
            a_claim("ada", owner=str(row.owner)),
        ):
            assert lose(store, wanted) == row

    def test_a_hold_becomes_a_name_by_its_token(self, store: NameStore) -> None:
        """Whoever shows it owns the name from then on, without an end."""
        hold = win(store, a_claim("ada", lasts=AN_HOUR_MS))
        wanted = a_claim("ada", hold=str(hold.claim_token))
        row = win(store, wanted)
        assert (row.state, row.owner, row.owner_kind) == ("owned", wanted.owner, "user")
        assert (row.expires_at, row.version) == (None, 2)
        assert win(store, wanted) == row == look_up(store, "ada")
        assert lose(store, a_claim("ada", hold=str(hold.claim_token))) == row

    def test_a_hold_that_is_over_is_anybodys(self, store: NameStore) -> None:
        """Its own token is no success any more, and opens nothing that another has by now."""
        wanted = a_claim("ada", lasts=0)
        over = win(store, wanted)
        assert over.free
        assert not over.won_by(wanted.token)
        row = win(store, a_claim("ada"))
        assert (row.version, row.expires_at) == (over.version + 1, None)
        assert lose(store, a_claim("ada", hold=wanted.token)) == row
        assert lose(store, wanted) == row

    def test_the_token_of_a_hold_that_is_over_is_no_hindrance(self, store: NameStore) -> None:
        """Nobody took the name meanwhile, so the late one has it after all."""
        over = win(store, a_claim("ada", lasts=0))
        assert win(store, a_claim("ada", hold=str(over.claim_token))).state == "owned"
        over = win(store, a_claim("bob", lasts=0))
        again = win(store, a_claim("bob", token=str(over.claim_token), lasts=AN_HOUR_MS))
        assert (again.state, again.free) == ("held", False)
        assert again.version == over.version + 1

    def test_a_hold_is_ended_early_by_its_token_alone(self, store: NameStore) -> None:
        """Once; then the name is free."""
        row = win(store, a_claim("ada", lasts=AN_HOUR_MS))
        assert not _free(store, "ada", token=uuid.uuid4().hex)
        assert not store.free("ada", state="quarantined", deadline=soon())
        assert not _free(store, "ada", version=row.version + 1)
        assert look_up(store, "ada") == row
        assert _free(store, "ada", token=row.claim_token, version=row.version)
        _assert_gone(look_up(store, "ada"), "free", version=2)
        assert not _free(store, "ada", token=row.claim_token)
        assert win(store, a_claim("ada")).version == 3

    def test_what_is_owned_is_no_hold(self, store: NameStore) -> None:
        """The token that claimed it frees nothing."""
        row = win(store, a_claim("ada"))
        for state in ("held", "quarantined", "reserved"):
            assert not _free(store, "ada", state=state, token=row.claim_token)
        assert look_up(store, "ada") == row

    # --- quarantine ----------------------------------------------------------

    def test_a_resting_name_is_nobodys(self, store: NameStore) -> None:
        """For as long as was said, by the store's own clock; its last owner is forgotten."""
        first = a_claim("ada")
        win(store, first)
        assert release(store, "ada", first.owner, rest=Quarantine(AN_HOUR_MS))
        row = look_up(store, "ada")
        _assert_gone(row, "quarantined", version=2)
        assert row is not None
        now = store.clock(deadline=soon())
        assert row.expires_at is not None
        assert 0 <= now + AN_HOUR_MS - row.expires_at < 1000 * PATIENCE_S
        for wanted in (a_claim("ada"), a_claim("ada", owner=first.owner), first):
            assert lose(store, wanted) == row

    def test_a_name_may_rest_for_ever(self, store: NameStore) -> None:
        """There is no end that could come."""
        first = a_claim("ada")
        win(store, first)
        assert release(store, "ada", first.owner, rest=Quarantine(None))
        row = lose(store, a_claim("ada"))
        assert (row.state, row.free, row.expires_at) == ("quarantined", False, None)

    def test_who_is_remembered_takes_her_own_back(self, store: NameStore) -> None:
        """And nobody else, whose identity may be the same in another kind."""
        for key, lasts in (("ada", AN_HOUR_MS), ("bob", None)):
            first = a_claim(key)
            win(store, first)
            assert release(store, key, first.owner, rest=Quarantine(lasts, remembered=True))
            row = lose(store, a_claim(key))
            assert (row.state, row.owner, row.claim_token) == ("quarantined", first.owner, None)
            assert lose(store, replace(first, owner_kind="team")) == row
            back = win(store, a_claim(key, owner=first.owner))
            assert (back.state, back.version, back.expires_at) == ("owned", 3, None)

    def test_a_rest_that_is_over_keeps_nobody_out(self, store: NameStore) -> None:
        """Until somebody comes, its last owner is found by it."""
        first = a_claim("ada")
        win(store, first)
        assert release(store, "ada", first.owner, rest=Quarantine(0, remembered=True))
        row = look_up(store, "ada")
        assert row is not None
        assert (row.state, row.free, row.owner) == ("quarantined", True, first.owner)
        second = win(store, a_claim("ada"))
        assert lose(store, a_claim("ada", owner=first.owner)) == second

    def test_a_quarantine_is_ended_by_staff(self, store: NameStore) -> None:
        """Whether it would end by itself or never."""
        for key, lasts in (("ada", AN_HOUR_MS), ("bob", None)):
            first = a_claim(key)
            win(store, first)
            release(store, key, first.owner, rest=Quarantine(lasts, remembered=True))
            assert not _free(store, key, state="held")
            assert _free(store, key, state="quarantined", version=2)
            _assert_gone(look_up(store, key), "free", version=3)
            assert win(store, a_claim(key)).version == 4

    def test_staff_give_away_what_is_kept_back(self, store: NameStore) -> None:
        """Held, resting or reserved, but never owned."""
        first = a_claim("resting")
        win(store, first)
        release(store, "resting", first.owner, rest=Quarantine(None))
        win(store, a_claim("held", lasts=AN_HOUR_MS))
        win(store, replace(a_claim("reserved"), state="reserved"))
        owned = win(store, a_claim("owned"))
        for key in ("resting", "held", "reserved"):
            lose(store, a_claim(key))
            assert win(store, replace(a_claim(key), by_staff=True)).state == "owned"
        assert lose(store, replace(a_claim("owned"), by_staff=True)) == owned

    def test_a_release_of_what_has_changed_does_nothing(self, store: NameStore) -> None:
        """What was read is not what is there."""
        row = win(store, a_claim("ada"))
        owner = str(row.owner)
        assert not store.release("ada", owner=owner, version=row.version + 1, deadline=soon())
        assert look_up(store, "ada") == row
        assert store.release("ada", owner=owner, version=row.version, deadline=soon())


def _free(
    store: NameStore,
    key: str,
    *,
    state: State = "held",
    version: int | None = None,
    token: str | None = None,
) -> bool:
    return store.free(key, state=state, version=version, token=token, deadline=soon())


def _assert_gone(row: NameRow | None, state: State, *, version: int) -> None:
    assert row is not None
    assert (row.state, row.free, row.version) == (state, state == "free", version)
    assert (row.owner_kind, row.owner, row.claim_token) == (None, None, None)
    assert (row.expires_at is None) == (state == "free")
