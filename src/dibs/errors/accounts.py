"""Passwords, tokens, users and teams: what cannot be used, and who may not do what."""

from __future__ import annotations

from dibs.errors.base import DibsError, Reason
from dibs.errors.names import InvalidName

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

    message = "No password is used here; leave it out."

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
    """Too many passwords wait to be hashed; nothing was changed, and asking again may help.

    Attributes:
        retry_after: Seconds after which another try makes sense.
    """

    code = "overloaded"
    message = "Too many people sign up or sign in at the moment. Please try again shortly."

    def __init__(self, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__()


# --- who asks ----------------------------------------------------------------


class Unauthenticated(DibsError):
    """Nobody has said who asks, or not in a way that is believed."""

    code = "unauthenticated"
    message = "This needs an access token; sign in and send it as a Bearer token."


class InvalidToken(Unauthenticated):
    """The token is none of this service's, or not for this use."""

    code = "token_invalid"
    message = "The token is not valid. Please sign in again."


class TokenExpired(InvalidToken):
    """The token was valid."""

    code = "token_expired"
    message = "The token has expired; refresh it, or sign in again."


class TokenSuperseded(InvalidToken):
    """The refresh token was exchanged a moment ago, by another request of the same client."""

    code = "token_superseded"
    message = "This token was exchanged a moment ago; please use the newer one."


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
    message = "You may not do that."


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
    message = "A team needs an owner: make another member one first, or end the team."
