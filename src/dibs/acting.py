"""Who changes names, and by which request: what the history notes of each change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts in this thread or task.

    Attributes:
        actor: A user's id, or what a host app calls its people; None for nobody known.
        request_id: Which request, as logs have it; at most 64 characters are kept.
    """

    actor: str | None = None
    request_id: str | None = None


_acting: ContextVar[Acting] = ContextVar("dibs_acting", default=Acting())  # noqa: B039


def acting() -> Acting:
    """Who acts now."""
    return _acting.get()


def act(acting: Acting) -> None:
    """From now on, in this thread or task, it is this one who acts."""
    _acting.set(acting)


@contextmanager
def acting_as(actor: str | None, request_id: str | None = None) -> Iterator[None]:
    """Within this block names are changed by this actor, for the history to say so.

    Args:
        actor: At most 64 characters.
        request_id: At most 64 characters.
    """
    before = _acting.set(Acting(actor, request_id))
    try:
        yield
    finally:
        _acting.reset(before)
