"""Questions whose answers are known, asked by many at once."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import chain, count, cycle
from typing import Any

from dibs.compare.figures import Slice
from dibs.compare.place import user_claim
from dibs.errors import NameTaken, StoreError
from dibs.names import Parser, Username
from dibs.wiring import Parts

HINT = re.compile(r"^\s*(/\*M!.*?\*/\s*)?")
FRAMES = ("BEGIN", "COMMIT", "ROLLBACK")
# The same for all strategies: the user's own row and the line of the history.
USERS = ("INSERT INTO dibs_users", "INSERT INTO dibs_history")


class Sent(threading.local):
    """Counts for the thread that looks, so that what others do at the same time is not its own."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin with the next question."""
        self.sql = self.users = self.frames = self.redis = 0

    def statement(self, text: str) -> None:
        """Count a statement by its beginning."""
        # Almost always there is nothing in front of the word, and this is in what is measured.
        bare = text if text[:1].isalpha() else HINT.sub("", text)
        if bare.startswith(FRAMES):
            self.frames += 1
        elif bare.startswith(USERS):
            self.users += 1
        else:
            self.sql += 1

    def request(self) -> None:
        """Count a request to Redis."""
        self.redis += 1

    def book(self, into: Slice) -> None:
        """Add what was sent for the answer that has just come."""
        into.sql += self.sql
        into.users += self.users
        into.frames += self.frames
        into.redis += self.redis
        source = "database" if self.sql else "redis" if self.redis else "process"
        into.sources[source] += 1

    @contextmanager
    def watching(self, engine: Any) -> Iterator[None]:
        """Count what is sent on new connections of this engine, and to any Redis."""
        from dibs.store import measuring as databases

        with databases.watched(engine, self.statement):
            if find_spec("redis") is None:
                yield
                return
            from dibs.cache.redis import measuring as caches

            with caches.watched(self.request):
                yield


FREE, TAKEN = "free", "taken"
"""Answers. Any other is the `code` of what refused a name."""

Question = tuple[Username, str]
"""A name, and the answer that is right."""

Ask = Callable[[Parts, Username], str]

SAMPLE = 50
"""Names in each round that are claimed again, to see that the second claim is refused."""


class Names:
    """Draws names; threads may share it.

    Of those that are asked for more than once every one has its turn before any has its second,
    so that what a process remembers for a second seldom answers for the parts behind it.

    Args:
        number: How many are taken, and how many others are free and never claimed.
        parser: Which names are one.

    Attributes:
        taken: To be claimed beforehand.
        recent: The last few that somebody claimed.
        won: How many somebody did.
        doubtful: How many more somebody may have, without having been told.
    """

    def __init__(self, number: int, parser: Parser) -> None:
        self._parser = parser
        self.taken = [self._name("taken", i) for i in range(number)]
        self.recent: deque[Username] = deque(maxlen=SAMPLE)
        self.won = self.doubtful = 0
        self._taken: Iterator[Question] = cycle([(name, TAKEN) for name in self.taken])
        self._free: Iterator[Question] = cycle(
            [(self._name("free", i), FREE) for i in range(number)]
        )
        self._mixed = chain.from_iterable(zip(self._taken, self._free, strict=False))
        self._fresh = count()

    def _name(self, kind: str, number: int) -> Username:
        return self._parser.parse(f"{kind}_{number:09}")

    def draw(self, case: str) -> Question:
        """A name for this case, and the right answer."""
        if case == "fresh":
            return self._name("fresh", next(self._fresh)), FREE
        pools = {"check": self._mixed, "check_free": self._free}
        return next(pools.get(case, self._taken))

    def note(self, case: str, done: Slice) -> None:
        """Know how many fresh names were won."""
        if case == "fresh":
            self.won += len(done.took) - done.wrong
            self.doubtful += done.failed


def claim(parts: Parts, name: Username) -> str:
    """Register a user with this name and without a password, as the service does."""
    deadline, claim = parts.budget.start(), user_claim(name, parts.registry.namespace)
    try:
        parts.registry.look(claim, costly=False, deadline=deadline)
        row = parts.registry.claim(claim, deadline=deadline)
    except NameTaken as refused:
        return refused.code
    return FREE if (row.owner, row.key) == (claim.owner, name.key) else "another's"


def check(parts: Parts, name: Username) -> str:
    """Ask whether the name is free."""
    refused = parts.registry.check(name, deadline=parts.budget.start())
    return FREE if refused is None else refused.code


class Crowd:
    """Threads that ask at the same time until a moment has passed.

    Args:
        parts: Whom they ask.
        clients: How many they are.
        sent: Counts what is sent for them.
    """

    def __init__(self, parts: Parts, names: Names, clients: int, sent: Sent) -> None:
        self._parts, self._names, self._clients, self._sent = parts, names, clients, sent
        self._go = threading.Event()
        self._stop = threading.Event()

    def ask(self, case: str, *, seconds: float = 0.0, each: int = 0) -> Slice:
        """Ask one case for so long, or so many times each.

        Raises:
            KeyboardInterrupt: Nobody asks any more.
        """
        self._go.clear()
        self._stop.clear()
        # Not threads to be joined: Python 3.11 takes one for ended whose join was interrupted.
        with ThreadPoolExecutor(self._clients) as pool:
            try:
                asking = [
                    pool.submit(self._go_on, case, seconds, each) for _ in range(self._clients)
                ]
                began = time.perf_counter()
                self._go.set()
                wait(asking)
            finally:
                self._stop.set()
                self._go.set()
        whole = Slice(seconds=time.perf_counter() - began)
        for one in asking:
            whole.add(one.result())
        self._names.note(case, whole)
        return whole

    def _go_on(self, case: str, seconds: float, each: int) -> Slice:
        self._go.wait()
        into = Slice()
        ask = check if case.startswith("check") else claim
        ends = time.perf_counter() + seconds
        done = 0
        while not self._stop.is_set() and (done < each or time.perf_counter() < ends):
            self._one(ask, *self._names.draw(case), into)
            done += 1
        return into

    def _one(self, ask: Ask, name: Username, right: str, into: Slice) -> None:
        self._sent.forget()
        began = time.perf_counter()
        try:
            answer = ask(self._parts, name)
        except StoreError:
            into.failed += 1
            return
        into.took.append(time.perf_counter() - began)
        into.wrong += answer != right
        self._sent.book(into)
        if ask is claim and answer == right == FREE:
            self._names.recent.append(name)


def given_twice(parts: Parts, names: Names) -> int:
    """How many of the names that were just won are given out a second time."""
    won = [names.recent.popleft() for _ in range(len(names.recent))]
    return sum(claim(parts, name) != TAKEN for name in won)
