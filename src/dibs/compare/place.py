"""The place to measure in: a namespace of its own, filled beforehand and emptied afterwards."""

from __future__ import annotations

import secrets
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

from dibs.cache import Entry, NameFilter, TakenNames
from dibs.config import Settings
from dibs.errors import DibsError
from dibs.names import Username
from dibs.store import Budget, Claim, NewUser, Won
from dibs.store import measuring as databases
from dibs.strategies import entry_of
from dibs.wiring import Parts, build, create_tables, open_store

BATCH = 100
PATIENCE_S, FILTER_PATIENCE_S = 10.0, 60.0
TICK_S = 0.02
PROBE = "probe"
STOPS = (signal.SIGINT, signal.SIGTERM)


class CannotCompare(DibsError):
    """What is needed to measure is not there, or what was measured cannot be removed."""

    code = "cannot_compare"


@contextmanager
def private_place(settings: Settings, clients: int) -> Iterator[Settings]:
    """Settings with a namespace of their own; what is in it afterwards is removed.

    Where no database is set, a new SQLite one in a temporary folder, never the service's own
    in DIBS_HOME.

    Raises:
        DibsError: The database or Redis cannot be used.
        KeyboardInterrupt: Ctrl-C, or SIGTERM; all was removed before.
    """
    with ExitStack() as stack:
        # Of its own too: a filter is kept there.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dibs-compare-"))
        ours = replace(
            settings,
            home=folder,
            namespace=f"compare-{secrets.token_hex(6)}",
            password="off",  # noqa: S106  # a mode
            pool_size=max(settings.pool_size, clients),
        )
        if not settings.database_url:
            create_tables(ours)
        store, budget = open_store(ours)
        with closing(store):
            store.verify(deadline=budget.start())
        redis_version(ours)
        ignore_stops = stack.enter_context(_stops_raise())
        try:
            yield ours
        finally:
            ignore_stops()
            remove(ours)


@contextmanager
def open_parts(settings: Settings) -> Iterator[Parts]:
    """What a service with these settings is made of, closed afterwards."""
    parts = build(settings)
    try:
        yield parts
    finally:
        for part in (parts.filter, parts.cache, parts.store):
            part.close()


def redis_version(settings: Settings) -> str:
    """Which Redis is used, for people to read; empty where there is none.

    Raises:
        CannotCompare: It cannot be reached.
        ConfigError: Its address cannot be used, or redis-py is missing.
    """
    if not settings.redis_url:
        return ""
    build(settings)  # which says what is wrong with the address, and connects to nothing
    from dibs.cache.redis import measuring as caches

    try:
        return caches.version(settings.redis_url)
    except OSError as error:
        raise CannotCompare(str(error)) from error


@contextmanager
def _stops_raise() -> Iterator[Callable[[], None]]:
    """Have SIGTERM do what Ctrl-C does; yields what has both do nothing from then on."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None  # signals are the main thread's
        return

    def ignore() -> None:
        for one in STOPS:
            signal.signal(one, signal.SIG_IGN)

    def stop(number: int, frame: object) -> None:
        del number, frame
        ignore()  # one is enough: a second one would only cut the removal short
        raise KeyboardInterrupt

    before = [signal.signal(one, stop) for one in STOPS]
    try:
        yield ignore
    finally:
        for one, handler in zip(STOPS, before, strict=True):
            signal.signal(one, handler)


# --- what is in it -----------------------------------------------------------


def fill(settings: Settings, names: Sequence[Username]) -> None:
    """Have these names taken, and known to Redis if there is one.

    Raises:
        DibsError: The database or Redis does not keep what it is given.
    """
    with open_parts(replace(settings, strategy="unique_constraint")) as parts:
        budget = parts.budget
        for start in range(0, len(names), BATCH):
            claims = [user_claim(name, settings.namespace) for name in names[start : start + BATCH]]
            outcomes = parts.store.claim_many(claims, deadline=budget.start())
            rows = [outcome.row for outcome in outcomes if isinstance(outcome, Won)]
            if len(rows) < len(claims):
                raise CannotCompare("The database did not take names that nobody else can have.")
            if start == 0 and settings.redis_url:
                wait_for_redis(parts.cache, budget, settings.namespace)
            entries = [entry for row in rows if (entry := entry_of(row))]
            parts.cache.learn(entries, began=time.monotonic(), deadline=budget.start())


def user_claim(name: Username, namespace: str) -> Claim:
    """The claim of a new user without a password."""
    user = str(uuid.uuid4())
    return Claim(name, "user", user, secrets.token_hex(16), namespace, NewUser(user))


def wait_for_redis(cache: TakenNames, budget: Budget, namespace: str) -> None:
    """Wait until a name that is written there can be read there.

    Raises:
        CannotCompare: That does not happen.
    """
    probe = Entry(namespace, PROBE, PROBE, "owned", 1, expires_in=1000)

    def is_kept() -> bool:
        deadline = budget.start()
        cache.learn([probe], began=time.monotonic(), deadline=deadline)
        return bool(cache.taken([PROBE], namespace=namespace, for_check=False, deadline=deadline))

    _wait_until(is_kept, PATIENCE_S, "Redis does not keep what it is given")


def wait_for_filter(names: NameFilter, namespace: str) -> None:
    """Wait until the filter calls an unused name free.

    Raises:
        CannotCompare: That does not happen.
    """

    def is_made() -> bool:
        return bool(names.certainly_free(["nobody's"], namespace=namespace))

    _wait_until(is_made, FILTER_PATIENCE_S, "The filter is not made")


def _wait_until(is_so: Callable[[], bool], seconds: float, otherwise: str) -> None:
    ends = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > ends:
            raise CannotCompare(f"{otherwise}; see the warnings above.")
        time.sleep(TICK_S)


def remove(settings: Settings) -> None:
    """Delete every name of this namespace, its users, and what Redis knows of them.

    Raises:
        CannotCompare: They could not be deleted; the message says what is left.
    """
    try:
        keys = databases.erase(settings.resolved_database_url, settings.namespace)
        if settings.redis_url:
            from dibs.cache.redis import erasing as caches

            store, budget = open_store(settings)
            with closing(store):
                secret = store.secret(deadline=budget.start())
            caches.erase(settings.redis_url, secret, settings.namespace, [*keys, PROBE])
    except (DibsError, OSError) as error:
        left = f"names and users of the namespace {settings.namespace} may be left"
        raise CannotCompare(f"{error} So {left}.") from error
