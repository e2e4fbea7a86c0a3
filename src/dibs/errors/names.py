"""A name that somebody may not have, or may not do something with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dibs.errors.base import DibsError, Reason

# --- it breaks a rule --------------------------------------------------------


class InvalidName(DibsError):
    """The name breaks one rule or more; `reasons` holds every one of them."""

    code = "invalid"
    message = "That username cannot be used."

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        if not reasons:
            raise ValueError("InvalidName needs at least one reason")
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
    message = "That username is being registered by somebody else at the moment."

    def __init__(self, retry_after: int | None = None) -> None:
        self.retry_after = retry_after
        super().__init__()


class NameQuarantined(NameTaken):
    """The name was given up and is not free yet."""

    code = "quarantined"
    message = "That username was released a short time ago and is not free yet."


class NameReserved(NameTaken):
    """The name is kept back and cannot be registered."""

    code = "reserved"
    message = "This username is reserved: please choose another one."


# --- whose it is -------------------------------------------------------------


class NameNotOwned(DibsError):
    """The name that was to be given up for another one is not this owner's."""

    code = "not_owned"
    message = "That name is not yours to change."


class NameHasChanged(DibsError):
    """Somebody else has the name by now, or it is in another state."""

    code = "has_changed"
    message = "Nothing was done: this name has changed meanwhile, and stands below as it is now."


class OwnedAlready(DibsError):
    """The name was to be passed on to the one who has it."""

    code = "owned_already"
    message = "That user has this name already; name somebody else."


class OwnerWithoutIdentity(DibsError):
    """The owner of a claim has no primary key yet, so the name would be nobody's."""

    code = "owner_without_identity"
    message = "The owner has no identity yet: add it to the session before claiming a name."


# --- holds and renames -------------------------------------------------------


class TooManyHolds(DibsError):
    """Whoever asks holds as many names already as one may.

    Attributes:
        retry_after: Seconds after which the first of them is over.
    """

    code = "too_many_holds"
    message = "You hold as many names already as you may; register one or let one go first."

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__()


class HoldNotFound(DibsError):
    """There is no such hold: it is over, was let go, or became a registration."""

    code = "not_found"
    message = "There is no such hold; it may be over."


class HoldOfAnotherName(DibsError):
    """The hold that is to become a registration is of another name."""

    code = "hold_mismatch"
    message = "That hold is of another name; hold the name that you want to register."


class RenamedTooOften(DibsError):
    """It is too early for yet another name.

    Attributes:
        retry_after: Seconds after which another rename is possible.
    """

    code = "renamed_too_often"
    message = "You have changed your name too often lately; please try again later."

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__()
