"""Everything that can go wrong, as a tree of exceptions with stable codes.

No HTTP here: `dibs.web.problems` alone turns a code into a status. Every
message is an English sentence that is also the key of its translations;
`%(name)s` fields are filled from `params`.
"""

from dibs.errors.accounts import (
    InvalidNameAndPassword,
    InvalidPassword,
    InvalidToken,
    LastOwner,
    LoginFailed,
    NotAllowed,
    Overloaded,
    PasswordNotAccepted,
    PasswordRequired,
    SessionEnded,
    SessionNotFound,
    TeamNotFound,
    TokenExpired,
    TokenSuperseded,
    Unauthenticated,
    UserNotFound,
    WrongPassword,
)
from dibs.errors.base import DibsError, Reason
from dibs.errors.config import ConfigError
from dibs.errors.names import (
    EmptyName,
    HoldNotFound,
    HoldOfAnotherName,
    InvalidName,
    NameHasChanged,
    NameHeld,
    NameLookalike,
    NameNotOwned,
    NameQuarantined,
    NameReserved,
    NameTaken,
    OwnerWithoutIdentity,
    RenamedTooOften,
    TooManyHolds,
)
from dibs.errors.store import (
    OutcomeUnknown,
    SchemaError,
    StoreError,
    StoreUnavailable,
    TransactionMustRestart,
)

__all__ = [
    "ConfigError",
    "DibsError",
    "EmptyName",
    "HoldNotFound",
    "HoldOfAnotherName",
    "InvalidName",
    "InvalidNameAndPassword",
    "InvalidPassword",
    "InvalidToken",
    "LastOwner",
    "LoginFailed",
    "NameHasChanged",
    "NameHeld",
    "NameLookalike",
    "NameNotOwned",
    "NameQuarantined",
    "NameReserved",
    "NameTaken",
    "NotAllowed",
    "OutcomeUnknown",
    "Overloaded",
    "OwnerWithoutIdentity",
    "PasswordNotAccepted",
    "PasswordRequired",
    "Reason",
    "RenamedTooOften",
    "SchemaError",
    "SessionEnded",
    "SessionNotFound",
    "StoreError",
    "StoreUnavailable",
    "TeamNotFound",
    "TokenExpired",
    "TokenSuperseded",
    "TooManyHolds",
    "TransactionMustRestart",
    "Unauthenticated",
    "UserNotFound",
    "WrongPassword",
]
