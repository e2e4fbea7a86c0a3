"""The contract of a store, as a test suite that every implementation passes.

Make a subclass in a pytest file, give it a fixture `store` and a method `put`,
and pytest finds the rest::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self):
            return MyStore()

        def put(self, store, row): ...

Ask pytest for readable failures with
`pytest.register_assert_rewrite("dibs.testing")` in a `conftest.py`, before this
module is imported.
"""

# Asserting is what this module is for, and its look-alike letters are meant.
# ruff: noqa: S101, RUF001

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence

from dibs.names import RULES_VERSION, Username
from dibs.store import (
    DEFAULT_NAMESPACE,
    Claim,
    Deadline,
    Lost,
    NameRow,
    NewUser,
    Outcome,
    Store,
    UserRow,
    Won,
)
from dibs.store.records import MAX_OWNER, State

PATIENCE_S = 30.0
"""Seconds that a test waits for an answer: the contract is not about speed."""

AN_HOUR_MS = 3_600_000

SPELLINGS = (
    "Ada",
    "Zoë",
    "Zoe\u0308",
    "Ελένη",
    "محمد",
    "אָדָם",
    "王小明",
    "ひらがな",
    "👩🏽‍🚀",
    "𝒶𝒹𝒶",
    "it's; -- \"`\\",
    "100%s %(x)s :key_0 ?",
    " spaces around\t",
    "\x01\x7f\u200b\u202e\ufeff\uffff\U0010ffff",
)
"""Displays that must come back as they went in, whatever the rules of names allow."""

DISTINCT_KEYS = ("a", "A", "a ", " a", "a\x01", "á", "a\u0301", "ａ", "а", "ß", "ss", "ı", "i")
"""Keys that some collation or other calls equal, or pads, or ignores parts of."""

_TIMED: tuple[State, ...] = ("held", "quarantined")


def a_name(key: str, *, display: str | None = None) -> Username:
    """A name with just this key, whatever the rules would say of it."""
    return Username(display if display is not None else key, key, key, RULES_VERSION)


def a_claim(
    name: str | Username,
    *,
    owner: str | None = None,
    token: str | None = None,
    namespace: str = DEFAULT_NAMESPACE,
    user: bool = False,
) -> Claim:
    """A claim for a key, by somebody new unless told otherwise.

    Args:
        name: A parsed name, or a key.
        owner: The one who asks.
        token: Which request asks.
        namespace: Where the name is to be unique.
        user: Whether a user row is to be written with it.
    """
    owner = owner or str(uuid.uuid4())
    return Claim(
        username=a_name(name) if isinstance(name, str) else name,
        owner_kind="user",
        owner=owner,
        token=token or uuid.uuid4().hex,
        namespace=namespace,
        user=NewUser(owner, None) if user else None,
    )


def a_row(
    key: str,
    state: State,
    *,
    owner: str | None = None,
    expires_in_ms: int | None = None,
    version: int = 7,
) -> NameRow:
    """A row to put into a store by hand; `expires_in_ms` may be negative."""
    now = time.time_ns() // 1_000_000
    return NameRow(
        namespace=DEFAULT_NAMESPACE,
        key=key,
        canonical=key,
        display=key,
        rules_version=RULES_VERSION,
        state=state,
        owner_kind="user" if owner else None,
        owner=owner,
        claim_token=None,
        expires_at=None if expires_in_ms is None else now + expires_in_ms,
        version=version,
        free=state == "free"
        or (state in _TIMED and expires_in_ms is not None and expires_in_ms <= 0),
    )


def soon() -> Deadline:
    """A deadline that only a store that hangs will miss."""
    return Deadline.after(PATIENCE_S)


def claim(store: Store, wanted: Claim, *, deadline: Deadline | None = None) -> Outcome:
    """The outcome of a batch of one."""
    (outcome,) = store.claim_many([wanted], deadline=deadline or soon())
    return outcome


def win(store: Store, wanted: Claim) -> NameRow:
    """The row of a claim that must be won."""
    outcome = claim(store, wanted)
    assert isinstance(outcome, Won), outcome
    return outcome.row


def lose(store: Store, wanted: Claim) -> NameRow:
    """The row that stood in the way of a claim that must be lost."""
    outcome = claim(store, wanted)
    assert isinstance(outcome, Lost), outcome
    return outcome.row


def look_up(store: Store, key: str, *, namespace: str = DEFAULT_NAMESPACE) -> NameRow | None:
    """The row of one key."""
    return store.find([key], namespace=namespace, deadline=soon()).get(key)


def release(store: Store, key: str, owner: str, *, namespace: str = DEFAULT_NAMESPACE) -> bool:
    """Whether this owner gave the name back."""
    return store.release(key, owner=owner, namespace=namespace, deadline=soon())


def kinds(outcomes: Iterable[Outcome]) -> list[type[Outcome]]:
    """What each outcome is, without its row."""
    return [type(outcome) for outcome in outcomes]


class StoreContract:
    """What every store promises. A subclass brings the fixture `store`, and `put`.

    Each test gets a store without names, users and old state.
    """

    def put(self, store: Store, row: NameRow) -> None:
        """Write a row as it is, past every rule."""
        raise NotImplementedError

    # --- one holder --------------------------------------------------------

    def test_a_fresh_name_is_won(self, store: Store) -> None:
        """The winner's row says all that the claim said."""
        wanted = a_claim(a_name("ada", display="Ada"))
        row = win(store, wanted)
        assert (row.key, row.canonical, row.display) == ("ada", "ada", "Ada")
        assert (row.owner_kind, row.owner, row.claim_token) == ("user", wanted.owner, wanted.token)
        assert (row.state, row.free, row.expires_at, row.version) == ("owned", False, None, 1)

    def test_the_winners_row_is_the_row_in_the_store(self, store: Store) -> None:
        """What is answered is what was written."""
        assert win(store, a_claim("ada")) == look_up(store, "ada")

    def test_the_second_loses_to_the_row_that_was_there(self, store: Store) -> None:
        """A loser learns who has the name, and changes nothing."""
        row = win(store, a_claim("ada"))
        assert lose(store, a_claim("ada")) == row
        assert look_up(store, "ada") == row

    def test_another_spelling_of_the_key_loses(self, store: Store) -> None:
        """The key is unique, not the display."""
        win(store, a_claim(a_name("ada", display="Ada")))
        assert lose(store, a_claim(a_name("ada", display="ADA"))).display == "Ada"

    def test_the_owner_has_no_second_claim_on_the_name(self, store: Store) -> None:
        """A new request of the same owner is not the old request."""
        row = win(store, a_claim("ada"))
        assert row.owner is not None
        assert lose(store, a_claim("ada", owner=row.owner)) == row

    # --- tokens ------------------------------------------------------------

    def test_a_token_seen_again_wins_again_for_its_first_owner(self, store: Store) -> None:
        """A request sent twice is one request: the second answer repeats the first."""
        first = a_claim("ada")
        row = win(store, first)
        assert win(store, a_claim("ada", token=first.token)) == row
        assert look_up(store, "ada") == row

    def test_a_token_is_no_success_after_a_release(self, store: Store) -> None:
        """Whoever took the name meanwhile keeps it."""
        first = a_claim("ada")
        win(store, first)
        release(store, "ada", first.owner)
        row = win(store, a_claim("ada"))
        assert lose(store, first) == row

    def test_a_token_after_a_release_is_a_new_claim(self, store: Store) -> None:
        """With nobody else there the request wins, and the name is its new owner's."""
        first = a_claim("ada")
        win(store, first)
        release(store, "ada", first.owner)
        again = a_claim("ada", token=first.token)
        row = win(store, again)
        assert (row.owner, row.version) == (again.owner, 3)

    def test_a_token_is_a_success_for_its_own_name_only(self, store: Store) -> None:
        """A known token opens no other name."""
        first = a_claim("ada")
        win(store, first)
        win(store, a_claim("bob"))
        lose(store, a_claim("bob", token=first.token))

    # --- release -----------------------------------------------------------

    def test_a_released_name_is_won_and_its_version_grows(self, store: Store) -> None:
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

    def test_only_the_owner_releases(self, store: Store) -> None:
        """Somebody else's release does nothing."""
        row = win(store, a_claim("ada"))
        assert not release(store, "ada", "somebody else")
        assert look_up(store, "ada") == row

    def test_a_second_release_says_no(self, store: Store) -> None:
        """It is gone already, and stays as it is."""
        row = win(store, a_claim("ada"))
        assert row.owner is not None
        assert release(store, "ada", row.owner)
        assert not release(store, "ada", row.owner)
        assert not release(store, "never claimed", row.owner)

    def test_what_is_not_owned_is_not_released(self, store: Store) -> None:
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

    def test_an_expired_hold_or_quarantine_is_taken_over(self, store: Store) -> None:
        """Past its end the name is free, and nothing of the old row is left."""
        for state in _TIMED:
            self.put(store, a_row(state, state, owner="old", expires_in_ms=-60_000))
            wanted = a_claim(a_name(state, display=state.title()))
            row = win(store, wanted)
            assert (row.owner, row.expires_at, row.version) == (wanted.owner, None, 8)
            assert row == look_up(store, state)

    def test_an_unexpired_hold_or_quarantine_stands(self, store: Store) -> None:
        """Until its end the name is nobody else's."""
        for state in _TIMED:
            row = a_row(state, state, owner="old", expires_in_ms=AN_HOUR_MS)
            self.put(store, row)
            assert lose(store, a_claim(state)) == row

    def test_a_reservation_never_ends(self, store: Store) -> None:
        """Not even one that says it expired."""
        self.put(store, a_row("root", "reserved", expires_in_ms=-60_000))
        assert lose(store, a_claim("root")).state == "reserved"

    def test_a_row_says_whether_its_name_is_free(self, store: Store) -> None:
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

    def test_a_batch_answers_in_its_own_order(self, store: Store) -> None:
        """Winners, losers and a name asked for twice, each told what is so."""
        taken = win(store, a_claim("m"))
        batch = [a_claim(key) for key in ("z", "m", "b", "z", "a")]
        outcomes = store.claim_many(batch, deadline=soon())
        assert kinds(outcomes) == [Won, Lost, Won, Lost, Won]
        assert [outcome.row.key for outcome in _settled(outcomes)] == list("zmbza")
        assert outcomes[1] == Lost(taken)
        assert outcomes[3] == Lost(_settled(outcomes)[0].row)

    def test_a_free_name_twice_in_a_batch_goes_to_the_first(self, store: Store) -> None:
        """Taking over is as exclusive as inserting."""
        self.put(store, a_row("ada", "free"))
        batch = [a_claim("ada"), a_claim("ada")]
        first, second = store.claim_many(batch, deadline=soon())
        assert isinstance(first, Won)
        assert first.row.owner == batch[0].owner
        assert second == Lost(first.row)

    def test_a_batch_sent_again_wins_again(self, store: Store) -> None:
        """Each claim of a batch has its own token and its own answer."""
        win(store, a_claim("m"))
        batch = [a_claim(key, user=True) for key in "zma"]
        assert store.claim_many(batch, deadline=soon()) == store.claim_many(batch, deadline=soon())

    def test_a_batch_may_be_large(self, store: Store) -> None:
        """No limit of a driver or a database shows through."""
        keys = [f"n{i:04}" for i in range(1200)]
        taken = {key: win(store, a_claim(key)) for key in keys[::400]}
        batch = [a_claim(key, user=True) for key in reversed(keys)]
        outcomes = store.claim_many(batch, deadline=soon())
        assert [outcome.row.key for outcome in _settled(outcomes)] == keys[::-1]
        assert {o.row.key for o in outcomes if isinstance(o, Lost)} == set(taken)
        assert set(store.find(keys, deadline=soon())) == set(keys)

    def test_an_empty_batch_has_no_answers(self, store: Store) -> None:
        """Nothing asked, nothing done."""
        assert store.claim_many([], deadline=soon()) == []
        assert store.find([], deadline=soon()) == {}

    # --- keys, displays, namespaces ------------------------------------------

    def test_keys_are_compared_by_their_bytes(self, store: Store) -> None:
        """Case, accents, width and trailing spaces are the rules' business, done before."""
        outcomes = store.claim_many([a_claim(key) for key in DISTINCT_KEYS], deadline=soon())
        assert kinds(outcomes) == [Won] * len(DISTINCT_KEYS)
        assert set(store.find(DISTINCT_KEYS, deadline=soon())) == set(DISTINCT_KEYS)
        for key in DISTINCT_KEYS:
            assert lose(store, a_claim(key)).key == key

    def test_a_display_comes_back_as_it_went_in(self, store: Store) -> None:
        """Character for character, and the user's name too."""
        for i, display in enumerate(SPELLINGS):
            row = win(store, a_claim(a_name(f"n{i}", display=display), user=True))
            assert row.display == display
            assert look_up(store, f"n{i}") == row
            assert row.owner is not None
            assert _user(store, row.owner).username == display

    def test_an_owner_may_be_anything_of_64_characters(self, store: Store) -> None:
        """Opaque to the store, and compared by bytes."""
        owner = "👤" * MAX_OWNER
        assert win(store, a_claim("ada", owner=owner)).owner == owner
        assert not release(store, "ada", owner[:-1] + "x")
        assert release(store, "ada", owner)

    def test_find_returns_what_was_claimed_and_nothing_else(self, store: Store) -> None:
        """A key that never was a name has no row."""
        rows = {key: win(store, a_claim(key)) for key in ("a", "b")}
        win(store, a_claim("c"))
        assert store.find(["b", "never", "a", "a"], deadline=soon()) == rows

    def test_namespaces_know_nothing_of_each_other(self, store: Store) -> None:
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

    def test_a_batch_may_span_namespaces(self, store: Store) -> None:
        """Each answer is of its own namespace."""
        first = [a_claim(key, namespace=name) for key in "ab" for name in "xy"]
        again = [a_claim(key, namespace=name) for key in "ab" for name in "yx"]
        assert kinds(store.claim_many(first, deadline=soon())) == [Won] * 4
        places = [(o.row.namespace, o.row.key) for o in _lost(store, again)]
        assert places == [("y", "a"), ("x", "a"), ("y", "b"), ("x", "b")]

    # --- users -------------------------------------------------------------

    def test_only_winners_get_a_user(self, store: Store) -> None:
        """A loser leaves nothing behind."""
        winner, loser = a_claim("ada", user=True), a_claim("ada", user=True)
        win(store, winner)
        lose(store, loser)
        assert _user(store, winner.owner).username == "ada"
        assert store.user(loser.owner, deadline=soon()) is None
        assert [user.id for user in _walk(store)] == [winner.owner]

    def test_a_request_sent_twice_makes_one_user(self, store: Store) -> None:
        """The first one: each attempt may have thought of its own id."""
        first = a_claim("ada", user=True)
        win(store, first)
        again = a_claim("ada", token=first.token, user=True)
        win(store, again)
        assert [user.id for user in _walk(store)] == [first.owner]

    def test_a_user_without_the_name_is_not_listed(self, store: Store) -> None:
        """No name, no listing; no user, no listing."""
        gone = a_claim("ada", user=True)
        win(store, gone)
        win(store, a_claim("bob"))
        assert release(store, "ada", gone.owner)
        assert store.user(gone.owner, deadline=soon()) is None
        assert _walk(store) == []

    def test_pages_stay_put_when_users_come(self, store: Store) -> None:
        """Everybody who was there at the start is seen once, in order."""
        there = self._users(store, 30)
        seen: list[UserRow] = []
        while page := store.users(limit=7, after=seen[-1].id if seen else None, deadline=soon()):
            seen += page
            self._users(store, 3)
        ids = [user.id for user in seen]
        assert ids == sorted(set(ids))
        assert there <= set(ids)

    def test_a_page_holds_no_more_than_asked(self, store: Store) -> None:
        """And starts past the id it was given."""
        ids = sorted(self._users(store, 5))
        page = store.users(limit=2, after=ids[1], deadline=soon())
        assert [user.id for user in page] == ids[2:4]
        assert store.users(limit=2, after=ids[-1], deadline=soon()) == []

    def test_users_are_as_old_as_the_clock_says(self, store: Store) -> None:
        """Milliseconds since 1970, whatever the server's time zone."""
        wanted = a_claim("ada", user=True)
        win(store, wanted)
        age = time.time() * 1000 - _user(store, wanted.owner).created_at
        assert abs(age) < PATIENCE_S * 1000

    def _users(self, store: Store, count: int) -> set[str]:
        batch = [a_claim(uuid.uuid4().hex, user=True) for _ in range(count)]
        assert kinds(store.claim_many(batch, deadline=soon())) == [Won] * count
        return {wanted.owner for wanted in batch}

    # --- itself ------------------------------------------------------------

    def test_the_store_is_as_it_should_be(self, store: Store) -> None:
        """`verify` has nothing to say."""
        store.verify(deadline=soon())

    def test_the_secret_is_one(self, store: Store) -> None:
        """Random, long, and the same each time."""
        secret = store.secret(deadline=soon())
        assert len(secret) >= 32
        assert store.secret(deadline=soon()) == secret


def _settled(outcomes: Sequence[Outcome]) -> list[Won | Lost]:
    settled = [outcome for outcome in outcomes if isinstance(outcome, (Won, Lost))]
    assert len(settled) == len(outcomes), outcomes
    return settled


def _lost(store: Store, batch: Sequence[Claim]) -> list[Lost]:
    outcomes = store.claim_many(batch, deadline=soon())
    lost = [outcome for outcome in outcomes if isinstance(outcome, Lost)]
    assert len(lost) == len(batch), outcomes
    return lost


def _user(store: Store, user_id: str) -> UserRow:
    user = store.user(user_id, deadline=soon())
    assert user is not None
    return user


def _walk(store: Store) -> list[UserRow]:
    return store.users(limit=10_000, after=None, deadline=soon())
