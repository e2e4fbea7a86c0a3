"""Everything that can go wrong, as a tree of exceptions with stable codes.

No HTTP here: `dibs.web.http.problems` alone turns a code into a status. Every
message is an English sentence that is also the key of its translations;
`%(name)s` fields are filled from `params`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


class DibsError(Exception):
    """Something in dibs could not be done.

    Attributes:
        code: Stable, machine-readable, the same in every language.
        message: The English sentence; may hold `%(name)s` fields.
        params: What fills the fields of `message`.
    """

    code: ClassVar[str] = "error"
    message: ClassVar[str] = "Something went wrong."

    def __init__(self, detail: str = "", **params: object) -> None:
        self.params: Mapping[str, object] = params
        self.detail = detail
        super().__init__(detail or self.message % params)

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by `__init__`, which takes other arguments than there are in `args`.
        return _restored, (type(self), self.args, vars(self))


def _restored(cls: type[DibsError], args: tuple[Any, ...], state: dict[str, Any]) -> DibsError:
    """An error that comes from another process, as it was there."""
    error = cls.__new__(cls, *args)
    vars(error).update(state)
    return error


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that a name breaks, and how to mend it.

    Attributes:
        code: Stable code of the rule, for instance `too_short`.
        message: English sentence with `%(name)s` fields.
        params: What fills the fields.
    """

    code: str
    message: str
    params: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message % self.params


# --- it breaks a rule --------------------------------------------------------


class InvalidName(DibsError):
    """The name breaks one rule or more; `reasons` holds every one of them."""

    code = "invalid"
    message = "That username cannot be used."

    def __init__(self, reasons: tuple[Reason, ...] | str) -> None:
        if not reasons:
            raise ValueError("InvalidName needs at least one reason")
        if isinstance(reasons, str):  # Celery has the text alone when it makes the error anew
            reasons = (Reason(self.code, reasons.replace("%", "%%")),)
        self.reasons = reasons
        super().__init__(" ".join(str(reason) for reason in reasons))

    @property
    def only_reserved(self) -> bool:
        """Whether nothing is wrong with the name but that it is kept back."""
        return [reason.code for reason in self.reasons] == [NameReserved.code]


class EmptyName(InvalidName):
    """No name was given, or only white space."""

    code = "empty"
    message = "A username is required."

    def __init__(self) -> None:
        super().__init__((Reason(self.code, self.message),))


# --- somebody has it ---------------------------------------------------------


class NameTaken(DibsError):
    """Somebody holds this name. Its subclasses say in which other way it is not free."""

    code = "taken"
    message = "A user with that username already exists."

    # Other names, as `name` and `method`, filled in by who asked for them.
    suggestions: Sequence[Mapping[str, str]] = ()


class NameLookalike(NameTaken):
    """Another name that looks the same is held."""

    code = "lookalike"
    message = "That username looks too much like one that already exists."


class NameHeld(NameTaken):
    """The name is being registered by somebody else.

    Attributes:
        retry_after: Seconds after which the hold is over, if it does not become a registration.
    """

    code = "held"
    message = "Somebody else is registering that username right now."

    def __init__(self, retry_after: int | None = None) -> None:
        self.retry_after = retry_after
        super().__init__()


class NameQuarantined(NameTaken):
    """The name was given up and is not free yet."""

    code = "quarantined"
    message = "That username was given up a short time ago and cannot be registered yet."


class NameReserved(NameTaken):
    """The name is kept back and cannot be registered."""

    code = "reserved"
    message = "This username is reserved. Please choose another one."


# --- whose it is -------------------------------------------------------------


class NameNotOwned(DibsError):
    """The name that was to be given up for another one is not this owner's."""

    code = "not_owned"
    message = "That name is not yours to change."


class NameHasChanged(DibsError):
    """Somebody else has the name by now, or it is in another state."""

    code = "has_changed"
    message = (
        "Nothing was done, because this name has changed in the meantime. "
        "Its present state is shown below."
    )


class OwnedAlready(DibsError):
    """The name was to be passed on to the one who has it."""

    code = "owned_already"
    message = "That user already has this name. Please enter another user."


class OwnerWithoutIdentity(DibsError):
    """The owner of a claim has no primary key yet, so the name would be nobody's."""

    code = "owner_without_identity"
    message = "The owner has no primary key yet. Add it to the session before claiming a name."


# --- holds and renames -------------------------------------------------------


class TooManyHolds(DibsError):
    """Whoever asks holds as many names already as one may.

    Attributes:
        retry_after: Seconds after which the first of them is over.
    """

    code = "too_many_holds"
    message = "You already hold as many usernames as you may. Register or end one of them first."

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__()


class HoldNotFound(DibsError):
    """There is no such hold: it is over, was let go, or became a registration."""

    code = "not_found"
    message = "There is no such hold. It may have expired."


class HoldOfAnotherName(DibsError):
    """The hold that is to become a registration is of another name."""

    code = "hold_mismatch"
    message = "That hold is for another username. Hold the one that you want to register."


class RenamedTooOften(DibsError):
    """It is too early for yet another name.

    Attributes:
        retry_after: Seconds after which another rename is possible.
    """

    code = "renamed_too_often"
    message = (
        "You have changed your username too often lately. You can change it again in %(time)s."
    )

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(time=f"{retry_after} seconds")


# --- the password ------------------------------------------------------------


class InvalidPassword(DibsError):
    """The password breaks a rule; `reasons` says which and how to mend it."""

    code = "invalid"
    message = "That password cannot be used."

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        self.reasons = reasons
        super().__init__(" ".join(str(reason) for reason in reasons))


class PasswordRequired(InvalidPassword):
    """There must be a password, and none was sent."""

    message = "A password is required."

    def __init__(self) -> None:
        super().__init__((Reason("password_required", self.message),))


class PasswordNotAccepted(InvalidPassword):
    """Names are registered without a password here, and one was sent."""

    message = "This service does not use passwords. Please leave it out."

    def __init__(self) -> None:
        super().__init__((Reason("password_not_accepted", self.message),))


class InvalidNameAndPassword(InvalidName):
    """Both break rules; `reasons` holds all of them, `by_field` says whose each is."""

    def __init__(self, name: InvalidName, password: InvalidPassword) -> None:
        self.by_field = (
            *(("username", reason) for reason in name.reasons),
            *(("password", reason) for reason in password.reasons),
        )
        super().__init__((*name.reasons, *password.reasons))


class Overloaded(DibsError):
    """Too many people are before this one; nothing was changed, and asking again may help.

    Attributes:
        retry_after: Seconds after which another try makes sense.
    """

    code = "overloaded"
    message = "Too many people are signing up or signing in right now. Please try again shortly."

    def __init__(self, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__()


# --- who asks ----------------------------------------------------------------


class Unauthenticated(DibsError):
    """Nobody has said who asks, or not in a way that is believed."""

    code = "unauthenticated"
    message = "This needs an access token. Sign in and send it as a Bearer token."


class InvalidToken(Unauthenticated):
    """The token is none of this service's, or not for this use."""

    code = "token_invalid"
    message = "The token is not valid. Please sign in again."


class TokenExpired(InvalidToken):
    """The token was valid."""

    code = "token_expired"
    message = "The token has expired. Refresh it or sign in again."


class TokenSuperseded(InvalidToken):
    """The refresh token was exchanged a moment ago, by another request of the same client."""

    code = "token_superseded"
    message = "This token was exchanged for a new one a moment ago. Please use the new one."


class SessionEnded(InvalidToken):
    """The sign-in that the token is of has ended: by logout, a new password, or theft."""

    code = "session_ended"
    message = "This session has ended. Please sign in again."


class LoginFailed(Unauthenticated):
    """No such user, another password, or a user who may not come in: which, is not said."""

    code = "login_failed"
    message = "The username or the password is wrong."


class NotAllowed(DibsError):
    """Who asks is known, and may not do that."""

    code = "forbidden"
    message = "You are not allowed to do that."


class RegistrationClosed(NotAllowed):
    """New accounts are made by who runs the service, and by nobody else."""

    code = "registration_closed"
    message = "Registration is closed here. Please ask the people who run this service."


class InvitationNeeded(NotAllowed):
    """Registration is by invitation, and there is none with the request."""

    code = "invitation_needed"
    message = "Registration is by invitation here. Open the link that you were given."


class InvitationRefused(NotAllowed):
    """The invitation is none, was used up, has expired or was taken back: which, is not said."""

    code = "invitation_refused"
    message = (
        "This invitation is not valid, or it was used before or has expired. Please ask for"
        " another one."
    )


class WrongPassword(NotAllowed):
    """The current password, which a change needs, is another one."""

    code = "wrong_password"
    message = "The current password is wrong or missing."


# --- about whom --------------------------------------------------------------


class UserNotFound(DibsError):
    """There is no such user."""

    code = "not_found"
    message = "There is no such user."


class TeamNotFound(DibsError):
    """There is no such team."""

    code = "not_found"
    message = "There is no such team."


class SessionNotFound(DibsError):
    """There is no such session, or it is somebody else's."""

    code = "not_found"
    message = "There is no such session."


class LastOwner(DibsError):
    """A team would be left without anybody who may change it."""

    code = "last_owner"
    message = "A team needs an owner. Make another member an owner first, or delete the team."


class LastStaff(DibsError):
    """Nobody would be left who is staff and can sign in."""

    code = "last_staff"
    message = (
        "This is the last staff member who can sign in. Give somebody else the staff role first."
    )


class ConfigError(DibsError):
    """A DIBS_ setting has a value that cannot be used."""

    code = "config"
    message = "A setting cannot be used."


class StoreError(DibsError):
    """The database could not do what was asked."""


class StoreUnavailable(StoreError):
    """The database cannot answer now; nothing was changed, and asking again may help.

    Attributes:
        retry_after: Seconds after which another try makes sense.
    """

    code = "unavailable"
    message = "The service cannot answer at the moment. Please try again shortly."
    retry_after: int = 1


class NotWritable(StoreUnavailable):
    """The database answers, but takes no writes: a standby, a read-only server, a full disk."""

    message = "The database answers, but nothing can be written to it."


class RulesReplaced(StoreUnavailable):
    """Names are kept by other rules now than by this server's; nothing was changed.

    Attributes:
        is_first: Whether the transaction has written nothing either, and may go on.
    """

    is_first: bool = True


class OutcomeUnknown(StoreUnavailable):
    """COMMIT was sent and its fate is not known; ask again with the same key."""

    code = "outcome_unknown"
    message = (
        "It is not known whether the registration was stored. "
        "Please send the same request again with the same Idempotency-Key."
    )


class TransactionMustRestart(StoreError):
    """The host's transaction lost against another one; roll it back and run it again."""

    code = "transaction_must_restart"
    message = "The transaction must be rolled back and run again."


class SchemaError(StoreError):
    """The database is not as dibs needs it; the message names the command that mends it."""

    code = "schema"
    message = "The database is not set up for dibs."
