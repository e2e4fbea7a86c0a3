"""Check, claim and release: from a parsed name through a strategy to the store."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy

from dibs.cache import Layers
from dibs.errors import (
    InvalidName,
    NameHeld,
    NameLookalike,
    NameQuarantined,
    NameReserved,
    NameTaken,
    StoreUnavailable,
)
from dibs.names import RESERVED, Lookalikes, Parser, Username, parse_existing
from dibs.names.asked import MIXED, Asked, ask
from dibs.names.suggest import Suggestion, candidates
from dibs.store import (
    DEFAULT_NAMESPACE,
    Claim,
    Deadline,
    Failed,
    Lost,
    NameRow,
    NewTeam,
    NewUser,
    Outcome,
    Store,
    Won,
)
from dibs.store.releases import Rest
from dibs.strategies import Holder, Strategy

# Names like the one that is wanted are often taken too; so many are asked for at once.
CANDIDATES = 12
SUGGESTIONS = 5

REFUSALS: dict[str, type[NameTaken]] = {
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


def settled(outcome: Outcome, username: Username) -> NameRow:
    """The row that was won.

    Raises:
        NameTaken: Somebody has the name; the subclass says how.
        StoreUnavailable: Nothing was changed.
        OutcomeUnknown: Whether it was stored is not known.
    """
    match outcome:
        case Failed(error):
            raise error
        case Lost(row):
            raise refusal(row, username.canonical)
        case Won(row):
            return row


class Registry:
    """Names of one namespace."""

    def __init__(
        self,
        store: Store,
        strategy: Strategy,
        *,
        cache: Layers | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        lookalikes: Lookalikes = "standard",
        quarantine: int | None = 0,
    ) -> None:
        """Names, unclaimed until somebody does.

        Args:
            store: Says yes.
            strategy: What happens before that.
            cache: Is told of names that are freed.
            namespace: Names are unique within one.
            lookalikes: Which names count as one because they look alike.
            quarantine: Milliseconds for which a released name is nobody else's; None for ever.
        """
        self._store = store
        self._strategy = strategy
        # Told of what is freed whatever the strategy: other processes may have another one.
        self._cache = cache or Layers()
        self.namespace = namespace
        self._rest = Rest(quarantine, remembered=quarantine != 0)
        self._lookalikes = lookalikes
        self._names = Parser(lookalikes=lookalikes)
        # Who wants a reserved name is told of others too.
        self._wishes = Parser(reserved=(), lookalikes=lookalikes)

    def within(self, namespace: str) -> Registry:
        """The same for the names of another namespace."""
        other = copy(self)
        other.namespace = namespace
        return other

    def reserve_routes(self, words: Iterable[str]) -> None:
        """Keep the first parts of a service's own addresses from becoming names.

        For start-up, before the first name is parsed.
        """
        self._names = Parser(reserved=RESERVED.with_routes(words), lookalikes=self._lookalikes)

    def parse(self, raw: str, *, deadline: Deadline) -> Username:
        """Make a `Username` of what somebody wants to be called.

        Raises:
            InvalidName: The name breaks a rule; `reasons` holds all of them.
            NameLookalike: It does so only by mixing scripts, and looks like a name that
                somebody has: which says more.
        """
        try:
            return self._names.parse(raw)
        except InvalidName as error:
            if {reason.code for reason in error.reasons} == MIXED:
                self._refuse_lookalike(raw, deadline)
            raise

    def _refuse_lookalike(self, raw: str, deadline: Deadline) -> None:
        with suppress(InvalidName, StoreUnavailable):
            alike = parse_existing(raw, lookalikes=self._lookalikes)
            if taken := self.check(alike, deadline=deadline):
                raise taken

    def suggest(self, raw: str, *, deadline: Deadline) -> list[Suggestion]:
        """Other names like this one that were free a moment ago; none if the database cannot say.

        One query, whatever the number. Free names say nothing of who exists.
        """
        try:
            made = candidates(
                self._wishes.parse(raw),
                parser=self._names,
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
        """Why the name cannot be had now, or None: advice, never a promise.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        found = self._strategy.check([username.key], namespace=self.namespace, deadline=deadline)
        row = found.get(username.key)
        return None if row is None or row.free else refusal(row, username.canonical)

    def check_many(
        self, names: Sequence[str], *, rules_only: bool = False, deadline: Deadline
    ) -> list[tuple[str | None, InvalidName | NameTaken | None]]:
        """The canonical form of each name, and why it cannot be had now, with one look for all.

        Args:
            names: In any order; some may be one name, and some none at all.
            rules_only: Whether nobody is asked who has them.
            deadline: When the caller stops waiting.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        asked = [ask(name, self._names, lookalikes=self._lookalikes) for name in names]
        keys = [] if rules_only else [one.username.key for one in asked if one.username]
        found: Mapping[str, Holder] = {}
        if keys := list(dict.fromkeys(keys)):
            found = self._strategy.check(keys, namespace=self.namespace, deadline=deadline)
        return [(one.canonical, found_against(one, found)) for one in asked]

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
        username = self.parse(raw, deadline=deadline)
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
        if row is None:
            return False
        self._ask_database_about(row, deadline)
        return self._store.free(
            row.key, state="reserved", namespace=self.namespace, deadline=deadline
        )

    def holder(self, raw: str, *, deadline: Deadline) -> NameRow | None:
        """The row of exactly this name, if somebody owns it; a look-alike is somebody else.

        Raises:
            InvalidName: There can be no such name.
            StoreUnavailable: The database cannot answer.
        """
        row = self.row_of(raw, deadline=deadline)
        return row if row is not None and row.state == "owned" else None

    def row_of(self, raw: str, *, deadline: Deadline) -> NameRow | None:
        """The row of exactly this name, whatever its state.

        Raises:
            InvalidName: There can be no such name.
            StoreUnavailable: The database cannot answer.
        """
        username, row = self._row(raw, deadline)
        return row if row is not None and row.canonical == username.canonical else None

    def _row(self, raw: str, deadline: Deadline) -> tuple[Username, NameRow | None]:
        username = parse_existing(raw, lookalikes=self._lookalikes)
        found = self._store.find([username.key], namespace=self.namespace, deadline=deadline)
        return username, found.get(username.key)

    def _settled(self, claim: Claim, deadline: Deadline) -> NameRow:
        return settled(self._strategy.claim(claim, deadline=deadline), claim.username)

    def release(self, raw: str, *, owner: str, deadline: Deadline) -> bool:
        """Free the name if this owner holds it, and say whether it did.

        Raises:
            InvalidName: There can be no such name.
            StoreUnavailable: It is not known to be released; asking again is safe.
        """
        row = self.holder(raw, deadline=deadline)
        while row is not None and row.owner == owner:
            self._ask_database_about(row, deadline)
            if self._store.release(
                row.key,
                owner=owner,
                version=row.version,
                rest=self._rest,
                namespace=self.namespace,
                deadline=deadline,
            ):
                return True
            row = self.holder(raw, deadline=deadline)
        return False

    def _ask_database_about(self, row: NameRow, deadline: Deadline) -> None:
        """Let no cache refuse a name that is about to be freed, before that is committed."""
        self._cache.forget(self.namespace, {row.key: row.version + 1}, deadline=deadline)
