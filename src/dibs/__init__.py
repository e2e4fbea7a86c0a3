"""Usernames that belong to one person, guaranteed.

Nothing is imported until it is asked for, so that `dibs.names` can be used
where there is neither Flask nor a database.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dibs.accounts.policy import Reading
    from dibs.context import acting_as
    from dibs.errors import (
        ConfigError,
        DibsError,
        InvalidName,
        NameHeld,
        NameLookalike,
        NameNotOwned,
        NameQuarantined,
        NameReserved,
        NameTaken,
        Reason,
        SchemaError,
        StoreUnavailable,
        TransactionMustRestart,
    )
    from dibs.extension import Dibs
    from dibs.extension.questions import Availability, NameOwner
    from dibs.names import NamePolicy
    from dibs.web.http.auth import current_user, login_optional, login_required

__version__ = "0.1.0"

__all__ = [
    "Availability",
    "ConfigError",
    "Dibs",
    "DibsError",
    "InvalidName",
    "NameHeld",
    "NameLookalike",
    "NameNotOwned",
    "NameOwner",
    "NamePolicy",
    "NameQuarantined",
    "NameReserved",
    "NameTaken",
    "Reading",
    "Reason",
    "SchemaError",
    "StoreUnavailable",
    "TransactionMustRestart",
    "__version__",
    "acting_as",
    "current_user",
    "login_optional",
    "login_required",
]

_HOMES = {
    "acting_as": "dibs.context",
    "Availability": "dibs.extension.questions",
    "Dibs": "dibs.extension",
    "NameOwner": "dibs.extension.questions",
    "NamePolicy": "dibs.names",
    "Reading": "dibs.accounts.policy",
    "current_user": "dibs.web.http.auth",
    "login_optional": "dibs.web.http.auth",
    "login_required": "dibs.web.http.auth",
}


if not TYPE_CHECKING:  # a type checker would take every name for one that exists

    def __getattr__(name: str) -> object:
        """Import what is named in `__all__`, on first use (PEP 562)."""
        if name in __all__:
            return getattr(import_module(_HOMES.get(name, "dibs.errors")), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
