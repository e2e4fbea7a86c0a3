"""What can be driven: a registry on a store, as the service uses it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dibs.checker import Answer
from dibs.errors import HoldNotFound
from dibs.names import parse
from dibs.registry import Registry
from dibs.registry.coherence import Coherence
from dibs.registry.holds import Holds, HoldToken
from dibs.registry.renames import Renames
from dibs.store import Claim, NameRow, NameStore, NewUser
from dibs.store.names.moves import Pace
from tests.caches import open_cache, registry_on
from tests.support.contract import soon
from tests.support.memory import MemoryStore

# Three ways to write one name, for each.
WANTED = [
    case(name) for name in ("ada", "eve", "bob", "zoë") for case in (str, str.upper, str.title)
]

HOLD_S = 1
"""How long a hold lasts: the shortest of which anything can be said."""


def key_of(name: str) -> str:
    """What is equal is one name."""
    return parse(name).key


@dataclass(frozen=True, slots=True)
class RegistryClient:
    """Asks a registry, with holds and renames, as the service does.

    Attributes:
        rests: For how many seconds a name rests that was given up.
    """

    registry: Registry
    holds: Holds
    renames: Renames
    rests: float = 0.0

    def claim(self, name: str, *, owner: str, request: str, hold: str) -> Answer:
        def ask() -> Answer:
            deadline = soon()
            wish = Claim(
                parse(name),
                "user",
                owner,
                request,
                # A rename locks the user's own row.
                user=NewUser(owner),
                hold=HoldToken.read(hold).claim_token if hold else "",
            )
            self.registry.look(wish, costly=False, repeatable=True, deadline=deadline)
            self.registry.claim(wish, deadline=deadline)
            return Answer()

        return Answer.to(ask)

    def release(self, name: str, *, owner: str) -> Answer:
        def ask() -> Answer:
            done = self.registry.release(name, owner=owner, deadline=soon())
            return Answer() if done else Answer("refused", "not_owner")

        return replace(Answer.to(ask, away="unknown"), seconds=self.rests)

    def look(self, name: str) -> Answer:
        return Answer.to(lambda: seen(self.registry.holder(name, deadline=soon())))

    def hold(self, name: str, *, owner: str, request: str) -> Answer:
        def ask() -> Answer:
            held = self.holds.hold(
                name,
                source=owner,
                request=(request.encode(),),
                repeatable=True,
                deadline=soon(),
            )
            return Answer(hold=held.token)

        return replace(Answer.to(ask), seconds=HOLD_S)

    def unhold(self, name: str, *, owner: str, hold: str) -> Answer:
        def ask() -> Answer:
            try:
                self.holds.let_go(hold, deadline=soon())
            except HoldNotFound:
                return Answer("refused", HoldNotFound.code)
            return Answer()

        return Answer.to(ask, away="unknown")

    def rename(self, old: str, new: str, *, owner: str, request: str) -> Answer:
        def ask() -> Answer:
            # One owner asks one thing at a time, so that what she has does not change meanwhile.
            if seen(self.registry.holder(old, deadline=soon())).owner != owner:
                return Answer("refused", "not_owner")
            self.renames.rename(new, user_id=owner, deadline=soon())
            return Answer()

        return replace(Answer.to(ask), seconds=self.rests)


def seen(row: NameRow | None) -> Answer:
    """Who owns the name, as the database says."""
    owned = row is not None and row.state == "owned"
    return Answer(owner=str(row.owner) if owned and row else "")


def client_of(
    store: NameStore | None = None,
    strategy: str = "unique_constraint",
    redis_url: str = "",
    *,
    rests: float = 0.0,
) -> RegistryClient:
    """A registry as one process of the service makes it; in memory without a store."""
    store = store or MemoryStore()
    cache = open_cache(redis_url, store)
    registry = registry_on(strategy, store, cache, quarantine=round(1000 * rests))
    coherence = Coherence(store, cache)
    secret = store.secret(deadline=soon())
    holds = Holds(registry, store, coherence, secret=lambda _: secret, seconds=HOLD_S, most=1)
    renames = Renames(
        registry,
        store,
        coherence,
        quarantine=round(1000 * rests),
        redirects=True,
        pace=Pace(most=1_000_000),
    )
    return RegistryClient(registry, holds, renames, rests)
