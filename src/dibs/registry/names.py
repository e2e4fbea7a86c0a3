"""The registry: names are asked about, claimed, reserved, released, and why one cannot be had."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Self

from dibs.errors import (
    InvalidName,
    NameHeld,
    NameLookalike,
    NameQuarantined,
    NameReserved,
    NameTaken,
    StoreUnavailable,
)
from dibs.names import Parser, Username, meant, ways
from dibs.names.suggest import Suggestion, candidates
from dibs.names.username import MIXED, Asked
from dibs.registry.coherence import Coherence
from dibs.store import DEFAULT_NAMESPACE, STAFF, Claim, Deadline, Lost, NameRow, Outcome
from dibs.store.names.groups import holders
from dibs.store.names.quarantine import Quarantine

if TYPE_CHECKING:  # a host app needs the refusals alone
    from dibs.store import NameStore
    from dibs.strategies import Holder, Strategy

REFUSALS: dict[str, type[NameTaken]] = {
    "companion": NameTaken,
    "group": NameTaken,
    "quarantined": NameQuarantined,
    "reserved": NameReserved,
}


def refusal(row: Holder, canonical: str) -> NameTaken:
    """Why the name cannot be had, read from the row that was there.

    The key says that the name is not free; who has it is told by the canonical
    form alone, or a look-alike would pass for its neighbour.
    """
    if row.state == "owned":
        return NameTaken() if row.canonical == canonical else NameLookalike()
    if row.state == "held":
        left = row.expires_in
        return NameHeld(retry_after=None if left is None else max(1, -(-left // 1000)))
    return REFUSALS[row.state]()


def found_against(asked: Asked, found: Mapping[str, Holder]) -> InvalidName | NameTaken | None:
    """Why a name that was asked about cannot be had; who has it says more than the rules."""
    if asked.username is None:
        return asked.broken
    row = found.get(asked.username.key)
    if row is None or row.free:
        return asked.broken
    return refusal(row, asked.username.canonical)


def won(outcome: Outcome, claim: Claim) -> NameRow:
    """The row that was won; who lost hears why, by a `NameTaken`."""
    if isinstance(outcome, Lost):
        raise refusal(outcome.row, claim.username.canonical)
    return outcome.row


# Names like the one that is wanted are often taken too; so many are asked for at once.
CANDIDATES = 12
SUGGESTIONS = 5


class Registry:
    """Names of one namespace, unclaimed until somebody does; raises what `NameStore` does.

    Args:
        quarantine: Milliseconds for which a released name is nobody else's; None for ever.

    Attributes:
        parser: Reads names by the rules alone: whose they are, it does not ask.
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
        self._store = store
        self._strategy = strategy
        self._coherence = coherence or Coherence(store)
        self.namespace = namespace
        self.parser = parser
        # Who wants a reserved name is told of others too, and staff may give it away.
        self._wishes = parser.with_reserved(())
        self._rest = Quarantine(quarantine, remembered=quarantine != 0)

    def within(self, namespace: str) -> Self:
        """The same for the names of another namespace."""
        other = copy(self)
        other.namespace = namespace
        return other

    def reserve_routes(self, words: Iterable[str]) -> None:
        """Keep the first parts of a service's own addresses from becoming names.

        For start-up, before the first name is parsed.
        """
        self.parser = self.parser.with_routes(words)

    def admit(
        self,
        raw: str,
        *,
        deadline: Deadline,
        own: Callable[[], Iterable[str]] = tuple,
        by_staff: bool = False,
    ) -> Username:
        """Parse what somebody wants to be called; of mixed scripts, the database is asked too.

        Args:
            own: Gives the names that are theirs already, or may be again.
            by_staff: Whether it is given to them, and may be a built-in reserved name.

        Raises:
            InvalidName: The name breaks a rule; `reasons` holds all of them.
            NameLookalike: It does so only by mixing scripts, and looks like a name that
                somebody has: which says more.
        """
        try:
            return (self._wishes if by_staff else self.parser).parse_own(raw, own)
        except InvalidName as error:
            if {reason.code for reason in error.reasons} == MIXED:
                self._refuse_lookalike(raw, deadline)
            raise

    def _refuse_lookalike(self, raw: str, deadline: Deadline) -> None:
        with suppress(InvalidName, StoreUnavailable):
            if taken := self.check(self.parser.existing(raw), deadline=deadline):
                raise taken

    def suggest(self, raw: str, *, deadline: Deadline) -> list[Suggestion]:
        """Other names like this one that were free a moment ago; none if the database cannot say.

        One query, whatever the number. Free names say nothing of who exists.
        """
        try:
            made = candidates(
                self._wishes.parse(raw),
                parser=self.parser,
                seed_minute=int(time.time() // 60),
                count=CANDIDATES,
            )
            keys = [one.key for one in made]
            found = self._store.find(keys, namespace=self.namespace, deadline=deadline)
        except (InvalidName, StoreUnavailable):
            return []
        free = [one for one in made if (row := found.get(one.key)) is None or row.free]
        return free[:SUGGESTIONS]

    def check(self, username: Username, *, deadline: Deadline) -> NameTaken | None:
        """Why the name cannot be had now, or None: advice, never a promise."""
        found = self._strategy.check([username.key], namespace=self.namespace, deadline=deadline)
        row = found.get(username.key)
        return None if row is None or row.free else refusal(row, username.canonical)

    def check_many(
        self, names: Sequence[str], *, rules_only: bool = False, deadline: Deadline
    ) -> list[tuple[str | None, InvalidName | NameTaken | None]]:
        """The canonical form of each name, and why it cannot be had now, with one look for all.

        Args:
            rules_only: Whether nobody is asked who has them.
        """
        asked = [self.parser.asked(name) for name in names]
        keys = [] if rules_only else [one.username.key for one in asked if one.username]
        found: Mapping[str, Holder] = {}
        if keys := list(dict.fromkeys(keys)):
            found = self._strategy.check(keys, namespace=self.namespace, deadline=deadline)
        return [(one.canonical, found_against(one, found)) for one in asked]

    def holder(self, raw: str, *, deadline: Deadline) -> NameRow | None:
        """The row of the name that is typed so, if somebody owns it; raises what `row_of` does."""
        rows = (self.row_of(text, deadline=deadline) for text in ways(raw))
        return next((row for row in rows if row is not None and row.state == "owned"), None)

    def row_of(self, raw: str, *, deadline: Deadline) -> NameRow | None:
        """The row that is meant by this name, whatever its state; a look-alike is somebody else.

        Where there can be no such name, it raises `InvalidName`.
        """
        username = self.parser.existing(raw)
        find = partial(self._store.find, namespace=self.namespace, deadline=deadline)
        found = holders(find, username, self.parser.keys(username))
        # A name that nobody has is only itself.
        rows = [row for row in found if not row.free or row.canonical == username.canonical]
        return meant(username, rows)

    def look(
        self, claim: Claim, *, costly: bool, repeatable: bool = False, deadline: Deadline
    ) -> NameRow | None:
        """What the strategy asks before the insert: this request's own row, if it had won before.

        Args:
            costly: Whether a password hash comes next, which a taken name must not cost.
            repeatable: Whether this may be the repetition of a request that won.

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

    def reserved(self, *, after: str, limit: int, deadline: Deadline) -> list[NameRow]:
        """So many names that staff reserved, in the order of keys, past the name `after` if any.

        Raises:
            InvalidName: There can be no name `after`.
        """
        key = self.parser.existing(after).key if after else ""
        found = self._store.reserved(namespace=self.namespace, deadline=deadline)
        return [row for row in found if row.key > key][:limit]

    def unreserve(self, raw: str, *, deadline: Deadline) -> bool:
        """Free a reserved name, and say whether it was one; raises what `row_of` does."""
        key = self.parser.existing(raw).key
        while True:
            row = self._store.find([key], namespace=self.namespace, deadline=deadline).get(key)
            if row is None or row.state != "reserved":
                return False
            if self._coherence.end(row, deadline=deadline):
                return True

    def release(self, raw: str, *, owner: str, deadline: Deadline) -> bool:
        """Free the name if this owner holds it, and say whether they did; raises as `row_of`."""
        row = self.holder(raw, deadline=deadline)
        while row is not None and row.owner == owner:
            if self._coherence.release(row, rest=self._rest, deadline=deadline):
                return True
            row = self.holder(raw, deadline=deadline)
        return False
