"""What every call carries: how long it may take, who acts, for which request, how it waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

T = TypeVar("T")

CACHE_SECONDS = 0.1
"""All that caches may take of one request, whatever state they are in."""


class CacheTime:
    """What is left of the time that one request may spend on caches.

    Attributes:
        left: Seconds.
    """

    __slots__ = ("left",)

    def __init__(self, seconds: float = CACHE_SECONDS) -> None:
        self.left = seconds

    def spend(self, seconds: float) -> None:
        """Take this off what is left."""
        self.left -= seconds


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock after which nobody waits for the answer any more.

    Attributes:
        at: Seconds of `time.monotonic()`.
        caches: What of it is for caches.
    """

    at: float
    caches: CacheTime = field(default_factory=CacheTime, compare=False, repr=False)

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left; negative once it has passed."""
        return self.at - time.monotonic()

    def allows(self, seconds: float) -> bool:
        """Whether a step that may take that long would still end in time.

        A step that cannot be cut short is begun only when this holds, so that
        no answer comes later than the deadline.
        """
        return self.at - time.monotonic() >= seconds


@dataclass(frozen=True, slots=True)
class Budget:
    """The time-outs under one request's deadline, in seconds.

    Attributes:
        deadline: The whole request.
        connect: Opening a connection. libpq rounds less than 2 s up to 2 s.
        silence: A server that has sent nothing for so long is taken for frozen.
            The server's own statement time-out is a little shorter, so that a
            slow server can still say so itself.
        lock: Waiting for another transaction on the same name.
    """

    deadline: float = 5.0

    @property
    def connect(self) -> float:
        return max(2.0, 0.4 * self.deadline)

    @property
    def silence(self) -> float:
        return 0.4 * self.deadline

    @property
    def statement(self) -> float:
        return 0.9 * self.silence

    @property
    def lock(self) -> float:
        return 0.2 * self.deadline

    @property
    def patience(self) -> float:
        """Without so much time nobody waits for a lock again: it is to end well in time."""
        return self.silence + 0.6 * self.lock

    def start(self) -> Deadline:
        """The deadline of a request that arrives now."""
        return Deadline.after(self.deadline)


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


class Turns(Protocol):
    """Serves many calls by turns in one thread, which none of them may block.

    A call that has to wait gives way to the others: see `dibs.serving.turns`.
    """

    def serve(self, call: Callable[[], None]) -> None:
        """Begin another call, not from within one: see `later`."""
        ...

    def elsewhere(self, work: Callable[[], T], *, deadline: Deadline) -> T:
        """Do this in another thread, and give way meanwhile.

        Raises:
            StoreUnavailable: No thread was free before the deadline; nothing was done.
        """
        ...

    def start(self, work: Callable[[], None], *, gives_way: bool) -> None:
        """Do this, for which nobody waits: as a call of its own, or else in another thread."""
        ...

    def watch(self, file: int, wanted: int, seconds: float) -> int:
        """Give way until an open file can be read (1) or written (2); say which of `wanted` it is.

        None of them (0) if neither came in so many seconds.
        """
        ...

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do this when all that has arrived was read, or so much later; here, and quickly."""
        ...

    def mine(self) -> object:
        """The call whose turn it is."""
        ...

    def give_way(self) -> None:
        """Let others have their turns until somebody lets this call go on."""
        ...

    def go_on(self, calls: Sequence[object]) -> None:
        """Let these calls go on; from any thread."""
        ...


_turns: ContextVar[Turns | None] = ContextVar("dibs_turns", default=None)


def turns() -> Turns | None:
    """By what the current call is served; None where it has a thread of its own to wait in."""
    return _turns.get()


class NotByTurns(Exception):
    """This would block the thread in which calls are served by turns; nothing was done."""


def take_turns(turns: Turns | None) -> None:
    """From now on this call gives way where it waits, or waits in its own thread."""
    _turns.set(turns)
