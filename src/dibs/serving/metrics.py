"""`/metrics` of `dibs serve`: what all of its processes have counted, as Prometheus reads it.

prometheus-client's own way for several processes is a file for each of them that ever was, which
nobody takes away, and a second count of everything. Here each worker counts in a piece of memory
that all processes share, and a worker in the place of a dead one goes on from its counts.
"""

from __future__ import annotations

import json
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from itertools import accumulate
from mmap import mmap
from typing import NamedTuple

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from dibs.observe import NOW, SECONDS, SIZE, Key, numbers_in
from dibs.store.names.group_commit import SIZES

PREFIX = "dibs_"


class Board:
    """Memory for the counts of some processes, each in a place of its own.

    It is made before they are forked, has no name and no file, and ends with the last of them.
    """

    def __init__(self, places: int) -> None:
        self._memory = memoryview(mmap(-1, places * SIZE))

    def place(self, number: int) -> memoryview:
        """That of one process."""
        return self._memory[number * SIZE : (number + 1) * SIZE]

    def read(self) -> dict[Key, list[float]]:
        """The sums of all."""
        sums: dict[Key, list[float]] = {}
        for begins in range(0, len(self._memory), SIZE):
            for key, numbers in numbers_in(self._memory[begins : begins + SIZE]).items():
                before = sums.get(key, [0.0] * len(numbers))
                sums[key] = [a + b for a, b in zip(before, numbers, strict=True)]
        return sums


class Family(NamedTuple):
    """A metric that is one count, or one for each value of a label.

    Attributes:
        counts: The name of each count, by the label's value.
        label: Its name; empty where there is one count alone.
    """

    name: str
    help: str
    counts: dict[str, str]
    label: str = ""


class Distribution(NamedTuple):
    """A metric that is a histogram, from what is measured by this key and labels."""

    name: str
    help: str
    key: str
    bounds: tuple[float, ...] = SECONDS
    labels: tuple[str, ...] = ()


FAMILIES = (
    Family("registrations", "New users, by any way.", {"": "registrations"}),
    Family("sessions", "Sessions that logins have begun.", {"": "sessions"}),
    Family("database_statements", "Statements sent to the database.", {"": "statements"}),
    Family(
        "database_retries",
        "Attempts that were repeated, since the database was lost or another transaction won.",
        {"lost": "retries_lost", "conflict": "retries_conflict"},
        "reason",
    ),
    Family(
        "database_unavailable",
        "What was given up since the database did not answer in time; nothing was changed.",
        {"": "unavailable"},
    ),
    Family(
        "database_outcomes_unknown",
        "What was given up after COMMIT, so that nobody knows whether it was carried out.",
        {"": "outcomes_unknown"},
    ),
    Family(
        "database_connections_in_use",
        "Connections in use, as workers have seen it within the last second.",
        {"": f"{NOW}connections"},
    ),
    Family(
        "database_connections_most",
        "Connections that all workers may have at once (DIBS_POOL_SIZE for each).",
        {"": f"{NOW}pool"},
    ),
    Family(
        "password_hashes_wanted",
        "Requests now whose password is hashed, or waits for its turn.",
        {"": f"{NOW}hashes"},
    ),
    Family(
        "password_hashes_refused",
        "Passwords that were not hashed since their turn would have come too late.",
        {"": "hashes_refused"},
    ),
    Family(
        "requests_turned_away",
        "Requests for which nothing was done: too many (503), or too slow to come (408).",
        {"408": "turned_away_408", "503": "turned_away_503"},
        "status",
    ),
    Family(
        "cache_lookups",
        "Names looked up in caches, by whether they were known there.",
        {"hit": "cache_hit", "miss": "cache_miss"},
        "result",
    ),
    Family(
        "cache_rejections",
        "Cache entries that were not used or not written: forged, older than what is there"
        " (outdated), read too long ago (late), or Redis was full.",
        {
            "forged": "cache_forged",
            "outdated": "cache_outdated",
            "late": "cache_late_fill",
            "full": "cache_refused",
        },
        "reason",
    ),
    Family(
        "filter_lookups",
        "Names looked up in the membership filter; behind: it was too old to be asked.",
        {"free": "filter_free", "maybe": "filter_maybe", "behind": "filter_behind"},
        "result",
    ),
    Family(
        "redis_trips",
        "Trips to Redis; skipped: it was away, or there was no time for it.",
        {"sent": "redis_call", "failed": "redis_error", "skipped": "redis_skipped"},
        "result",
    ),
    Family(
        "redis_breakers_open",
        "Processes that leave Redis alone now, since it does not answer.",
        {"": f"{NOW}redis_away"},
    ),
    Family("worker_restarts", "Processes that died and were replaced.", {"": "worker_restarts"}),
)

REFUSALS = "refused_"
"""What counts of refusals begin with; how many there are, the rules of names know."""

DISTRIBUTIONS = (
    Distribution(
        "http_request_seconds",
        "Requests and the time of their answers, but for /healthz and /readyz.",
        "request",
        labels=("method", "route", "status"),
    ),
    Distribution("password_hash_seconds", "The time of a hash, once it had its turn.", "hash"),
    Distribution("password_hash_wait_seconds", "The time before a hash had its turn.", "hash_wait"),
    Distribution("claim_group_size", "Claims in one transaction.", "claim_group", SIZES),
)


class Counted(Collector):
    """Reads the board whenever it is asked, and asks the service whether it is ready.

    Args:
        readiness: What `/readyz` says; empty where it is not.
    """

    def __init__(self, board: Board, readiness: Callable[[], str]) -> None:
        self._board, self._readiness = board, readiness

    def collect(self) -> Iterable[Metric]:
        """Every metric, with zeros for what has not happened yet."""
        status = self._readiness()
        yield GaugeMetricFamily(
            f"{PREFIX}ready",
            "Whether a worker finds the database in order and can write to it (/readyz).",
            float(bool(status)),
        )
        yield GaugeMetricFamily(
            f"{PREFIX}restored",
            "Whether the database went back in time, and nobody has accepted it.",
            float(status == "restored"),
        )
        found = self._board.read()
        for family in FAMILIES:
            yield _counts(family, found)
        refusals = {
            key.removeprefix(REFUSALS): key
            for key in found
            if isinstance(key, str) and key.startswith(REFUSALS)
        }
        said = "Names that somebody wanted and could not have, by the error's code."
        yield _counts(Family("refusals", said, refusals, "reason"), found)
        yield from _distributions(found)


def _counts(family: Family, found: dict[Key, list[float]]) -> Metric:
    is_state = next(iter(family.counts.values()), "").startswith(NOW)
    kind = GaugeMetricFamily if is_state else CounterMetricFamily
    labels = [family.label] if family.label else []
    metric = kind(f"{PREFIX}{family.name}", family.help, labels=labels)
    for value, count in family.counts.items():
        metric.add_metric([value] if labels else [], found.get(count, [0.0])[0])
    return metric


def _distributions(found: dict[Key, list[float]]) -> Iterator[Metric]:
    measured = defaultdict[str | int, dict[tuple[str, ...], list[float]]](dict)
    for key, numbers in found.items():
        if isinstance(key, tuple):
            measured[key[0]][tuple(map(str, key[1:]))] = numbers
    for one in DISTRIBUTIONS:
        metric = HistogramMetricFamily(f"{PREFIX}{one.name}", one.help, labels=one.labels)
        ends = [*map(str, one.bounds), "+Inf"]
        never = {} if one.labels else {(): [0.0] * (len(ends) + 1)}
        for values, numbers in (never | measured[one.key]).items():
            buckets = list(zip(ends, accumulate(numbers[:-1]), strict=True))
            metric.add_metric(values, buckets, numbers[-1])
        yield metric


def readiness(host: str, port: int, seconds: float) -> str:
    """What `/readyz` of the service at this address says, within so many seconds.

    Empty for whatever is no 200.
    """
    connection = HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return str(json.load(answer)["status"]) if answer.status == HTTPStatus.OK else ""
    except (OSError, HTTPException):
        return ""
    finally:
        connection.close()


def tell(board: Board, ready: Callable[[], str], host: str, port: int, tick: float) -> None:
    """Answer scrapes, in a process of its own: until its parent says so, or is no more."""
    parent = os.getppid()
    registry = CollectorRegistry()
    registry.register(Counted(board, ready))
    start_http_server(port, host, registry)
    while os.getppid() == parent and not signal.sigtimedwait([signal.SIGTERM], tick):
        pass
    os._exit(0)  # a scrape under way would wait for a service that has ended
