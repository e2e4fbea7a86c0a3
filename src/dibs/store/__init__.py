"""The one part that says yes."""

from dibs.context import Budget, Deadline
from dibs.store.names.store import NameStore
from dibs.store.records import (
    DEFAULT_NAMESPACE,
    STAFF,
    Claim,
    Failed,
    Lost,
    NameRow,
    NewTeam,
    NewUser,
    Outcome,
    UserRow,
    Won,
    new_id,
    short_token,
)

__all__ = [
    "DEFAULT_NAMESPACE",
    "STAFF",
    "Budget",
    "Claim",
    "Deadline",
    "Failed",
    "Lost",
    "NameRow",
    "NameStore",
    "NewTeam",
    "NewUser",
    "Outcome",
    "UserRow",
    "Won",
    "new_id",
    "short_token",
]
