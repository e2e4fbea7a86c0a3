"""Rounds in which one strategy after the other is asked the same."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

from dibs.compare.asking import Crowd, Names, Sent, given_twice
from dibs.compare.figures import CASES, Report, Slice, summarise
from dibs.compare.http import serving
from dibs.compare.place import (
    fill,
    open_parts,
    private_place,
    redis_version,
    wait_for_filter,
    wait_for_redis,
)
from dibs.config import Settings
from dibs.store import measuring as databases
from dibs.wiring import Parts, make_parser, open_store

ROUNDS = 7
"""A machine is slower for some seconds now and then; the median does not see it."""

WARM_UP = 20
"""Questions of each client before the clock runs: connections, prepared statements, caches."""

OneRound = dict[str, dict[str, Slice]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be compared.

    Attributes:
        settings: Where: its database and Redis.
        strategies: Which, one or more.
        names: How many names are taken, and how many are only checked.
        seconds: For how long each strategy is asked in each case, all rounds together.
        clients: How many ask at the same time.
        http: Whether to ask a `dibs serve` as well.
    """

    settings: Settings
    strategies: Sequence[str]
    names: int
    seconds: float
    clients: int
    http: bool = False

    @property
    def steps(self) -> int:
        """How often `measure` reports progress."""
        return (2 if self.http else 1) * ROUNDS * len(self.strategies) * len(CASES)


def measure(plan: Plan, ticked: Callable[[], None]) -> Report:
    """Measure, and leave nothing behind.

    Args:
        plan: What.
        ticked: Called after each of `plan.steps`.

    Raises:
        DibsError: The database or Redis cannot be used.
        KeyboardInterrupt: It was told to stop; nothing is left behind then either.
    """
    with private_place(plan.settings, plan.clients) as settings:
        here = replace(plan, settings=settings)
        names = Names(plan.names, make_parser(settings))
        fill(settings, names.taken)
        decision = _rounds(here, partial(_in_process, names), ticked)
        http = None
        if plan.http:
            with serving(settings, plan.strategies, names) as turn:
                http = _rounds(here, turn, ticked)
        return Report(
            about=_about(here),
            decision=summarise(decision),
            http=summarise(http, counted=False) if http else None,
            stray=_stray(settings, names),
        )


Turn = Callable[[Settings, str, int, float], Slice]
"""Asks one strategy one case, with so many clients and for so many seconds."""


def _rounds(plan: Plan, turn: Turn, ticked: Callable[[], None]) -> list[OneRound]:
    """Strategies take turns at one case, and each round begins with another of them.

    So what is compared was measured within a few seconds, and none is always the first.
    """
    found: list[OneRound] = [{name: {} for name in plan.strategies} for _ in range(ROUNDS)]
    for case in CASES:
        for number, one in enumerate(found):
            shift = number % len(plan.strategies)
            for strategy in [*plan.strategies[shift:], *plan.strategies[:shift]]:
                settings = replace(plan.settings, strategy=strategy)  # type: ignore[arg-type]
                one[strategy][case] = turn(settings, case, plan.clients, plan.seconds / ROUNDS)
                ticked()
    return found


def _in_process(names: Names, settings: Settings, case: str, clients: int, seconds: float) -> Slice:
    """What the decision itself costs: the registry, asked by threads.

    Its parts are made for one turn, so that a filter which follows the table costs nobody else.
    """
    with _parts(settings) as (parts, sent):
        crowd = Crowd(parts, names, clients, sent)
        _wait(parts)
        crowd.ask(case, each=WARM_UP)
        found = crowd.ask(case, seconds=seconds)
        found.wrong += given_twice(parts, names)
        return found


@contextmanager
def _parts(settings: Settings) -> Iterator[tuple[Parts, Sent]]:
    sent = Sent()
    with open_parts(settings) as parts, sent.watching(parts.store.engine):
        yield parts, sent


def _wait(parts: Parts) -> None:
    """Measure no cache that is just being reached, nor a filter that is being made."""
    settings = parts.settings
    if settings.redis_url:
        wait_for_redis(parts.cache, parts.budget, settings.namespace)
    if settings.strategy == "membership_filter":
        wait_for_filter(parts.filter, settings.namespace)


def _stray(settings: Settings, names: Names) -> int:
    """How many names are stored beyond those that were won, or fewer.

    A question without an answer may have been granted all the same, and is no stray.
    """
    stored = databases.count(settings.resolved_database_url, settings.namespace)
    more = stored - len(names.taken) - names.won
    return more if more < 0 else max(0, more - names.doubtful)


def _about(plan: Plan) -> dict[str, Any]:
    store, budget = open_store(plan.settings)
    with closing(store):
        store.verify(deadline=budget.start())
        database = databases.version(store.engine)
    return {
        "dibs": version("dibs"),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "database": database,
        "redis": redis_version(plan.settings) or None,
        "names": plan.names,
        "clients": plan.clients,
        "seconds": plan.seconds,
        "rounds": ROUNDS,
    }
