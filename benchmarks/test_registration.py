"""Registration with a password beside the bare hash, and checks beside registrations.

    make bench ARGS="-k registration -s"

The bare hash runs on the same server, under the same load, in the same run: both take
turns, so that whatever else the machine does falls on both, and both start anew several
times, since where the memory of a process comes to lie makes its hashes up to 5 % quicker
or slower for as long as it runs. Reported, not asserted: 0.90 of the bare rate and 5 times
the idle p99 are what is wanted.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import mean, median, quantiles, stdev

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.bare import Bare
from tests.backends import POSTGRESQL
from tests.conftest import missing
from tests.load import Client, get, register
from tests.service import Service
from tests.services import ServiceMissing

STARTS = int(os.environ.get("DIBS_BENCH_STARTS", "6"))
TURNS = int(os.environ.get("DIBS_BENCH_TURNS", "4"))
SECONDS = float(os.environ.get("DIBS_BENCH_SECONDS", "4"))
# The kernel deals them out by chance: of eight, all may come to one of the two workers.
CONNECTIONS = int(os.environ.get("DIBS_BENCH_CONNECTIONS", "24"))
WORKERS = 2
SETTLING = (0.4, 0.8)  # seconds
CHECKS_A_SECOND = 20
PASSWORD = "correct horse battery staple"

_rng = random.Random(time.time_ns())


@pytest.fixture
def url() -> str:
    """Of a database for this run."""
    try:
        return POSTGRESQL.migrated()
    except ServiceMissing as error:
        missing(error)
        raise


@dataclass(frozen=True)
class Start:
    """What one start of both servers came to: rates a second, and seconds that checks took."""

    bare: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return mean(self.ours) / mean(self.bare)


def a_name() -> str:
    """Of letters that look like no others."""
    return "".join(_rng.choices("abdeghkstuw", k=16))


def rate(client: Client, seconds: float) -> float:
    """Answers in a second, of a stretch through which every connection has its request.

    The first and the last ones are no part of it, since the workers never begin and end
    together; and it begins at random, since answers come in groups.
    """
    since = time.monotonic() + _rng.uniform(*SETTLING)
    counted = 0

    def registrations() -> Iterator[bytes]:
        nonlocal counted
        while (now := time.monotonic()) < since + seconds:
            counted += now >= since  # each one follows upon an answer
            yield register(a_name(), PASSWORD)

    answers = client.send(registrations())
    assert {answer.status for answer in answers} == {201}
    return counted / seconds


def checks(port: int, stop: threading.Event) -> list[float]:
    """How long each check took, 20 of them a second, until told to stop."""
    took: list[float] = []
    with Client(port, 4) as client:
        client.send([get(f"/usernames/{a_name()}")] * 8)
        following = time.monotonic()
        while not stop.is_set():
            took.append(client.one(get(f"/usernames/{a_name()}")).seconds)
            following += 1 / CHECKS_A_SECOND
            time.sleep(max(0.0, following - time.monotonic()))
    return took


def p99(took: list[float]) -> float:
    return 1000 * quantiles(took, n=100)[98]


def measure(url: str) -> Start:
    """Start both servers anew, and let them take turns."""
    found = Start()
    with (
        Service(
            url, script=True, workers=WORKERS, password="required", rate_limits="off"
        ) as service,
        Bare(workers=WORKERS) as bare,
        service.client(CONNECTIONS) as client,
        bare.client(CONNECTIONS) as bare_client,
        ThreadPoolExecutor() as pool,
    ):
        for one in (bare_client, client):
            rate(one, 1)  # a worker's first requests are slower
        for _ in range(TURNS):
            found.bare.append(rate(bare_client, SECONDS))
            found.ours.append(rate(client, SECONDS))
        for took, is_busy in ((found.idle, False), (found.busy, True)):
            stop = threading.Event()
            checking = pool.submit(checks, service.port, stop)
            if is_busy:
                rate(client, 2 * SECONDS)
            else:
                time.sleep(2 * SECONDS)
            stop.set()
            took += checking.result()
    return found


def lines(starts: list[Start]) -> Iterator[str]:
    yield f"{STARTS} starts, {TURNS} turns of {SECONDS:.0f} s, {CONNECTIONS} connections"
    for kind in ("bare", "ours"):
        rates = [one for start in starts for one in getattr(start, kind)]
        yield f"{kind:<14} {mean(rates):6.1f} registrations/s"
    ratios = [start.ratio for start in starts]
    each = " ".join(f"{one:.3f}" for one in ratios)
    error = stdev(ratios) / len(ratios) ** 0.5
    yield f"ours / bare    {mean(ratios):6.3f}, standard error {error:.3f} ({each})"
    tails = {}
    for kind in ("idle", "busy"):
        took = [one for start in starts for one in getattr(start, kind)]
        tails[kind] = p99(took)
        yield (
            f"checks, {kind}   {1000 * median(took):6.1f} ms median, {tails[kind]:.1f} ms p99,"
            f" {1000 * max(took):.1f} ms at most, of {len(took)}"
        )
    yield f"p99 busy/idle  {tails['busy'] / tails['idle']:6.1f}"


@pytest.mark.timeout(600)
def test_registration(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    """At 0.90 of the bare hash, and checks no slower than 5 times an idle service's."""
    found: list[Start] = benchmark.pedantic(  # type: ignore[no-untyped-call]
        lambda: [measure(url) for _ in range(STARTS)], rounds=1
    )
    with capsys.disabled():
        print("", *lines(found), sep="\n")
