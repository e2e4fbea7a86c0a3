"""The contract of texts, namespaces and users."""

# Asserting is what this module is for.

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from dibs.store import Claim, Lost, NameStore, UserRow, Won
from dibs.store.records import MAX_OWNER
from tests.support.contract.helpers import (
    DISTINCT_KEYS,
    PATIENCE_S,
    SPELLINGS,
    a_claim,
    a_name,
    kinds,
    look_up,
    lose,
    release,
    soon,
    win,
)


class UserContract:
    """What goes in comes out, and a user has her name."""

    # --- keys, displays, namespaces ------------------------------------------

    def test_keys_are_compared_by_their_bytes(self, store: NameStore) -> None:
        """Case, accents, width and trailing spaces are the rules' business, done before."""
        outcomes = store.claim_many([a_claim(key) for key in DISTINCT_KEYS], deadline=soon())
        assert kinds(outcomes) == [Won] * len(DISTINCT_KEYS)
        assert set(store.find(DISTINCT_KEYS, deadline=soon())) == set(DISTINCT_KEYS)
        for key in DISTINCT_KEYS:
            assert lose(store, a_claim(key)).key == key

    def test_a_display_comes_back_as_it_went_in(self, store: NameStore) -> None:
        """Character for character, and the user's name too."""
        for i, display in enumerate(SPELLINGS):
            row = win(store, a_claim(a_name(f"n{i}", display=display), user=True))
            assert row.display == display
            assert look_up(store, f"n{i}") == row
            assert row.owner is not None
            assert _user(store, row.owner).username == display

    def test_an_owner_may_be_anything_of_64_characters(self, store: NameStore) -> None:
        """Opaque to the store, and compared by bytes."""
        owner = "👤" * MAX_OWNER
        assert win(store, a_claim("ada", owner=owner)).owner == owner
        assert not release(store, "ada", owner[:-1] + "x")
        assert release(store, "ada", owner)

    def test_find_returns_what_was_claimed_and_nothing_else(self, store: NameStore) -> None:
        """A key that never was a name has no row."""
        rows = {key: win(store, a_claim(key)) for key in ("a", "b")}
        win(store, a_claim("c"))
        assert store.find(["b", "never", "a", "a"], deadline=soon()) == rows

    def test_namespaces_know_nothing_of_each_other(self, store: NameStore) -> None:
        """One key, one holder in each."""
        here, there = (a_claim("ada", namespace=name) for name in ("here", "there"))
        assert kinds(store.claim_many([here, there], deadline=soon())) == [Won, Won]
        lose(store, a_claim("ada", namespace="here"))
        assert release(store, "ada", here.owner, namespace="there") is False
        assert release(store, "ada", here.owner, namespace="here") is True
        found = look_up(store, "ada", namespace="there")
        assert found is not None
        assert (found.namespace, found.owner) == ("there", there.owner)
        assert look_up(store, "ada") is None

    def test_a_batch_may_span_namespaces(self, store: NameStore) -> None:
        """Each answer is of its own namespace."""
        first = [a_claim(key, namespace=name) for key in "ab" for name in "xy"]
        again = [a_claim(key, namespace=name) for key in "ab" for name in "yx"]
        assert kinds(store.claim_many(first, deadline=soon())) == [Won] * 4
        places = [(o.row.namespace, o.row.key) for o in _lost(store, again)]
        assert places == [("y", "a"), ("x", "a"), ("y", "b"), ("x", "b")]

    # --- users -------------------------------------------------------------

    def test_only_winners_get_a_user(self, store: NameStore) -> None:
        """A loser leaves nothing behind."""
        winner, loser = a_claim("ada", user=True), a_claim("ada", user=True)
        win(store, winner)
        lose(store, loser)
        assert _user(store, winner.owner).username == "ada"
        assert store.user(loser.owner, deadline=soon()) is None
        assert [user.id for user in _walk(store)] == [winner.owner]

    def test_a_request_sent_twice_makes_one_user(self, store: NameStore) -> None:
        """The first one: each attempt may have thought of its own id."""
        first = a_claim("ada", user=True)
        win(store, first)
        again = a_claim("ada", token=first.token, user=True)
        win(store, again)
        assert [user.id for user in _walk(store)] == [first.owner]

    def test_a_user_without_the_name_is_not_listed(self, store: NameStore) -> None:
        """No name, no listing; no user, no listing."""
        gone = a_claim("ada", user=True)
        win(store, gone)
        win(store, a_claim("bob"))
        assert release(store, "ada", gone.owner)
        assert store.user(gone.owner, deadline=soon()) is None
        assert _walk(store) == []

    def test_pages_stay_put_when_users_come(self, store: NameStore) -> None:
        """Everybody who was there at the start is seen once, in order."""
        there = self._users(store, 30)
        seen: list[UserRow] = []
        while page := store.users(limit=7, after=seen[-1].id if seen else None, deadline=soon()):
            seen += page
            self._users(store, 3)
        ids = [user.id for user in seen]
        assert ids == sorted(set(ids))
        assert there <= set(ids)

    def test_a_page_holds_no_more_than_asked(self, store: NameStore) -> None:
        """And starts past the id it was given."""
        ids = sorted(self._users(store, 5))
        page = store.users(limit=2, after=ids[1], deadline=soon())
        assert [user.id for user in page] == ids[2:4]
        assert store.users(limit=2, after=ids[-1], deadline=soon()) == []

    def test_users_are_as_old_as_the_clock_says(self, store: NameStore) -> None:
        """Milliseconds since 1970, whatever the server's time zone."""
        wanted = a_claim("ada", user=True)
        win(store, wanted)
        age = time.time() * 1000 - _user(store, wanted.owner).created_at
        assert abs(age) < PATIENCE_S * 1000

    def _users(self, store: NameStore, count: int) -> set[str]:
        batch = [a_claim(uuid.uuid4().hex, user=True) for _ in range(count)]
        assert kinds(store.claim_many(batch, deadline=soon())) == [Won] * count
        return {wanted.owner for wanted in batch}

    # --- itself ------------------------------------------------------------

    def test_the_store_is_as_it_should_be(self, store: NameStore) -> None:
        """`verify` has nothing to say."""
        store.verify(deadline=soon())

    def test_the_secret_is_one(self, store: NameStore) -> None:
        """Random, long, and the same each time."""
        secret = store.secret(deadline=soon())
        assert len(secret) >= 32
        assert store.secret(deadline=soon()) == secret


def _lost(store: NameStore, batch: Sequence[Claim]) -> list[Lost]:
    outcomes = store.claim_many(batch, deadline=soon())
    lost = [outcome for outcome in outcomes if isinstance(outcome, Lost)]
    assert len(lost) == len(batch), outcomes
    return lost


def _user(store: NameStore, user_id: str) -> UserRow:
    user = store.user(user_id, deadline=soon())
    assert user is not None
    return user


def _walk(store: NameStore) -> list[UserRow]:
    return store.users(limit=10_000, after=None, deadline=soon())
