"""Renames, and where an old name leads."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from dibs.context import Deadline
from dibs.errors import NameHasChanged, OwnedAlready, StoreUnavailable, TeamNotFound, UserNotFound
from dibs.names import Username
from dibs.registry import Registry, won
from dibs.registry.coherence import Coherence
from dibs.registry.holds import HoldToken
from dibs.store import Claim, NameRow, NameStore
from dibs.store.names.moves import Pace, Rename, Transfer
from dibs.store.names.quarantine import Quarantine
from dibs.store.records import State

# Each further round means that yet another rename of the same owner came first.
ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Renamed:
    """What somebody was called, and is called now; the same if nothing was to be done."""

    was: str
    became: str


class Renames:
    """Renames owners in one namespace; raises what `NameStore` does.

    Args:
        quarantine: Milliseconds for which nobody else can have an old name; None for ever.
        redirects: Whether an old name says whose it was.
    """

    def __init__(
        self,
        registry: Registry,
        store: NameStore,
        coherence: Coherence,
        *,
        quarantine: int | None,
        redirects: bool,
        pace: Pace,
    ) -> None:
        self._registry = registry
        self._store = store
        self._coherence = coherence
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
            by_staff: Whether the name may be reserved, held or quarantined, the pace any, and
                the user one who may not come in.

        Raises:
            InvalidName: The name breaks a rule.
            HoldOfAnotherName: The hold is of another name.
            NameTaken: Somebody has the name; the subclass says how.
            UserNotFound: There is no such user, or they may not come in.
            RenamedTooOften: It is too early for yet another name.
        """
        own = partial(self._own, "user", user_id, deadline)
        username = self._registry.admit(name, deadline=deadline, own=own, by_staff=by_staff)
        held = HoldToken.redeemed(hold, username) if hold else ""
        claim = self._wanted(username, "user", user_id, by_staff=by_staff, hold=held)
        pace = None if by_staff else self._pace
        return self._renamed(claim, partial(Rename, user=True, pace=pace), deadline)

    def rename_team(
        self, name: str, *, team_id: str, by: str | None, deadline: Deadline
    ) -> Renamed:
        """Give a team another name, and let the old one rest; else as `rename`.

        Args:
            by: Who must own it; None where staff ask.

        Raises:
            TeamNotFound: There is no such team.
            NotAllowed: Who asks does not own it.
        """
        own = partial(self._own, "team", team_id, deadline)
        username = self._registry.admit(name, deadline=deadline, own=own)
        claim = self._wanted(username, "team", team_id)
        return self._renamed(claim, partial(Rename, team=True, by=by, pace=self._pace), deadline)

    def _renamed(self, claim: Claim, wish: Callable[..., Rename], deadline: Deadline) -> Renamed:
        for _ in range(ROUNDS):
            old = self._name_of(claim.owner_kind, claim.owner, deadline)
            if old.display == claim.username.display:
                return Renamed(old.display, old.display)
            outcome = self._coherence.rename(wish(claim, old, self._rest), deadline=deadline)
            if outcome is not None:
                return Renamed(old.display, won(outcome, claim).display)
        raise StoreUnavailable

    def _wanted(
        self,
        username: Username,
        kind: str,
        owner: str,
        *,
        by_staff: bool = False,
        hold: str = "",
    ) -> Claim:
        token, namespace = secrets.token_hex(16), self._registry.namespace
        return Claim(username, kind, owner, token, namespace, by_staff=by_staff, hold=hold)

    def _own(self, kind: str, owner: str, deadline: Deadline) -> list[str]:
        """What an owner is called, or may be again."""
        states: tuple[State, ...] = ("owned", "quarantined")
        namespace = self._registry.namespace
        return [
            row.display
            for state in states
            for row in self._store.names_of(
                kind, owner, state=state, namespace=namespace, deadline=deadline
            )
        ]

    def _name_of(self, kind: str, owner: str, deadline: Deadline) -> NameRow:
        rows = self._store.names_of(
            kind, owner, namespace=self._registry.namespace, deadline=deadline
        )
        if not rows:
            raise UserNotFound if kind == "user" else TeamNotFound
        return rows[0]

    def transfer(
        self, name: str, *, to: str, instead: str, version: int | None = None, deadline: Deadline
    ) -> None:
        """Pass a user's name on to another user; both have a name at any moment.

        Args:
            to: The name that its next owner has now; it is given up.
            instead: Another name for its owner until now; it may be reserved or quarantined.
            version: That of the name's row when its owner was looked at.

        Raises:
            InvalidName: A name breaks a rule.
            UserNotFound: No user has one of the two names.
            OwnedAlready: Its next owner is the one who has it.
            NameTaken: The name that is wanted instead is somebody's.
            NameHasChanged: Somebody else has it by now.
        """
        username = self._registry.admit(instead, deadline=deadline)
        for _ in range(ROUNDS):
            row, theirs = (self._of_user(one, deadline) for one in (name, to))
            if version not in (None, row.version):
                raise NameHasChanged
            claim = self._wanted(username, "user", str(row.owner), by_staff=True)
            if row.owner == theirs.owner:
                raise OwnedAlready
            wish = Transfer(row, claim, theirs, self._rest)
            outcome = self._coherence.transfer(wish, deadline=deadline)
            if outcome is not None:
                won(outcome, claim)
                return
        raise StoreUnavailable

    def _of_user(self, name: str, deadline: Deadline) -> NameRow:
        row = self._registry.holder(name, deadline=deadline)
        if row is None or row.owner_kind != "user":
            raise UserNotFound
        return row

    def renamed_to(self, row: NameRow, *, deadline: Deadline) -> str | None:
        """What whoever had this name is called now, if anybody may know."""
        if not self._redirects or row.state != "quarantined" or not row.owner:
            return None
        rows = self._store.names_of(
            str(row.owner_kind), row.owner, namespace=row.namespace, deadline=deadline
        )
        # An owner with several names, as apps may have them, has none that took this one's place.
        return rows[0].display if len(rows) == 1 else None
