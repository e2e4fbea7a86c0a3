"""The contract of claims and releases: one holder a name, and answers that repeat."""

# Asserting is what this module is for.

from __future__ import annotations

from dibs.store import Lost, NameRow, NameStore, Won
from tests.support.contract.helpers import (
    AN_HOUR_MS,
    TIMED,
    a_claim,
    a_name,
    a_row,
    kinds,
    look_up,
    lose,
    release,
    settled,
    soon,
    win,
)


class ClaimContract:
    """Who gets a name, and how it is given back."""

    def put(self, store: NameStore, row: NameRow) -> None:
        """Write a row as it is, past every rule."""
        raise NotImplementedError

    # --- one holder --------------------------------------------------------

    def test_a_fresh_name_is_won(self, store: NameStore) -> None:
        """The winner's row says all that the claim said."""
        wanted = a_claim(a_name("ada", display="Ada"))
        row = win(store, wanted)
        assert (row.key, row.canonical, row.display) == ("ada", "ada", "Ada")
        assert (row.owner_kind, row.owner, row.claim_token) == ("user", wanted.owner, wanted.token)
        assert (row.state, row.free, row.expires_at, row.version) == ("owned", False, None, 1)

    def test_the_winners_row_is_the_row_in_the_store(self, store: NameStore) -> None:
        """What is answered is what was written."""
        assert win(store, a_claim("ada")) == look_up(store, "ada")

    def test_the_second_loses_to_the_row_that_was_there(self, store: NameStore) -> None:
        """A loser learns who has the name, and changes nothing."""
        row = win(store, a_claim("ada"))
        assert lose(store, a_claim("ada")) == row
        assert look_up(store, "ada") == row

    def test_another_spelling_of_the_key_loses(self, store: NameStore) -> None:
        """The key is unique, not the display."""
        win(store, a_claim(a_name("ada", display="Ada")))
        assert lose(store, a_claim(a_name("ada", display="ADA"))).display == "Ada"

    def test_the_owner_has_no_second_claim_on_the_name(self, store: NameStore) -> None:
        """A new request of the same owner is not the old request."""
        row = win(store, a_claim("ada"))
        assert row.owner is not None
        assert lose(store, a_claim("ada", owner=row.owner)) == row

    # --- tokens ------------------------------------------------------------

    def test_a_token_seen_again_wins_again_for_its_first_owner(self, store: NameStore) -> None:
        """A request sent twice is one request: the second answer repeats the first."""
        first = a_claim("ada")
        row = win(store, first)
        assert win(store, a_claim("ada", token=first.token)) == row
        assert look_up(store, "ada") == row

    def test_a_token_is_no_success_after_a_release(self, store: NameStore) -> None:
        """Whoever took the name meanwhile keeps it."""
        first = a_claim("ada")
        win(store, first)
        release(store, "ada", first.owner)
        row = win(store, a_claim("ada"))
        assert lose(store, first) == row

    def test_a_token_after_a_release_is_a_new_claim(self, store: NameStore) -> None:
        """With nobody else there the request wins, and the name is its new owner's."""
        first = a_claim("ada")
        win(store, first)
        release(store, "ada", first.owner)
        again = a_claim("ada", token=first.token)
        row = win(store, again)
        assert (row.owner, row.version) == (again.owner, 3)

    def test_a_token_is_a_success_for_its_own_name_only(self, store: NameStore) -> None:
        """A known token opens no other name."""
        first = a_claim("ada")
        win(store, first)
        win(store, a_claim("bob"))
        lose(store, a_claim("bob", token=first.token))

    # --- release -----------------------------------------------------------

    def test_a_released_name_is_won_and_its_version_grows(self, store: NameStore) -> None:
        """Rows are kept, so that an old version is never right again."""
        first = a_claim("ada")
        assert win(store, first).version == 1
        assert release(store, "ada", first.owner)
        freed = look_up(store, "ada")
        assert freed is not None
        assert (freed.state, freed.free, freed.version) == ("free", True, 2)
        assert (freed.owner, freed.owner_kind, freed.claim_token) == (None, None, None)
        second = a_claim("ada")
        assert win(store, second).version == 3
        assert lose(store, a_claim("ada")).owner == second.owner

    def test_only_the_owner_releases(self, store: NameStore) -> None:
        """Somebody else's release does nothing."""
        row = win(store, a_claim("ada"))
        assert not release(store, "ada", "somebody else")
        assert look_up(store, "ada") == row

    def test_a_second_release_says_no(self, store: NameStore) -> None:
        """It is gone already, and stays as it is."""
        row = win(store, a_claim("ada"))
        assert row.owner is not None
        assert release(store, "ada", row.owner)
        assert not release(store, "ada", row.owner)
        assert not release(store, "never claimed", row.owner)

    def test_what_is_not_owned_is_not_released(self, store: NameStore) -> None:
        """A reservation, a hold and a quarantine end in their own ways."""
        rows = [
            a_row("kept", "reserved", owner="o"),
            a_row("held", "held", owner="o", expires_in_ms=AN_HOUR_MS),
            a_row("resting", "quarantined", owner="o", expires_in_ms=AN_HOUR_MS),
        ]
        for row in rows:
            self.put(store, row)
            assert not release(store, row.key, "o")
            assert look_up(store, row.key) == row

    # --- holds, quarantine, reservations ------------------------------------

    def test_an_expired_hold_or_quarantine_is_taken_over(self, store: NameStore) -> None:
        """Past its end the name is free, and nothing of the old row is left."""
        for state in TIMED:
            self.put(store, a_row(state, state, owner="old", expires_in_ms=-60_000))
            wanted = a_claim(a_name(state, display=state.title()))
            row = win(store, wanted)
            assert (row.owner, row.expires_at, row.version) == (wanted.owner, None, 8)
            assert row == look_up(store, state)

    def test_an_unexpired_hold_or_quarantine_stands(self, store: NameStore) -> None:
        """Until its end the name is nobody else's."""
        for state in TIMED:
            row = a_row(state, state, owner="old", expires_in_ms=AN_HOUR_MS)
            self.put(store, row)
            assert lose(store, a_claim(state)) == row

    def test_a_reservation_never_ends(self, store: NameStore) -> None:
        """Not even one that says it expired."""
        self.put(store, a_row("root", "reserved", expires_in_ms=-60_000))
        assert lose(store, a_claim("root")).state == "reserved"

    def test_a_row_says_whether_its_name_is_free(self, store: NameStore) -> None:
        """`free` is what a claim would find."""
        rows = [
            a_row("kept", "reserved"),
            a_row("freed", "free"),
            a_row("held", "held", owner="o", expires_in_ms=AN_HOUR_MS),
            a_row("over", "held", owner="o", expires_in_ms=-60_000),
        ]
        for row in rows:
            self.put(store, row)
        found = store.find([row.key for row in rows], deadline=soon())
        assert found == {row.key: row for row in rows}

    # --- batches -----------------------------------------------------------

    def test_a_batch_answers_in_its_own_order(self, store: NameStore) -> None:
        """Winners, losers and a name asked for twice, each told what is so."""
        taken = win(store, a_claim("m"))
        batch = [a_claim(key) for key in ("z", "m", "b", "z", "a")]
        outcomes = store.claim_many(batch, deadline=soon())
        assert kinds(outcomes) == [Won, Lost, Won, Lost, Won]
        assert [outcome.row.key for outcome in settled(outcomes)] == list("zmbza")
        assert outcomes[1] == Lost(taken)
        assert outcomes[3] == Lost(settled(outcomes)[0].row)

    def test_a_free_name_twice_in_a_batch_goes_to_the_first(self, store: NameStore) -> None:
        """Taking over is as exclusive as inserting."""
        self.put(store, a_row("ada", "free"))
        batch = [a_claim("ada"), a_claim("ada")]
        first, second = store.claim_many(batch, deadline=soon())
        assert isinstance(first, Won)
        assert first.row.owner == batch[0].owner
        assert second == Lost(first.row)

    def test_a_batch_sent_again_wins_again(self, store: NameStore) -> None:
        """Each claim of a batch has its own token and its own answer."""
        win(store, a_claim("m"))
        batch = [a_claim(key, user=True) for key in "zma"]
        assert store.claim_many(batch, deadline=soon()) == store.claim_many(batch, deadline=soon())

    def test_a_batch_may_be_large(self, store: NameStore) -> None:
        """No limit of a driver or a database shows through."""
        keys = [f"n{i:04}" for i in range(1200)]
        taken = {key: win(store, a_claim(key)) for key in keys[::400]}
        batch = [a_claim(key, user=True) for key in reversed(keys)]
        outcomes = store.claim_many(batch, deadline=soon())
        assert [outcome.row.key for outcome in settled(outcomes)] == keys[::-1]
        assert {o.row.key for o in outcomes if isinstance(o, Lost)} == set(taken)
        assert set(store.find(keys, deadline=soon())) == set(keys)

    def test_an_empty_batch_has_no_answers(self, store: NameStore) -> None:
        """Nothing asked, nothing done."""
        assert store.claim_many([], deadline=soon()) == []
        assert store.find([], deadline=soon()) == {}
