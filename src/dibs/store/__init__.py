"""The one part that says yes."""

from dibs.deadline import Budget, Deadline
from dibs.store.protocol import Store
from dibs.store.records import (
    DEFAULT_NAMESPACE,
    Claim,
    Failed,
    Lost,
    NameRow,
    NewTeam,
    NewUser,
    Outcome,
    UserRow,
    Won,
)

__all__ = [
    "DEFAULT_NAMESPACE",
    "Budget",
    "Claim",
    "Deadline",
    "Failed",
    "Lost",
    "NameRow",
    "NewTeam",
    "NewUser",
    "Outcome",
    "Store",
    "UserRow",
    "Won",
]
