"""Usernames that belong to one person, guaranteed.

Nothing is imported until it is asked for, so that `dibs.names` can be used
where there is neither Flask nor a database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dibs.extension import Dibs

    __version__: str

__all__ = ["Dibs", "__version__"]


def __getattr__(name: str) -> object:
    """Import `Dibs`, or look up the installed version, on first use (PEP 562)."""
    if name == "Dibs":
        from dibs.extension import Dibs

        return Dibs
    if name == "__version__":
        from importlib.metadata import version

        return version("dibs")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
