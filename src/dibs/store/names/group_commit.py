"""Group commit: claims that come while a transaction is under way go together in the next.

One transaction for all that wait costs the database little more than one for a single name
(DeWitt et al., Implementation Techniques for Main Memory Database Systems, 1984); a look-up of
many names little more than one of one. Nobody waits for company while nothing moves: they go at
once, with those alone who have come in the same moment. Beside a transaction the next ones wait
for its end, as large groups cost each of them less, but not for one that takes long: a database
that is slow, or far away, would have nothing to do while Python works, and so it has several.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from dibs.context import Deadline, Turns, turns
from dibs.errors import StoreUnavailable
from dibs.observe import COUNTS
from dibs.store.records import Failed

LANES = 4
"""Transactions under way at a time."""

GAP, EACH = 0.002, 0.0002
"""Seconds after which a transaction takes long: so many, and for each claim in it so many more.

Measured on two processors, beside two lanes that take whoever comes: 32 people at once get a
sixteenth more registrations, of less processor time; where a commit takes 11 ms, a fifth more."""

STUCK = 0.1
"""Seconds after which a transaction is waited for no more: a lock of somebody's keeps it."""

MOST = 256
"""Claims in one transaction: so many may be in doubt when a reply is lost."""

SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Up to which each count of groups goes, by the claims in them."""

Wish = TypeVar("Wish")
Result = TypeVar("Result")

Together = Callable[[Sequence[Wish], Deadline], Sequence[Result | Failed | None]]
Alone = Callable[[Wish, Deadline], Result]


@dataclass(slots=True, eq=False)
class Waiting(Generic[Wish, Result]):
    """A wish, and who waits for its outcome: a thread, or a call that is served by turns.

    Attributes:
        wake: Held until the thread has something to do: to send a group, or to go on.
        group: Whose wishes the thread is to send.
        is_settled: Whether nobody is going to send its own.
        outcome: What became of that; None if something keeps it from going with others.
    """

    wish: Wish
    deadline: Deadline
    turns: Turns | None = None
    call: object = None
    wake: threading.Lock = field(default_factory=threading.Lock)
    group: Group[Wish, Result] | None = None
    is_settled: bool = False
    outcome: Result | Failed | None = None
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self.wake.acquire()

    def settle(self, outcome: Result | Failed | None, error: BaseException | None = None) -> None:
        """Say what became of the wish; who waits is to be woken then."""
        self.outcome, self.error, self.is_settled = outcome, error, True


def wake(settled: Sequence[Waiting[Wish, Result]]) -> None:
    """Let those go on who know what became of their wishes: all that share a loop at once."""
    calls: dict[Turns, list[object]] = {}
    for one in settled:
        if one.turns is None:
            one.wake.release()
        else:
            calls.setdefault(one.turns, []).append(one.call)
    for loop, those in calls.items():
        loop.go_on(those)


@dataclass(slots=True, eq=False)
class Group(Generic[Wish, Result]):
    """Wishes that go together, from the moment that somebody is to send them."""

    members: Sequence[Waiting[Wish, Result]] = ()
    began: float = field(default_factory=time.monotonic)

    def is_long(self, now: float) -> bool:
        """Whether this takes longer than a quick database would."""
        return now - self.began >= GAP + EACH * len(self.members)


class GroupCommit(Generic[Wish, Result]):
    """Sends wishes: one that finds a lane free alone, those that had to wait together.

    Args:
        together: Sends several; None is the outcome of one that has to be sent alone.
        alone: Sends one, and waits as long as it takes.
        enough: Seconds without which nothing is sent any more.
        patience: The same, for one that a lock has kept from going with others.
        name: What two copies of one request have in common: only one of them goes with others.
        gives_way: Whether what sends them gives way where calls are served by turns.
    """

    def __init__(
        self,
        together: Together[Wish, Result],
        alone: Alone[Wish, Result],
        *,
        enough: float,
        patience: float = 0.0,
        name: Callable[[Wish], Hashable] = id,
        gives_way: bool = False,
    ) -> None:
        self._together, self._alone = together, alone
        self._enough, self._patience, self._name = enough, patience, name
        self._gives_way = gives_way
        self._lock = threading.Lock()
        self._waiting: list[Waiting[Wish, Result]] = []
        self._under_way: set[Group[Wish, Result]] = set()
        self._is_called = self._is_watched = False

    def ask(self, wish: Wish, *, deadline: Deadline) -> Result:
        """What becomes of the wish.

        Raises:
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was stored is not known.
        """
        loop = turns()
        if loop is not None:
            mine = self._by_turns(wish, deadline, loop)
        else:
            mine = Waiting(wish, deadline)
            with self._lock:
                lane = self._next([]) if self._has_lane() else None
                if lane is None:
                    self._waiting.append(mine)
            if lane is not None:
                try:
                    return self._alone(wish, deadline)
                finally:
                    self._hand_over(self._follow(lane))
            while not mine.is_settled:
                self._wait(mine)
        if mine.error is not None:
            raise mine.error
        if isinstance(mine.outcome, Failed):
            raise mine.outcome.error
        if mine.outcome is not None:
            return mine.outcome
        if not deadline.allows(self._patience):
            raise StoreUnavailable
        if loop is not None:
            return loop.elsewhere(lambda: self._alone(wish, deadline), deadline=deadline)
        return self._alone(wish, deadline)

    def _has_lane(self) -> bool:
        """Whether another transaction may begin now: always beside none, or a single claim."""
        now = time.monotonic()
        moving = [one for one in self._under_way if one.began > now - STUCK]
        if len(moving) < 2:
            return all(len(one.members) < 2 or one.is_long(now) for one in moving)
        return len(moving) < LANES and all(one.is_long(now) for one in moving)

    def _next(self, members: Sequence[Waiting[Wish, Result]]) -> Group[Wish, Result]:
        """Give these a lane."""
        group = Group(members)
        self._under_way.add(group)
        return group

    def _take(self) -> Group[Wish, Result]:
        """Take those who have waited longest, at most one copy of each request."""
        members: dict[Hashable, Waiting[Wish, Result]] = {}
        for one in self._waiting[:MOST]:
            members.setdefault(self._name(one.wish), one)
        self._waiting = [
            one for one in self._waiting if members.get(self._name(one.wish)) is not one
        ]
        return self._next(list(members.values()))

    # --- a thread that waits --------------------------------------------------------

    def _wait(self, mine: Waiting[Wish, Result]) -> None:
        """Until the wish is settled, or this thread has sent what it was to send."""
        # The first of them looks for all, as it takes the others along.
        often = GAP if self._waiting[:1] == [mine] else STUCK
        patience = max(0.0, min(often, mine.deadline.remaining()))
        if not mine.wake.acquire(timeout=patience) and not self._is_to_lead(mine):
            return
        if (group := mine.group) is not None:
            mine.group = None
            self._hand_over(self._lead(group))

    def _is_to_lead(self, mine: Waiting[Wish, Result]) -> bool:
        """What becomes of a wish for which nobody has come: its thread may do it itself."""
        with self._lock:
            if mine in self._waiting:
                if mine.deadline.remaining() <= 0:
                    self._waiting.remove(mine)
                    mine.settle(Failed(StoreUnavailable()))
                    return False
                if not self._has_lane():
                    return False
                group = self._take()
                if mine in group.members:
                    mine.group = group
                    return True
            else:
                group = None
        if group is not None:  # not mine: while I sent it, nobody would send what I am taken for
            self._hand_over(group)
            return False
        mine.wake.acquire()  # it is under way, and its own deadline ends that
        return True

    # --- calls that are served by turns ---------------------------------------------

    def _by_turns(self, wish: Wish, deadline: Deadline, loop: Turns) -> Waiting[Wish, Result]:
        """Give way until the wish is settled."""
        mine: Waiting[Wish, Result] = Waiting(wish, deadline, loop, loop.mine())
        with self._lock:
            self._waiting.append(mine)
        if not self._is_called:
            # Not at once: those whose requests have come in the same moment go along.
            self._is_called = True
            loop.later(0, partial(self._come, loop))
        loop.give_way()
        return mine

    def _come(self, loop: Turns) -> None:
        self._is_called = False
        self._send_off(loop)

    def _watch(self, loop: Turns) -> None:
        self._is_watched = False
        self._send_off(loop)

    def _send_off(self, loop: Turns) -> None:
        """Have those sent who wait, as far as lanes are free; else look again soon."""
        groups = []
        with self._lock:
            late = [one for one in self._waiting if one.turns and one.deadline.remaining() <= 0]
            if late:
                self._waiting = [one for one in self._waiting if one not in late]
            while self._waiting and self._has_lane():
                groups.append(self._take())
            left = [one.deadline.remaining() for one in self._waiting if one.turns]
        for one in late:
            one.settle(Failed(StoreUnavailable()))
        wake(late)
        for group in groups:
            loop.start(partial(self._go_along, group), gives_way=self._gives_way)
        if left and not self._is_watched:
            self._is_watched = True
            loop.later(max(0.001, min(GAP, *left)), partial(self._watch, loop))

    # --- both -----------------------------------------------------------------------

    def _lead(self, group: Group[Wish, Result]) -> Group[Wish, Result] | None:
        """Send these; return those who are to be sent next, if there are any."""
        try:
            self._send(group.members)
        except BaseException:
            self._hand_over(self._follow(group))
            raise
        return self._follow(group)

    def _go_along(self, group: Group[Wish, Result] | None) -> None:
        """Where nobody waits for it, send these, and all who come meanwhile."""
        while group is not None:
            group = self._lead(group)

    def _follow(self, lane: Group[Wish, Result]) -> Group[Wish, Result] | None:
        """Give the lane to those who came meanwhile: all of them together."""
        with self._lock:
            self._under_way.remove(lane)
            return self._take() if self._waiting and self._has_lane() else None

    def _hand_over(self, group: Group[Wish, Result] | None) -> None:
        """Have the first of these send what all of them want."""
        if group is None:
            return
        first = group.members[0]
        if first.turns is not None:
            first.turns.start(partial(self._go_along, group), gives_way=self._gives_way)
        else:
            first.group = group
            first.wake.release()

    def _send(self, group: Sequence[Waiting[Wish, Result]]) -> None:
        """Send these wishes, and give everybody their outcome."""
        sent: list[Waiting[Wish, Result]] = []
        for one in group:
            if one.deadline.allows(self._enough):
                sent.append(one)
            else:
                one.settle(Failed(StoreUnavailable()))
        if sent:
            COUNTS.measure(("claim_group",), len(sent), SIZES)
            until = min((one.deadline for one in sent), key=lambda deadline: deadline.at)
            try:
                outcomes = self._together([one.wish for one in sent], until)
            except BaseException as error:  # noqa: BLE001  # each of them raises it
                for one in sent:
                    one.settle(None, error)
            else:
                for one, outcome in zip(sent, outcomes, strict=True):
                    one.settle(outcome)
        wake(group)
