"""Random traffic by sixteen clients for some seconds, three ways; each gives its history."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dibs.checker import Allowance, Names, Operation, Recorder, drive, load
from tests.backends import open_store
from tests.checker.clients import WANTED, client_of, key_of
from tests.checker.http import DAY_S, SETTINGS, people, with_ids
from tests.race.harness import in_processes
from tests.service import Service
from tests.services import RedisServer

CLIENTS, PROCESSES = 16, 4
SEED, ROUNDS = 6, 8
REST_S = 2.0
"""Of a name that was given up, where it rests at all: long enough to be met, and to end."""


def drive_all(
    clients: Sequence[Names],
    recorder: Recorder,
    seconds: float,
    threads: int = CLIENTS,
    label: str = "",
) -> None:
    """A few rounds at least, however slow the machine is."""
    drive(
        clients,
        recorder,
        wanted=WANTED,
        seed=int(label or SEED),
        threads=threads,
        rounds=ROUNDS,
        seconds=seconds,
        key=key_of,
        label=f"client {label}".strip(),
    )


def by_threads(url: str, seconds: float) -> list[Operation]:
    """Of one process, with two stores that know nothing of each other."""
    recorder = Recorder()
    stores = [open_store(url, pool_size=CLIENTS // 2) for _ in range(2)]
    clients = [client_of(store) for store in stores]
    drive_all(clients, recorder, seconds)
    for store in stores:
        store.close()
    return recorder.operations


def by_processes(url: str, seconds: float) -> list[Operation]:
    """Four, each with a quarter of the clients and a file of its own; and a look in the end."""
    with tempfile.TemporaryDirectory(prefix="dibs-history-") as folder:
        in_processes(partial(_process, url, seconds, Path(folder)), PROCESSES)
        history = load(sorted(Path(folder).iterdir()))
    last, store = Recorder(), open_store(url)
    drive([client_of(store)], last, wanted=WANTED, seed=0, threads=1, key=key_of)
    store.close()
    return history + last.operations


def _process(url: str, seconds: float, folder: Path) -> None:
    threads = CLIENTS // PROCESSES
    store, recorder = open_store(url, pool_size=threads), Recorder(folder / f"{os.getpid()}.jsonl")
    drive_all([client_of(store)], recorder, seconds, threads, str(os.getpid()))
    recorder.close()
    store.close()


def over_http(url: str, seconds: float, rests: float = 0.0, **settings: Any) -> list[Operation]:
    """At a service of two processes: people register, rename and delete themselves."""
    recorder = Recorder()
    with (
        # A busy disk is not what is looked for.
        Service(
            url, deadline=20.0, quarantine=f"{rests / DAY_S:.12f}", **SETTINGS, **settings
        ) as service,
        people(service.port, CLIENTS, rests) as clients,
    ):
        drive_all(clients, recorder, seconds)
    return with_ids(recorder.operations)


def over_http_resting(url: str, seconds: float) -> list[Operation]:
    """The same, where names rest between two owners."""
    return over_http(url, seconds, rests=REST_S)


def over_http_cached(url: str, seconds: float) -> list[Operation]:
    """The same with Redis in front, which may refuse names for a moment that are free again."""
    with RedisServer() as redis:
        return over_http(url, seconds, redis_url=redis.url, strategy="cache_aside")


RUNS: Mapping[str, Callable[[str, float], list[Operation]]] = {
    "threads": by_threads,
    "processes": by_processes,
    "http": over_http,
    "http-resting": over_http_resting,
    "http-cached": over_http_cached,
}
ALLOWED = {"http-cached": Allowance(stale=2.0)}
"""What is forgiven: what the strategy says itself."""
