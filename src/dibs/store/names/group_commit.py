"""Group commit: claims that come while a transaction is under way go together in the next.

One transaction for all that wait costs the database little more than one for a single name
(DeWitt et al., Implementation Techniques for Main Memory Database Systems, 1984). Nobody waits
for company: whoever finds a lane free goes at once, and alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dibs.context import Deadline
from dibs.errors import StoreUnavailable
from dibs.store.records import Claim, Failed, Outcome

LANES = 2
"""Transactions under way at a time: with one, the database waits while Python works."""

STUCK = 0.1
"""Seconds after which a transaction is waited for no more: a lock of somebody's keeps it."""

MOST = 256
"""Claims in one transaction: so many may be in doubt when a reply is lost."""

Together = Callable[[Sequence[Claim], Deadline], Sequence[Outcome | Failed | None]]
Alone = Callable[[Claim, Deadline], Outcome]


@dataclass(slots=True, eq=False)
class Waiting:
    """A claim, and the thread that waits for its outcome.

    Attributes:
        wake: Held until this thread has something to do: to send a group, or to go on.
        group: Whose claims it is to send.
        is_settled: Whether nobody is going to send its own.
        outcome: What became of that; None if something keeps it from going with others.
        error: What went wrong with the whole group.
    """

    claim: Claim
    deadline: Deadline
    wake: threading.Lock = field(default_factory=threading.Lock)
    group: Group | None = None
    is_settled: bool = False
    outcome: Outcome | Failed | None = None
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self.wake.acquire()

    def settle(self, outcome: Outcome | Failed | None, error: BaseException | None = None) -> None:
        """Let the thread go on with this outcome."""
        self.outcome, self.error, self.is_settled = outcome, error, True
        self.wake.release()


@dataclass(slots=True, eq=False)
class Group:
    """Claims that go together, from the moment that somebody is to send them."""

    members: Sequence[Waiting] = ()
    began: float = field(default_factory=time.monotonic)


class GroupCommit:
    """Sends claims: one that finds a lane free alone, those that had to wait together.

    Args:
        together: Sends several; None is the outcome of one that has to be sent alone.
        alone: Sends one, and waits as long as it takes.
        enough: Seconds without which nothing is sent any more.
    """

    def __init__(self, together: Together, alone: Alone, *, enough: float) -> None:
        self._together, self._alone, self._enough = together, alone, enough
        self._lock = threading.Lock()
        self._waiting: list[Waiting] = []
        self._under_way: set[Group] = set()

    def claim(self, claim: Claim, *, deadline: Deadline) -> Outcome:
        """Try to take the name.

        Raises:
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was stored is not known.
        """
        mine = Waiting(claim, deadline)
        with self._lock:
            lane = self._next([]) if self._has_lane() else None
            if lane is None:
                self._waiting.append(mine)
        if lane is not None:
            try:
                return self._alone(claim, deadline)
            finally:
                self._follow(lane)
        while not mine.is_settled:
            self._wait(mine)
        if mine.error is not None:
            raise mine.error
        if isinstance(mine.outcome, Failed):
            raise mine.outcome.error
        return mine.outcome or self._alone(claim, deadline)

    def _has_lane(self) -> bool:
        """Whether few enough transactions move."""
        since = time.monotonic() - STUCK
        return sum(group.began > since for group in self._under_way) < LANES

    def _next(self, members: Sequence[Waiting]) -> Group:
        """Give these a lane."""
        group = Group(members)
        self._under_way.add(group)
        return group

    def _take(self) -> Group:
        """Take those who have waited longest, at most one copy of each request."""
        members: dict[str, Waiting] = {}
        for one in self._waiting[:MOST]:
            members.setdefault(one.claim.token, one)
        self._waiting = [one for one in self._waiting if members.get(one.claim.token) is not one]
        return self._next(list(members.values()))

    def _wait(self, mine: Waiting) -> None:
        """Until the claim is settled, or this thread has sent what it was to send."""
        patience = max(0.0, min(STUCK, mine.deadline.remaining()))
        if not mine.wake.acquire(timeout=patience) and not self._is_to_lead(mine):
            return
        if (group := mine.group) is not None:
            mine.group = None
            try:
                self._send(group.members)
            finally:
                self._follow(group)

    def _is_to_lead(self, mine: Waiting) -> bool:
        """What becomes of a claim for which nobody has come: its thread may do it itself."""
        with self._lock:
            if mine in self._waiting:
                if mine.deadline.remaining() <= 0:
                    self._waiting.remove(mine)
                    mine.settle(Failed(StoreUnavailable()))
                elif self._has_lane():
                    mine.group = self._take()
                return mine.group is not None
        mine.wake.acquire()  # it is under way, and its own deadline ends that
        return True

    def _follow(self, lane: Group) -> None:
        """Have one of those who came meanwhile send what all of them want."""
        with self._lock:
            self._under_way.remove(lane)
            if self._waiting and self._has_lane():
                group = self._take()
                group.members[0].group = group
                group.members[0].wake.release()

    def _send(self, group: Sequence[Waiting]) -> None:
        """Send these claims, and give everybody their outcome."""
        sent: list[Waiting] = []
        for one in group:
            if one.deadline.allows(self._enough):
                sent.append(one)
            else:
                one.settle(Failed(StoreUnavailable()))
        if not sent:
            return
        until = min((one.deadline for one in sent), key=lambda deadline: deadline.at)
        try:
            outcomes = self._together([one.claim for one in sent], until)
        except BaseException as error:  # noqa: BLE001  # each of them raises it
            for one in sent:
                one.settle(None, error)
        else:
            for one, outcome in zip(sent, outcomes, strict=True):
                one.settle(outcome)
