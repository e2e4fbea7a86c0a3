"""Registration: a name, perhaps a password, and one user who has both."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from dibs.accounts.passwords import Passwords
from dibs.accounts.tokens import hash_of
from dibs.config import Settings
from dibs.errors import (
    EmptyName,
    InvalidName,
    InvalidNameAndPassword,
    InvalidPassword,
    InvitationNeeded,
    InvitationRefused,
    PasswordNotAccepted,
    PasswordRequired,
    RegistrationClosed,
)
from dibs.names import Username
from dibs.observe import COUNTS
from dibs.registry import Registry
from dibs.registry.holds import HoldToken
from dibs.secret import ServiceSecret, claim_token
from dibs.store import Claim, Deadline, NameRow, NewUser, new_id
from dibs.store.accounts.invitations import Invitations

DAY_MS = 86_400_000
MOST = 100
"""For how many people, and how many days, an invitation may be good."""

WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Registered:
    """A user who has their name, as they wrote it; the id is a UUID."""

    id: str
    username: str


@dataclass(frozen=True, slots=True)
class Registration:
    """Registers users."""

    registry: Registry
    passwords: Passwords
    settings: Settings
    secret: ServiceSecret
    invitations: Invitations

    def register(
        self,
        name: str,
        password: str | None,
        *,
        request: tuple[bytes, ...],
        repeatable: bool = True,
        by_staff: bool = False,
        by_command: bool = False,
        hold: str | None = None,
        invitation: str | None = None,
        deadline: Deadline,
    ) -> Registered:
        """Make a user with this name.

        The password is hashed after the name was seen to be free and before
        any transaction opens: hashing takes longer than everything else
        together, and holds no connection meanwhile.

        Args:
            request: What makes this request this one: route, caller,
                idempotency key, body. The same request again gets the same user.
            repeatable: Whether this request may have been sent before; a cache would say
                "taken" to its own winner.
            by_staff: Whether a name may be had that is reserved, held or quarantined.
            by_command: Whether it comes from who runs the service, for whom it is never closed.
            hold: The token of a hold of this name.
            invitation: The token of an invitation, which counts where one is needed.

        Raises:
            RegistrationClosed: Nobody else may register.
            InvitationNeeded: Who registers must have been invited.
            InvitationRefused: The invitation is none, or good no more.
            InvalidName: The name breaks a rule.
            InvalidPassword: The password breaks a rule, is missing, or is not wanted here.
            InvalidNameAndPassword: Both are wrong.
            HoldOfAnotherName: The hold is of another name.
            NameTaken: Somebody has the name; the subclass says how.
            Overloaded: Too many passwords wait to be hashed; nothing was changed.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was stored is not known; send the same request again.
        """
        invited_by = "" if by_command else self._hash_of(invitation)
        username = self._parse(name, password, deadline)
        held = HoldToken.redeemed(hold, username) if hold else ""
        user = NewUser(new_id())
        claim = Claim(
            username,
            "user",
            user.id,
            claim_token(request, self.secret(deadline)),
            self.registry.namespace,
            user,
            by_staff=by_staff,
            hold=held,
            invitation=invited_by,
        )
        row = self._look(claim, costly=password is not None, repeatable=repeatable, ends=deadline)
        if row is None:
            if password is not None:
                hashed = self.passwords.hash(password, remaining=deadline.remaining())
                claim = replace(claim, user=replace(user, password_hash=hashed))
            row = self.registry.claim(claim, deadline=deadline)
            if row.owner == user.id:  # else an earlier request of theirs was the one
                COUNTS.add("registrations")
        return Registered(id=str(row.owner), username=row.display)

    def invite(self, uses: int, days: int, *, deadline: Deadline) -> tuple[str, str]:
        """Make an invitation for so many people; return its id, and the token, shown this once.

        Raises:
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was made is not known; nobody has its token.
        """
        token = secrets.token_urlsafe(32)
        made = self.invitations.put(hash_of(token), uses, ms=days * DAY_MS, deadline=deadline)
        return made, token

    def refuse_uninvited(self, invitation: str | None, *, deadline: Deadline) -> None:
        """See that somebody without an account may register, or could by their invitation.

        Raises:
            As `register`.
        """
        hashed = self._hash_of(invitation)
        if hashed and not self.invitations.is_good(hashed, deadline=deadline):
            raise InvitationRefused

    def _hash_of(self, invitation: str | None) -> str:
        """That of an invitation which is used up; empty where none is needed."""
        if self.settings.registration == "open":
            return ""
        if self.settings.registration == "closed":
            raise RegistrationClosed
        if not invitation:
            raise InvitationNeeded
        return hash_of(invitation)

    def _look(
        self, claim: Claim, *, costly: bool, repeatable: bool, ends: Deadline
    ) -> NameRow | None:
        """What is to be known before anything is done; see `Registry.look`."""
        hashed = claim.invitation
        if not hashed or self.invitations.is_good(hashed, deadline=ends):
            return self.registry.look(claim, costly=costly, repeatable=repeatable, deadline=ends)
        # This very request may have won before, and used it up.
        row = self.registry.row_of(claim.username.display, deadline=ends)
        if row is None or not row.won_by(claim.token):
            raise InvitationRefused
        return row

    def _parse(self, name: str, password: str | None, deadline: Deadline) -> Username:
        """The name, if both can be used; where there is no name, nothing else is said.

        Of others' names nothing is said before the password will do.
        """
        try:
            username = self.registry.parser.parse(name)
        except EmptyName:
            raise
        except InvalidName as wrong_name:
            try:
                self._check_password(password, name)
            except InvalidPassword as wrong_password:
                raise InvalidNameAndPassword(wrong_name, wrong_password) from None
            return self.registry.admit(name, deadline=deadline)  # may know a better reason
        self._check_password(password, name)
        return username

    def _check_password(self, password: str | None, name: str) -> None:
        if password is None:
            if self.settings.password == "required":  # noqa: S105  # a mode
                raise PasswordRequired
            return
        if not self.settings.hashes:
            raise PasswordNotAccepted
        self.passwords.validate(password, name=name)
