"""The one part that says yes."""

from typing import TYPE_CHECKING

from dibs.context import Budget, Deadline
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

if TYPE_CHECKING:
    from dibs.store.names.store import NameStore

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


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import the store on first use (PEP 562): a host app's names need none."""
        if name != "NameStore":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from dibs.store.names.store import NameStore

        return NameStore
