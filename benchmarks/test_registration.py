"""Registration with a password beside the bare hash, and checks beside registrations.

    make bench ARGS="-k registration -s"

The bare hash runs on the same server, under the same load, in the same run: rounds of
both take turns, so that whatever else the machine does falls on both. Reported, not
asserted: 0.90 of the bare rate and 5 times the idle p99 are what is wanted.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from statistics import median, quantiles

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.bare import Bare
from tests.backends import POSTGRESQL
from tests.conftest import missing
from tests.load import Client, get, register
from tests.service import Service
from tests.services import ServiceMissing

ROUNDS = int(os.environ.get("DIBS_BENCH_ROUNDS", "5"))
SECONDS = float(os.environ.get("DIBS_BENCH_SECONDS", "6"))
# The kernel deals them out by chance: of eight, all may come to one of the two workers.
CONNECTIONS = int(os.environ.get("DIBS_BENCH_CONNECTIONS", "24"))
WORKERS = 2
CHECKS_A_SECOND = 20
PASSWORD = "correct horse battery staple"

_rng = random.Random(time.time_ns())


@pytest.fixture
def service() -> Iterator[Service]:
    try:
        url = POSTGRESQL.migrated()
    except ServiceMissing as error:
        missing(error)
        raise
    with Service(url, workers=WORKERS, password="required", rate_limits="off") as service:
        yield service


def a_name() -> str:
    """Of letters that look like no others."""
    return "".join(_rng.choices("abdeghkstuw", k=16))


def registrations() -> Iterator[bytes]:
    while True:
        yield register(a_name(), PASSWORD)


def rate(client: Client, requests: Iterable[bytes], seconds: float) -> float:
    """Registrations in a second; what a full queue sheds with 503 is none."""
    began = time.monotonic()
    answers = client.send(takewhile(lambda _: time.monotonic() < began + seconds, requests))
    took = time.monotonic() - began
    statuses = Counter(answer.status for answer in answers)
    assert statuses.keys() <= {201, 503}, statuses
    return statuses[201] / took


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


def measure(service: Service) -> dict[str, list[float]]:
    """Figures of every round; checks in milliseconds, idle and beside registrations."""
    found: dict[str, list[float]] = {"bare": [], "ours": [], "beside checks": []}
    idle: list[float] = []
    beside: list[float] = []
    with (
        Bare(workers=WORKERS) as bare,
        bare.client(CONNECTIONS) as bare_client,
        service.client(CONNECTIONS) as client,
        ThreadPoolExecutor() as pool,
    ):
        for one in (bare_client, client):
            rate(one, registrations(), 1)
        for _ in range(ROUNDS):
            found["bare"].append(rate(bare_client, registrations(), SECONDS))
            found["ours"].append(rate(client, registrations(), SECONDS))
            for samples, busy in ((idle, False), (beside, True)):
                stop = threading.Event()
                checking = pool.submit(checks, service.port, stop)
                if busy:
                    found["beside checks"].append(rate(client, registrations(), SECONDS))
                else:
                    time.sleep(SECONDS)
                stop.set()
                samples += checking.result()
    return {**found, "idle": idle, "busy": beside}


def lines(found: dict[str, list[float]]) -> Iterator[str]:
    ratios = [ours / bare for ours, bare in zip(found["ours"], found["bare"], strict=True)]
    yield f"{ROUNDS} rounds of {SECONDS:.0f} s, {WORKERS} workers, {CONNECTIONS} connections"
    for kind in ("bare", "ours", "beside checks"):
        each = " ".join(f"{one:.1f}" for one in found[kind])
        yield f"{kind:<14} {median(found[kind]):6.1f} registrations/s ({each})"
    each = " ".join(f"{one:.2f}" for one in ratios)
    yield f"ours / bare    {median(ratios):6.2f} ({each})"
    for kind in ("idle", "busy"):
        took = found[kind]
        yield (
            f"checks, {kind}   {1000 * median(took):6.1f} ms median, {p99(took):.1f} ms p99,"
            f" {1000 * max(took):.1f} ms at most, of {len(took)}"
        )
    yield f"p99 busy/idle  {p99(found['busy']) / p99(found['idle']):6.1f}"


@pytest.mark.timeout(600)
def test_registration(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], service: Service
) -> None:
    """At 0.90 of the bare hash, and checks no slower than 5 times an idle service's."""
    found = benchmark.pedantic(measure, args=(service,), rounds=1)  # type: ignore[no-untyped-call]
    with capsys.disabled():
        print("", *lines(found), sep="\n")
