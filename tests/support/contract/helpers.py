"""What tests of names say often."""

# Asserting is what this module is for, and its look-alike letters are meant.

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable

from dibs.errors import StoreError
from dibs.names import RULES_VERSION, Username
from dibs.store import (
    DEFAULT_NAMESPACE,
    Claim,
    Deadline,
    Failed,
    Lost,
    NameRow,
    NameStore,
    NewUser,
    Outcome,
    Won,
)
from dibs.store.names.quarantine import FREE, Quarantine
from dibs.store.records import State

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

TIMED: tuple[State, ...] = ("held", "quarantined")
"""States that end by themselves."""


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
    password_hash: str | None = None,
    lasts: int | None = None,
    hold: str = "",
) -> Claim:
    """A claim for a key, by somebody new unless told otherwise.

    Args:
        name: A parsed name, or a key.
        owner: The one who asks.
        token: Which request asks.
        namespace: Where the name is to be unique.
        user: Whether a user row is to be written with it.
        password_hash: The user's.
        lasts: Milliseconds for which the name is to be held; None to own it.
        hold: The token of a hold that this claim redeems.
    """
    owner = owner or str(uuid.uuid4())
    return Claim(
        username=a_name(name) if isinstance(name, str) else name,
        owner_kind="user",
        owner=owner,
        token=token or uuid.uuid4().hex,
        namespace=namespace,
        user=NewUser(owner, password_hash) if user else None,
        state="owned" if lasts is None else "held",
        lasts=lasts,
        hold=hold,
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
        or (state in TIMED and expires_in_ms is not None and expires_in_ms <= 0),
    )


def soon() -> Deadline:
    """A deadline that only a store that hangs will miss."""
    return Deadline.after(PATIENCE_S)


def claim(store: NameStore, wanted: Claim, *, deadline: Deadline | None = None) -> Outcome | Failed:
    """The outcome of a claim, also where it is an error."""
    try:
        return store.claim(wanted, deadline=deadline or soon())
    except StoreError as error:
        return Failed(error)


def win(store: NameStore, wanted: Claim) -> NameRow:
    """The row of a claim that must be won."""
    outcome = claim(store, wanted)
    assert isinstance(outcome, Won), outcome
    return outcome.row


def lose(store: NameStore, wanted: Claim) -> NameRow:
    """The row that stood in the way of a claim that must be lost."""
    outcome = claim(store, wanted)
    assert isinstance(outcome, Lost), outcome
    return outcome.row


def look_up(store: NameStore, key: str, *, namespace: str = DEFAULT_NAMESPACE) -> NameRow | None:
    """The row of one key."""
    return store.find([key], namespace=namespace, deadline=soon()).get(key)


def release(
    store: NameStore,
    key: str,
    owner: str,
    *,
    rest: Quarantine = FREE,
    namespace: str = DEFAULT_NAMESPACE,
) -> bool:
    """Whether this owner gave the name back."""
    return store.release(key, owner=owner, rest=rest, namespace=namespace, deadline=soon())


def kinds(outcomes: Iterable[Outcome | Failed]) -> list[type[Outcome | Failed]]:
    """What each outcome is, without its row."""
    return [type(outcome) for outcome in outcomes]


def settled(outcomes: Iterable[Outcome | Failed]) -> list[Won | Lost]:
    """Outcomes of which none may have failed."""
    outcomes = list(outcomes)
    found = [outcome for outcome in outcomes if isinstance(outcome, (Won, Lost))]
    assert len(found) == len(outcomes), outcomes
    return found
