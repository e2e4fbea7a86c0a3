"""The registry: claim, reserve and release, from a parsed name to the store."""

from __future__ import annotations

import secrets

from dibs.names import Parser, Username
from dibs.registry.availability import Asking
from dibs.registry.coherence import Coherence
from dibs.registry.refusals import refusal, settled
from dibs.store import (
    DEFAULT_NAMESPACE,
    Claim,
    Deadline,
    NameRow,
    NewTeam,
    NewUser,
    Store,
)
from dibs.store.names.releases import Quarantine
from dibs.strategies import Strategy


class Registry(Asking):
    """Names of one namespace, unclaimed until somebody does.

    Args:
        store: Says yes.
        strategy: What happens before that.
        parser: Which names there can be, and which are one.
        coherence: Frees names.
        namespace: Names are unique within one.
        quarantine: Milliseconds for which a released name is nobody else's; None for ever.
    """

    def __init__(
        self,
        store: Store,
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
        self,
        username: Username,
        *,
        token: str,
        costly: bool,
        repeatable: bool = False,
        by_staff: bool = False,
        hold: str = "",
        deadline: Deadline,
    ) -> NameRow | None:
        """What the strategy asks before the insert.

        Args:
            username: The parsed name.
            token: Which request asks.
            costly: Whether a password hash comes next, which a taken name must not cost.
            repeatable: Whether this may be the repetition of a request that won.
            by_staff: Whether a name may be had that is reserved, held or quarantined.
            hold: The claim token of a hold that is to become a registration.
            deadline: When the caller stops waiting.

        Returns:
            The row of this same request's earlier success, if there was one.

        Raises:
            NameTaken: Somebody has the name; the subclass says how.
            StoreUnavailable: The database cannot answer.
        """
        row = self._strategy.holder(
            username.key,
            namespace=self.namespace,
            costly=costly,
            first=not (repeatable or by_staff or hold),
            deadline=deadline,
        )
        if row is None or row.free or (by_staff and row.state != "owned"):
            return None
        if isinstance(row, NameRow):
            if row.won_by(token):
                return row
            if hold and row.state == "held" and row.claim_token == hold:
                return None
        raise refusal(row, username.canonical)

    def claim(
        self,
        username: Username,
        *,
        token: str,
        owner_kind: str,
        owner: str,
        user: NewUser | None = None,
        team: NewTeam | None = None,
        by_staff: bool = False,
        hold: str = "",
        lasts: int | None = None,
        deadline: Deadline,
    ) -> NameRow:
        """Take the name: the insert in which every strategy ends.

        Args:
            username: The parsed name.
            token: Which request asks; a row that carries it is its earlier success.
            owner_kind: What will own the name.
            owner: Which one.
            user: Written in the same transaction.
            team: The same.
            by_staff: Whether a name may be had that is reserved, held or quarantined.
            hold: The claim token of a hold that this claim redeems.
            lasts: Milliseconds for which the name is only held; None to own it.
            deadline: When the caller stops waiting.

        Returns:
            The row. Its owner is an earlier one if this token had won already.

        Raises:
            NameTaken: Somebody has the name; the subclass says how.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was stored is not known.
        """
        claim = Claim(
            username,
            owner_kind,
            owner,
            token,
            self.namespace,
            user,
            by_staff=by_staff,
            team=team,
            state="owned" if lasts is None else "held",
            lasts=lasts,
            hold=hold,
        )
        return self._settled(claim, deadline)

    def reserve(self, raw: str, *, reason: str, deadline: Deadline) -> NameRow:
        """Keep a name back, for staff to give away.

        Args:
            raw: The name.
            reason: Why; at most 64 characters.
            deadline: When the caller stops waiting.

        Raises:
            InvalidName: The name breaks a rule, or nobody may have it anyway.
            NameTaken: Somebody has the name, or it is reserved already.
            StoreUnavailable: Nothing was changed.
        """
        username = self.admit(raw, deadline=deadline)
        token = secrets.token_hex(16)
        claim = Claim(username, "staff", reason, token, self.namespace, state="reserved")
        return self._settled(claim, deadline)

    def unreserve(self, raw: str, *, deadline: Deadline) -> bool:
        """Free a reserved name, and say whether it was one.

        Raises:
            InvalidName: There can be no such name.
            StoreUnavailable: It is not known to be free; asking again is safe.
        """
        row = self._row(raw, deadline)[1]
        while row is not None and row.state == "reserved":
            if self._coherence.end(row, deadline=deadline):
                return True
            row = self._row(raw, deadline)[1]
        return False

    def release(self, raw: str, *, owner: str, deadline: Deadline) -> bool:
        """Free the name if this owner holds it, and say whether it did.

        Raises:
            InvalidName: There can be no such name.
            StoreUnavailable: It is not known to be released; asking again is safe.
        """
        row = self.holder(raw, deadline=deadline)
        while row is not None and row.owner == owner:
            if self._coherence.release(row, rest=self._rest, deadline=deadline):
                return True
            row = self.holder(raw, deadline=deadline)
        return False

    def _settled(self, claim: Claim, deadline: Deadline) -> NameRow:
        return settled(self._strategy.claim(claim, deadline=deadline), claim.username)
