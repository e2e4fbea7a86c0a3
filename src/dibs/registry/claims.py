"""The registry: claim, reserve and release, from a parsed name to the store."""

from __future__ import annotations

import secrets

from dibs.names import Parser
from dibs.registry.availability import Asking
from dibs.registry.coherence import Coherence
from dibs.registry.refusals import refusal, won
from dibs.store import DEFAULT_NAMESPACE, STAFF, Claim, Deadline, NameRow, NameStore
from dibs.store.names.quarantine import Quarantine
from dibs.strategies import Strategy


class Registry(Asking):
    """Names of one namespace, unclaimed until somebody does.

    Args:
        quarantine: Milliseconds for which a released name is nobody else's; None for ever.
    """

    def __init__(
        self,
        store: NameStore,
        strategy: Strategy,
        *,
        parser: Parser,
        coherence: Coherence | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        quarantine: int | None = 0,
    ) -> None:
        super().__init__(store, strategy, parser=parser, namespace=namespace)
        self._coherence = coherence or Coherence(store)
        self._rest = Quarantine(quarantine, remembered=quarantine != 0)

    def look(
        self, claim: Claim, *, costly: bool, repeatable: bool = False, deadline: Deadline
    ) -> NameRow | None:
        """What the strategy asks before the insert.

        Args:
            claim: The wish as it will be inserted; whatever is costly may still be missing.
            costly: Whether a password hash comes next, which a taken name must not cost.
            repeatable: Whether this may be the repetition of a request that won.

        Returns:
            The row of this same request's earlier success, if there was one.

        Raises:
            NameTaken: Somebody has the name; the subclass says how.
        """
        row = self._strategy.holder(
            claim.username.key,
            namespace=claim.namespace,
            costly=costly,
            first=not (repeatable or claim.by_staff or claim.hold),
            deadline=deadline,
        )
        if row is None or row.free:
            return None
        if isinstance(row, NameRow):
            if row.won_by(claim.token):
                return row
            if row.open_to(claim):
                return None
        raise refusal(row, claim.username.canonical)

    def claim(self, claim: Claim, *, deadline: Deadline) -> NameRow:
        """Take the name: the insert in which every strategy ends.

        Returns:
            The row. Its owner is an earlier one if this claim's token had won already.

        Raises:
            NameTaken: Somebody has the name; the subclass says how.
        """
        return won(self._strategy.claim(claim, deadline=deadline), claim)

    def reserve(self, raw: str, *, reason: str, deadline: Deadline) -> NameRow:
        """Keep a name back, for staff to give away.

        Args:
            reason: Why; at most 64 characters.

        Raises:
            InvalidName: The name breaks a rule, or nobody may have it anyway.
            NameTaken: Somebody has the name, or it is reserved already.
        """
        username = self.admit(raw, deadline=deadline)
        token = secrets.token_hex(16)
        claim = Claim(username, STAFF, reason, token, self.namespace, state="reserved")
        return self.claim(claim, deadline=deadline)

    def unreserve(self, raw: str, *, deadline: Deadline) -> bool:
        """Free a reserved name, and say whether it was one.

        Raises:
            InvalidName: There can be no such name.
        """
        key = self.parser.existing(raw).key
        while True:
            row = self._store.find([key], namespace=self.namespace, deadline=deadline).get(key)
            if row is None or row.state != "reserved":
                return False
            if self._coherence.end(row, deadline=deadline):
                return True

    def release(self, raw: str, *, owner: str, deadline: Deadline) -> bool:
        """Free the name if this owner holds it, and say whether it did.

        Raises:
            InvalidName: There can be no such name.
        """
        row = self.holder(raw, deadline=deadline)
        while row is not None and row.owner == owner:
            if self._coherence.release(row, rest=self._rest, deadline=deadline):
                return True
            row = self.holder(raw, deadline=deadline)
        return False
