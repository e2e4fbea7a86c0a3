"""Renames, and where an old name leads."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from dibs.cache import NameFilter, TakenNames
from dibs.context import Deadline
from dibs.errors import NameHasChanged, OwnedAlready, StoreUnavailable, UserNotFound
from dibs.names import Username
from dibs.registry import Registry, refusal, settled
from dibs.registry.holds import HoldToken
from dibs.store import Claim, NameRow, Store
from dibs.store.names.releases import Quarantine
from dibs.store.names.renames import Pace, Rename, Transfer

# Each further round means that yet another rename of the same owner came first.
ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Renamed:
    """What somebody was called, and is called now; the same if nothing was to be done."""

    was: str
    became: str


class Renames:
    """Renames owners in one namespace.

    Args:
        registry: Which names may be had.
        store: Where they are.
        cache: Is told of names that change hands.
        filter_: Learns of new ones.
        quarantine: Milliseconds for which nobody else can have an old name; None for ever.
        redirects: Whether an old name says whose it was.
        pace: How often a user may take another name.
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        cache: TakenNames,
        filter_: NameFilter,
        *,
        quarantine: int | None,
        redirects: bool,
        pace: Pace,
    ) -> None:
        self._registry = registry
        self._store = store
        self._cache = cache
        self._filter = filter_
        self._rest = Quarantine(quarantine, remembered=True)
        self._redirects = redirects
        self._pace = pace

    def rename(
        self,
        name: str,
        *,
        user_id: str,
        hold: str | None = None,
        by_staff: bool = False,
        deadline: Deadline,
    ) -> Renamed:
        """Give a user another name, and let the old one rest.

        Their own old names they may take back; another spelling of the name that they have is no
        other name. Asked for twice, it is done once.

        Args:
            name: As typed.
            user_id: Whose.
            hold: The token of a hold of the new name, as it was given out.
            by_staff: Whether the name may be reserved, held or quarantined, and the pace any.
            deadline: When the caller stops waiting.

        Raises:
            InvalidName: The name breaks a rule.
            HoldOfAnotherName: The hold is of another name.
            NameTaken: Somebody has the name; the subclass says how.
            UserNotFound: There is no such user, or they may not come in.
            RenamedTooOften: It is too early for yet another name.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was is not known; asking again is safe.
        """
        username = self._registry.admit(name, deadline=deadline)
        held = HoldToken.redeemed(hold, username) if hold else ""
        claim = self._wanted(username, user_id, by_staff=by_staff, hold=held)
        for _ in range(ROUNDS):
            old = self._name_of(user_id, deadline)
            if old.display == username.display:
                return Renamed(old.display, old.display)
            pace = None if by_staff else self._pace
            wish = Rename(claim, old, self._rest, user=True, pace=pace)
            if (row := self._try(wish, username, deadline)) is not None:
                return Renamed(old.display, row.display)
        raise StoreUnavailable

    def _wanted(self, username: Username, user_id: str, *, by_staff: bool, hold: str = "") -> Claim:
        token, namespace = secrets.token_hex(16), self._registry.namespace
        return Claim(username, "user", user_id, token, namespace, by_staff=by_staff, hold=hold)

    def _name_of(self, user_id: str, deadline: Deadline) -> NameRow:
        rows = self._store.names_of(
            "user", user_id, namespace=self._registry.namespace, deadline=deadline
        )
        if not rows:
            raise UserNotFound
        return rows[0]

    def _try(self, wish: Rename, username: Username, deadline: Deadline) -> NameRow | None:
        self._prepare(wish, deadline)
        outcome = self._store.rename(wish, deadline=deadline)
        return None if outcome is None else settled(outcome, username)

    def _prepare(self, wish: Rename, deadline: Deadline) -> None:
        """Before COMMIT: let no cache say of either name what will be true no more."""
        old, key = wish.old, wish.claim.username.key
        rows = self._store.find([key], namespace=old.namespace, deadline=deadline)
        row = rows.get(key)
        if row is not None and not wish.in_place and not row.open_to(wish.claim):
            # Refused here, a taken name costs no transaction.
            raise refusal(row, wish.claim.username.canonical)
        versions = {one.key: one.version + 1 for one in (old, row) if one is not None}
        self._cache.forget(old.namespace, versions, deadline=deadline)
        self._filter.add(key, namespace=old.namespace)

    def transfer(
        self,
        name: str,
        *,
        to: str,
        instead: str,
        version: int | None = None,
        deadline: Deadline,
    ) -> None:
        """Pass a user's name on to another user; both have a name at any moment.

        Args:
            name: The one that is passed on.
            to: The name that its next owner has now; it is given up.
            instead: Another name for its owner until now; it may be reserved or quarantined.
            version: That of the name's row when its owner was looked at.
            deadline: When the caller stops waiting.

        Raises:
            InvalidName: A name breaks a rule.
            UserNotFound: No user has one of the two names.
            OwnedAlready: Its next owner is the one who has it.
            NameTaken: The name that is wanted instead is somebody's.
            NameHasChanged: Somebody else has it by now.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was is not known.
        """
        username = self._registry.admit(instead, deadline=deadline)
        for _ in range(ROUNDS):
            row, theirs = (self._of_user(one, deadline) for one in (name, to))
            if version not in (None, row.version):
                raise NameHasChanged
            claim = self._wanted(username, str(row.owner), by_staff=True)
            if row.owner == theirs.owner:
                raise OwnedAlready
            self._prepare(Rename(claim, row, self._rest), deadline)
            self._forget(theirs, deadline)
            wish = Transfer(row, claim, theirs, self._rest)
            outcome = self._store.transfer(wish, deadline=deadline)
            if outcome is not None:
                settled(outcome, username)
                return
        raise StoreUnavailable

    def free(self, row: NameRow, *, deadline: Deadline) -> bool:
        """End a hold or a quarantine at once; say whether the row was still as it was read.

        Raises:
            StoreUnavailable: It is not known to be free; asking again is safe.
        """
        self._forget(row, deadline)
        return self._store.free(
            row.key,
            state=row.state,
            version=row.version,
            namespace=row.namespace,
            deadline=deadline,
        )

    def _of_user(self, name: str, deadline: Deadline) -> NameRow:
        row = self._registry.holder(name, deadline=deadline)
        if row is None or row.owner_kind != "user":
            raise UserNotFound
        return row

    def _forget(self, row: NameRow, deadline: Deadline) -> None:
        # Before COMMIT, so that no cache goes on saying what is true no more.
        self._cache.forget(row.namespace, {row.key: row.version + 1}, deadline=deadline)

    def renamed_to(self, row: NameRow, *, deadline: Deadline) -> str | None:
        """What whoever had this name is called now, if anybody may know.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        if not self._redirects or row.state != "quarantined" or not row.owner:
            return None
        rows = self._store.names_of(
            str(row.owner_kind), row.owner, namespace=row.namespace, deadline=deadline
        )
        # An owner with several names, as apps may have them, has none that took this one's place.
        return rows[0].display if len(rows) == 1 else None
