"""For how long a name that was released is still refused, and whether one ever has two owners.

    python -m benchmarks.staleness --seconds 60

Two processes with caches of their own, and strategies that take turns, claim, check and
release the same names on one database with one Redis, as fast as they can. Afterwards what
they were told is laid beside the versions of the rows: who was refused while nobody had the
name, and how long after its release. Fails if a name ever had two owners. PostgreSQL and
Redis are started for the occasion.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection

import click

from dibs.errors import NameTaken
from dibs.names import parse
from dibs.registry import Registry
from dibs.store import NameRow
from dibs.strategies import STRATEGIES
from tests.backends import POSTGRESQL, open_store
from tests.caches import REDIS, open_cache, registry_on
from tests.contract.test_strategies import register
from tests.support.contract import soon

PROCESSES = 2
NAMES = [f"name{number}" for number in range(40)]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a process was told, and when, on a clock that all processes share.

    Attributes:
        kind: claimed, released, refused (a claim was), called_taken (a check was).
        asked: When the question left.
        told: When the answer was there.
        version: Of the row, where it was shown.
    """

    kind: str
    name: str
    asked: float
    told: float
    version: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What a run has come to; times in seconds.

    Attributes:
        claims: Names granted.
        releases: Names given back.
        claim_staleness: The longest between a release's acknowledgement and the end of a
            claim that began after it and was refused although nobody had the name.
        check_staleness: The same of a check.
        double_owners: How often a name was granted while somebody had it.
    """

    claims: int
    releases: int
    refusals: int
    checks: int
    claim_staleness: float
    check_staleness: float
    double_owners: int


class Worker:
    """What one process does: one strategy after the other, with one cache."""

    def __init__(self, url: str, redis_url: str, seed: int) -> None:
        self._store = open_store(url, pool_size=2)
        self._cache = open_cache(redis_url, self._store, connections=2)
        self._registries = [registry_on(name, self._store, self._cache) for name in STRATEGIES]
        self._dice = random.Random(seed)
        self._mine: dict[str, NameRow] = {}
        self.events: list[Event] = []

    def work(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            registry, name = self._dice.choice(self._registries), self._dice.choice(NAMES)
            if name in self._mine:
                self._release(registry, name)
            elif self._dice.random() < 0.5:
                self._claim(registry, name)
            else:
                self._check(registry, name)
        for name in list(self._mine):
            self._release(self._registries[0], name)
        self._cache.close()
        self._store.close()

    def _claim(self, registry: Registry, name: str) -> None:
        asked = time.monotonic()
        try:
            row = self._mine[name] = register(registry, name)
        except NameTaken:
            self._note("refused", name, asked)
        else:
            self._note("claimed", name, asked, row.version)

    def _check(self, registry: Registry, name: str) -> None:
        asked = time.monotonic()
        taken = registry.check(parse(name), deadline=soon())
        self._note("called_taken" if taken else "called_free", name, asked)

    def _release(self, registry: Registry, name: str) -> None:
        row, asked = self._mine.pop(name), time.monotonic()
        assert registry.release(name, owner=str(row.owner), deadline=soon())
        self._note("released", name, asked, row.version + 1)

    def _note(self, kind: str, name: str, asked: float, version: int = 0) -> None:
        self.events.append(Event(kind, name, asked, time.monotonic(), version))


def _run(url: str, redis_url: str, seconds: float, seed: int, pipe: Connection) -> None:
    worker = Worker(url, redis_url, seed)
    worker.work(seconds)
    pipe.send(worker.events)
    pipe.close()


def measure(url: str, redis_url: str, seconds: float) -> Found:
    """Run the processes for so long, and judge what they were told."""
    context = get_context("forkserver")
    pipes, workers = [], []
    for seed in range(PROCESSES):
        mine, theirs = context.Pipe(duplex=False)
        workers.append(context.Process(target=_run, args=(url, redis_url, seconds, seed, theirs)))
        workers[-1].start()
        theirs.close()
        pipes.append(mine)
    events = [event for pipe in pipes for event in pipe.recv()]
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    return judge(events)


def judge(events: Sequence[Event]) -> Found:
    """What a run has come to, by the versions of rows and the times of answers."""
    by_name = {name: [event for event in events if event.name == name] for name in NAMES}
    number = partial(_count, events)
    return Found(
        claims=number("claimed"),
        releases=number("released"),
        refusals=number("refused"),
        checks=number("called_taken") + number("called_free"),
        claim_staleness=max(_staleness(one, "refused") for one in by_name.values()),
        check_staleness=max(_staleness(one, "called_taken") for one in by_name.values()),
        double_owners=sum(map(_double_owners, by_name.values())),
    )


def _count(events: Sequence[Event], kind: str) -> int:
    return sum(event.kind == kind for event in events)


def _changes(events: Sequence[Event]) -> list[Event]:
    changes = [event for event in events if event.kind in ("claimed", "released")]
    return sorted(changes, key=lambda event: event.version)


def _double_owners(events: Sequence[Event]) -> int:
    """A claim is followed by its release, version by version; anything else is somebody else."""
    changes = _changes(events)
    expected = ["claimed", "released"] * (len(changes) // 2)
    versions = [change.version for change in changes]
    wrong = sum(one.kind != kind for one, kind in zip(changes, expected, strict=False))
    return wrong + len(changes) % 2 + len(versions) - len(set(versions))


def _staleness(events: Sequence[Event], kind: str) -> float:
    """The longest time after a release at which somebody who asked later was told "taken".

    Only while nobody else can have had it: until the next claim of it was sent.
    """
    longest, changes = 0.0, _changes(events)
    told = [event for event in events if event.kind == kind]
    for change, following in zip(changes, [*changes[1:], None], strict=False):
        if change.kind != "released":
            continue
        until = following.asked if following else float("inf")
        wrong = [
            one.told - change.told for one in told if change.told < one.asked < one.told < until
        ]
        longest = max([longest, *wrong])
    return longest


def show(found: Found) -> str:
    """The figures, for people."""
    return (
        f"{found.claims} claims granted, {found.refusals} refused, {found.releases} releases,"
        f" {found.checks} checks\n"
        f"largest staleness: claims {found.claim_staleness * 1e3:.1f} ms,"
        f" checks {found.check_staleness * 1e3:.1f} ms\n"
        f"double owners: {found.double_owners}"
    )


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long to run.")
def main(seconds: float) -> None:
    """Measure on PostgreSQL and Redis, started for the occasion."""
    try:
        found = measure(POSTGRESQL.migrated(), REDIS.empty(), seconds)
    finally:
        POSTGRESQL.close()
        REDIS.close()
    click.echo(show(found))
    if found.double_owners:
        raise click.ClickException("a name had two owners")


if __name__ == "__main__":
    main()
