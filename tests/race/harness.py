"""Many at once: threads and processes that start at a barrier, and the count of winners."""

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from typing import TypeVar

from dibs.store import Claim, Failed, Lost, NameRow, NameStore, Outcome, Won
from tests.backends import open_store
from tests.support import programs
from tests.support.contract import a_claim, claim

T = TypeVar("T")

PATIENCE_S = 60.0
THREADS_A_PROCESS = 2


def at_once(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Starts every job at the same moment, each in a thread; returns what they return."""
    barrier = threading.Barrier(len(jobs), timeout=PATIENCE_S)

    def run(job: Callable[[], T]) -> T:
        barrier.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def claim_at_once(stores: Sequence[NameStore], claims: Sequence[Claim]) -> list[Outcome | Failed]:
    """Sends every claim at the same moment, to the stores in turn."""
    return at_once([partial(claim, stores[i % len(stores)], one) for i, one in enumerate(claims)])


def assert_one_winner(outcomes: Sequence[Outcome | Failed]) -> NameRow:
    """Exactly one has won, and every other one was shown the winner's row; returns it."""
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Won)]
    assert [o for o in outcomes if o is not winner] == [Lost(winner.row)] * (len(outcomes) - 1)
    return winner.row


def claim_from_processes(
    url: str, names: Sequence[str], processes: int
) -> list[list[Outcome | Failed]]:
    """Claims each name from threads of many processes, all at the same moment.

    Returns:
        For each name what everybody was told.
    """
    context = programs.processes()
    barrier = context.Barrier(processes * THREADS_A_PROCESS, timeout=PATIENCE_S)
    told: SimpleQueue[list[Outcome | Failed]] = context.SimpleQueue()
    workers = [
        context.Process(target=_claim_each, args=(url, names, barrier, told))
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    answers = [told.get() for _ in range(processes * THREADS_A_PROCESS)]
    for worker in workers:
        worker.join()
    told.close()
    return [list(outcomes) for outcomes in zip(*answers, strict=True)]


def in_processes(job: Callable[[], object], number: int) -> None:
    """Runs it in so many processes, all starting at the same moment; each must succeed."""
    context = programs.processes()
    barrier = context.Barrier(number, timeout=PATIENCE_S)
    workers = [context.Process(target=_run_at, args=(barrier, job)) for _ in range(number)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * number


def in_new_process(job: Callable[[], object]) -> int | None:
    """Runs it in a process of its own; returns how that ended: negative for a signal."""
    worker = programs.processes().Process(target=job)
    worker.start()
    worker.join(PATIENCE_S)
    return worker.exitcode


def _run_at(barrier: Barrier, job: Callable[[], object]) -> None:
    barrier.wait()
    job()


def _claim_each(
    url: str, names: Sequence[str], barrier: Barrier, told: "SimpleQueue[list[Outcome | Failed]]"
) -> None:
    store = open_store(url, pool_size=THREADS_A_PROCESS)

    def claim_all(password_hash: str | None) -> None:
        outcomes: list[Outcome | Failed] = []
        for name in names:
            wanted = a_claim(name, user=True, password_hash=password_hash)
            barrier.wait()
            outcomes.append(claim(store, wanted))
        told.put(outcomes)

    # Those with a password claim their names in a single statement on PostgreSQL.
    hashes = itertools.cycle([None, "$argon2id$..."])
    threads = [
        threading.Thread(target=claim_all, args=(next(hashes),)) for _ in range(THREADS_A_PROCESS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
