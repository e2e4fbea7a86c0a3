"""Holds: a name kept back for a while, until its sign-up is complete."""

from __future__ import annotations

import hashlib
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass

from dibs.context import Deadline
from dibs.errors import HoldNotFound, HoldOfAnotherName, TooManyHolds
from dibs.names import Username
from dibs.registry import Registry
from dibs.registry.coherence import Coherence
from dibs.secret import claim_token, key_of, mac
from dibs.store import Claim, NameRow, NameStore, short_token

KIND = "hold"
DAY_SECONDS = 86_400
PROOF = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class HoldToken:
    """What who holds a name shows for it: its key, and a proof of which the database has a hash."""

    key: str
    proof: str

    @property
    def claim_token(self) -> str:
        """What the name's row carries."""
        return short_token(hashlib.sha256(self.proof.encode()).hexdigest())

    def __str__(self) -> str:
        key = urlsafe_b64encode(self.key.encode()).decode().rstrip("=")
        return f"{key}.{self.proof}"

    @classmethod
    def read(cls, text: str) -> HoldToken:
        """The token that was shown; what is none of ours is a `HoldNotFound`."""
        key, _, proof = text.partition(".")
        try:
            decoded = urlsafe_b64decode(key + "=" * (-len(key) % 4)).decode()
        except (NotBase64, ValueError):
            raise HoldNotFound from None
        found = cls(decoded, proof)
        if str(found) != text or "\0" in decoded or not PROOF.fullmatch(proof):
            raise HoldNotFound
        return found

    @classmethod
    def redeemed(cls, text: str, username: Username) -> str:
        """The claim token of a hold of this name, by what was shown; else `HoldOfAnotherName`."""
        try:
            token = cls.read(text)
        except HoldNotFound:
            raise HoldOfAnotherName from None
        if token.key != username.key:
            raise HoldOfAnotherName
        return token.claim_token


@dataclass(frozen=True, slots=True)
class Held:
    """A name that is held.

    Attributes:
        expires_at: When it ends, in milliseconds of the database's clock since 1970.
    """

    token: str
    username: str
    expires_at: int
    seconds: int


class Holds:
    """Holds names of one namespace, `most` a source; raises what `NameStore` does."""

    def __init__(
        self,
        registry: Registry,
        store: NameStore,
        coherence: Coherence,
        *,
        secret: Callable[[Deadline], str],
        seconds: int,
        most: int,
    ) -> None:
        self._registry = registry
        self._store = store
        self._coherence = coherence
        self._secret = secret
        self._seconds = seconds
        self._most = most

    def hold(
        self,
        name: str,
        *,
        source: str,
        request: tuple[bytes, ...],
        repeatable: bool,
        deadline: Deadline,
    ) -> Held:
        """Keep a name back for whoever gets the token.

        Args:
            source: Where the request comes from; only a hash of it is stored.
            request: What makes this request this one; see `Registration.register`.
            repeatable: Whether it may have been sent before.

        Raises:
            InvalidName: The name breaks a rule.
            NameTaken: Somebody has the name, or holds it.
            TooManyHolds: This source holds as many as it may.
            OutcomeUnknown: Whether it was stored is not known; send the same request again.
        """
        username = self._registry.admit(name, deadline=deadline)
        secret = self._secret(deadline)
        token = HoldToken(username.key, claim_token(request, secret))
        claim = Claim(
            username,
            KIND,
            _digest(source, secret),
            token.claim_token,
            self._registry.namespace,
            state="held",
            lasts=1000 * self._seconds,
        )
        row = self._registry.look(claim, costly=False, repeatable=repeatable, deadline=deadline)
        if row is None:
            self._refuse_greed(claim.owner, self._most - 1, deadline)
            row = self._registry.claim(claim, deadline=deadline)
            # Once more after COMMIT: of two that came at once, neither saw the other before.
            try:
                self._refuse_greed(str(row.owner), self._most, deadline)
            except TooManyHolds:
                self._coherence.end(row, deadline=deadline)
                raise
        seconds = max(0, -(-(row.expires_in or 0) // 1000))
        return Held(str(token), row.display, row.expires_at or 0, seconds)

    def let_go(self, text: str, *, deadline: Deadline) -> None:
        """End a hold early; `HoldNotFound` is raised where there is none with this token."""
        token = HoldToken.read(text)
        row = self.find(token, deadline=deadline)
        if row is None or not self._coherence.end(row, deadline=deadline):
            raise HoldNotFound

    def going_on(self, *, limit: int, deadline: Deadline) -> list[NameRow]:
        """The newest holds, the newest first."""
        return self._store.held(
            within=1000 * self._seconds,
            limit=limit,
            namespace=self._registry.namespace,
            deadline=deadline,
        )

    def find(self, token: HoldToken, *, deadline: Deadline) -> NameRow | None:
        """The row of this hold, while it lasts."""
        namespace = self._registry.namespace
        rows = self._store.find([token.key], namespace=namespace, deadline=deadline)
        row = rows.get(token.key)
        living = row is not None and row.state == "held" and not row.free
        return row if living and row and row.claim_token == token.claim_token else None

    def _refuse_greed(self, owner: str, most: int, deadline: Deadline) -> None:
        rows = self._store.names_of(
            KIND, owner, state="held", namespace=self._registry.namespace, deadline=deadline
        )
        if len(rows) > most:
            left = min(row.expires_in or 0 for row in rows)
            raise TooManyHolds(retry_after=max(1, -(-left // 1000)))


def _digest(source: str, secret: str) -> str:
    """Who holds, for the cap alone: nobody can tell an address from it, nor follow it for days."""
    text = f"hold\0{int(time.time() // DAY_SECONDS)}\0{source}"
    return mac(key_of("hold", secret), text.encode()).hex()[:32]
