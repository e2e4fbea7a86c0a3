"""Other names for somebody whose name cannot be had."""

from __future__ import annotations

from flask import request

from dibs.errors import InvalidName, NameReserved, NameTaken
from dibs.names import latin_reading
from dibs.registry import Registry
from dibs.store import Deadline
from dibs.web.base import parts


def other_names(
    name: str, deadline: Deadline, registry: Registry | None = None
) -> list[dict[str, str]]:
    """Names like this one that are free, unless the client wants none: `?suggestions=0`."""
    if request.args.get("suggestions") == "0":
        return []
    registry = registry or parts().registry
    found = registry.suggest(name, deadline=deadline)
    if not found and (read := latin_reading(name)):
        found = registry.suggest(read, deadline=deadline)
    return [{"name": one.name, "method": one.method} for one in found]


def as_taken(error: InvalidName | NameTaken) -> NameTaken | None:
    """The error as one that other names can help with; None if a rule is broken."""
    if isinstance(error, NameTaken):
        return error
    return NameReserved() if error.only_reserved else None
