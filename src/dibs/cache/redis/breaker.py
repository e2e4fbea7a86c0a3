"""One process's way to Redis: connected beforehand, cut at once when anything is wrong."""

from __future__ import annotations

import hashlib
import logging
import os
import pkgutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from math import inf
from typing import Any, TypeVar

from redis.exceptions import InvalidResponse, MaxConnectionsError, NoScriptError, OutOfMemoryError

from dibs.cache.redis.address import REPLY_SECONDS, Address, Client
from dibs.context import CacheTime, Deadline, Turns, turns
from dibs.errors import StoreUnavailable
from dibs.observe import Counters, Sparse

Answer = TypeVar("Answer")
Command = tuple[str | bytes | int, ...]

log = logging.getLogger("dibs.cache")
log.addFilter(Sparse())

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
"""Seconds between two tries to reach it again."""

TICK = 0.01
"""How often the thread looks for calls that take too long, in seconds, while there are calls."""


AWAY = "now_redis_away"
"""1 while Redis is not asked, 0 while it is."""


class Away(Exception):
    """Redis is not asked, or did not answer: the database is."""


class NotAsked(Away):
    """Nothing was sent to Redis."""


class Busy(NotAsked):
    """Every connection is taken."""


BUSY_SECONDS = 0.001
"""After so long there may be one again."""

SCRIPTS: dict[str, bytes] = {}
"""By SHA-1: what Redis is sent where it has forgotten one."""


def script(file: str) -> str:
    """The SHA-1 by which a command calls the script in this file."""
    text = pkgutil.get_data("dibs.cache.redis", file) or b""
    sha = hashlib.sha1(text, usedforsecurity=False).hexdigest()
    SCRIPTS[sha] = text
    return sha


@dataclass(slots=True, eq=False)
class Question:
    """Commands, and where they are sent with those of others, the call that waits for the replies.

    Attributes:
        fits: Whether something can be the reply to one of them at all.
    """

    commands: Sequence[Command]
    fits: Callable[[Any], bool]
    caches: CacheTime
    turns: Turns | None = None
    call: object = None
    since: float = field(default_factory=time.monotonic)
    replies: list[Any] = field(default_factory=list)
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)


class RedisBreaker:
    """A circuit breaker around Redis that is mended by a thread of its own.

    A request never connects: that would cost it a name server, a handshake and their time-outs.
    It uses a connection that the thread has made and tried, waits `REPLY_SECONDS` at most for
    each packet, and when that fails nobody asks Redis again until the thread has had an answer
    in time. A reply that comes in many late packets is broken off by the thread.

    Args:
        connections: How many requests may ask at once.
        counters: Gets `redis_call`, `redis_error`, `redis_skipped` and `now_redis_away`.

    Attributes:
        on_return: Called in the thread, with the client, each time Redis is reached anew, and
            after `nudge`; what it raises keeps the link cut.
    """

    def __init__(self, address: Address, *, connections: int, counters: Counters) -> None:
        self.shown = address.shown
        self._address = address
        self._connections = connections
        self._counters = counters
        self.on_return: Callable[[Client], object] = lambda _: None
        self._lock = threading.Lock()
        self._process = 0
        self._closed = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._client: Client | None = None
        self._lost = False
        self._up = threading.Event()
        self._asked = threading.Event()
        self._work = threading.Event()
        # When each call under way has to be over, by thread.
        self._ends: dict[int, float] = {}
        # Of calls by turns, or without a connection; while some are sent, others gather.
        self._waiting: list[Question] = []
        self._is_called = False
        self._sender = ThreadPoolExecutor(1, "dibs-redis-sender")

    def call(self, work: Callable[[Client], Answer], caches: CacheTime) -> Answer:
        """What `work` returns, within the time that this request has left for caches.

        Args:
            caches: Is made shorter by what this took.

        Raises:
            NotAsked: Nothing was sent.
            Away: Redis did not answer, or refused.
            OutOfMemoryError: It takes no more; reading it is of use all the same.
        """
        if (loop := turns()) is not None and self.is_up():
            try:
                until = Deadline.after(max(0.0, caches.left))
                return loop.elsewhere(lambda: self.call(work, caches), deadline=until)
            except StoreUnavailable as error:
                raise NotAsked from error
        client = self._client if self.is_up() else None
        if client is None or caches.left < REPLY_SECONDS:
            self._counters.add("redis_skipped")
            raise NotAsked
        self._counters.add("redis_call")
        began, me = time.monotonic(), threading.get_ident()
        self._ends[me] = began + caches.left
        self._asked.set()
        try:
            return work(client)
        except MaxConnectionsError as error:
            # Everybody is asking: the database can take this one.
            raise Busy from error
        except OutOfMemoryError:
            raise
        except Exception as error:  # what is away may say anything; it becomes a miss, no answer
            self._cut(client, error)
            raise Away from error
        finally:
            del self._ends[me]
            caches.spend(time.monotonic() - began)

    def ask(
        self, commands: Sequence[Command], fits: Callable[[Any], bool], caches: CacheTime
    ) -> list[Any]:
        """The replies to a few commands, in one trip.

        Those of calls that are served by turns go together with whatever others ask meanwhile, and
        so do those of calls that find every connection taken.

        Args:
            commands: A script is called by its SHA-1, and sent whole if Redis has lost it.

        Raises:
            NotAsked: Nothing was sent.
            Away: Redis did not answer, or refused.
            OutOfMemoryError: It takes no more; reading it is of use all the same.
        """
        loop = turns()
        if loop is None or not self.is_up():
            mine = Question(commands, fits, caches)
            try:
                self.call(partial(_answer, [mine]), caches)
            except Busy:
                if self._gather(mine):
                    self._sender.submit(self._send)
                mine.done.wait()
        else:
            mine = Question(commands, fits, caches, loop, loop.mine())
            if self._gather(mine):  # not at once: those who have come in the same moment go along
                loop.later(0, partial(self._sender.submit, self._send))
            loop.give_way()
        if mine.error is not None:
            raise mine.error
        return mine.replies

    def _gather(self, mine: Question) -> bool:
        """Put it to the others; say whether it is the first, which has them sent."""
        with self._lock:
            self._waiting.append(mine)
            is_called, self._is_called = self._is_called, True
        return not is_called

    def _send(self) -> None:
        """Send what has gathered, in the thread of that."""
        with self._lock:
            group, self._waiting, self._is_called = self._waiting, [], False
        now = time.monotonic()
        for one in group:
            one.caches.spend(now - one.since)
            one.error = NotAsked() if one.caches.left < REPLY_SECONDS else None
        if sent := [one for one in group if one.error is None]:
            caches = CacheTime(min(one.caches.left for one in sent))
            try:
                self._call_in_time(partial(_answer, sent), caches)
            except Exception as error:  # noqa: BLE001  # each of them raises it
                for one in sent:
                    one.error = error
            for one in sent:
                one.caches.spend(time.monotonic() - now)
        calls: dict[Turns, list[object]] = {}
        for one in group:
            if one.turns is not None:
                calls.setdefault(one.turns, []).append(one.call)
            one.done.set()
        for loop, those in calls.items():
            loop.go_on(those)

    def _call_in_time(self, work: Callable[[Client], Answer], caches: CacheTime) -> Answer:
        """The same as `call`, but that it waits for a connection while there is time."""
        while True:
            try:
                return self.call(work, caches)
            except Busy:
                time.sleep(BUSY_SECONDS)
                caches.spend(BUSY_SECONDS)

    def is_up(self) -> bool:
        """Whether Redis is asked at the moment."""
        if self._process != os.getpid():
            self._start()
        return self._up.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until Redis is reached, and say whether it was. For tests and measurements."""
        return self.is_up() or self._up.wait(seconds)

    def nudge(self) -> None:
        """Have `on_return` called again: it has something to do."""
        self._work.set()
        self._asked.set()

    def close(self) -> None:
        """Give back every connection."""
        self._closed = True
        self._up.clear()
        self._sender.shutdown(wait=False)
        self.nudge()

    def _cut(self, client: Client | None, error: Exception) -> None:
        """Ask Redis no more until it has been reached anew, unless it was in the meantime."""
        self._counters.add("redis_error")
        if client is self._client and self._up.is_set():
            self._up.clear()
            self._lost = True
            self._counters.put(AWAY, 1)
            log.warning("Redis at %s does not answer and is left alone: %s", self.shown, error)
            self.nudge()

    # --- the thread --------------------------------------------------------

    def _start(self) -> None:
        """Begin in this process; a server may have forked since the last one."""
        with self._lock:
            if self._process == os.getpid() or self._closed:
                return
            self._begin_anew()
            threading.Thread(target=self._tend, name="dibs-redis", daemon=True).start()
            # Last, or another thread would use what belongs to the parent.
            self._process = os.getpid()

    def _tend(self) -> None:
        pause = SHORTEST_PAUSE
        while True:
            # First, so that what comes up from here on is seen to in the next round.
            self._work.clear()
            if self._closed:
                break
            try:
                self._reach()
            except Exception as error:  # noqa: BLE001  # whatever it is, the next try may do better
                self._up.clear()
                if self._closed:
                    break  # nobody wants to know any more
                self._lost = True
                self._counters.put(AWAY, 1)
                log.warning("Redis at %s cannot be reached: %s", self.shown, error)
                time.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)
            else:
                pause = SHORTEST_PAUSE
                self._watch()
        self._up.clear()
        self._address.disconnect(self._client)

    def _reach(self) -> None:
        if self._up.is_set() and self._client is not None:
            self.on_return(self._client)
            return
        if self._client is not None:
            time.sleep(SHORTEST_PAUSE)
            self._address.disconnect(self._client)
            self._client = None
        client = self._address.connect(self._connections)
        try:
            self.on_return(client)
        except BaseException:
            self._address.disconnect(client)
            raise
        self._client = client
        if self._lost:  # as loud as the loss, or a log of warnings alone would end with that
            log.warning("Redis at %s answers again and is in use", self.shown)
        else:
            log.info("Redis at %s answers and is in use", self.shown)
        self._lost = False
        self._counters.put(AWAY, 0)
        self._up.set()

    def _watch(self) -> None:
        """Wait until there is something to do, and end calls that take too long until then."""
        while not self._work.is_set():
            self._asked.wait()
            self._asked.clear()
            looked = time.monotonic()
            while self._ends and not self._work.wait(TICK):
                before, looked = looked, time.monotonic()
                # On a machine that lets nobody run, it is not Redis that is late.
                prompt = looked - before < 3 * TICK
                if prompt and min(self._ends.copy().values(), default=inf) < looked:
                    self._cut(self._client, TimeoutError("a reply did not come to its end in time"))
                    self._address.disconnect(self._client)


def _answer(questions: Sequence[Question], client: Client) -> None:
    """Have each be answered, all in one trip."""
    replies = iter(in_one_go(client, [command for one in questions for command in one.commands]))
    for one in questions:
        one.replies = list(islice(replies, len(one.commands)))
        # Anything may come back where a reply belongs to another question.
        if not all(map(one.fits, one.replies)):
            raise InvalidResponse("a reply to another question")


def in_one_go(client: Client, commands: Sequence[Command]) -> list[Any]:
    """Send all and read all replies, of which one may be raised: late ones take as long as one."""
    replies = _pipelined(client, commands)
    lost = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if lost:
        whole = [("EVAL", SCRIPTS[str(commands[at][1])], *commands[at][2:]) for at in lost]
        for at, reply in zip(lost, _pipelined(client, whole), strict=True):
            replies[at] = reply
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


def _pipelined(client: Client, commands: Sequence[Command]) -> list[Any]:
    if len(commands) == 1:
        try:
            return [client.execute_command(*commands[0])]  # type: ignore[no-untyped-call]
        except NoScriptError as error:
            return [error]
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return list(pipeline.execute(raise_on_error=False))
