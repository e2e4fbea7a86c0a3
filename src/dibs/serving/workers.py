"""The processes of `dibs serve`: workers that answer, and one that keeps them.

uvicorn's own supervisor starts each worker as a new program, which imports all of it again, and
has them accept on one socket, of which one worker may take every connection. Here workers are
forked, and each has a socket of its own: the kernel spreads connections over them.

No Python signal handler ever runs here: it would run in the middle of whatever the main thread
does. The signals are blocked, before the first fork, and asked for: one that comes early stays
pending until then.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from math import ceil
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, NamedTuple

from dibs.errors import DibsError
from dibs.observe import COUNTS, NOW

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess

    from flask import Flask
    from uvicorn import Server

    from dibs.config import Settings

STOP = {signal.SIGINT, signal.SIGTERM}
GRACE = 5.0  # seconds that ending may take beyond what one request may
TICK, CHECK = 0.1, 0.5  # seconds after which the one looks after the others, and they after it
LOOK = 1.0  # seconds between two looks at what metrics tell of this moment
KEEP_ALIVE = 80
"""Seconds: longer than most proxies keep a connection, which so never meet a closed one."""


class Plan(NamedTuple):
    """What workers are to do, with how many threads beside the front's.

    Attributes:
        metrics: The address and port where metrics are told; None for nowhere.
        keep_alive: Seconds for which a connection is kept that says nothing.
    """

    settings: Settings
    host: str
    port: int
    threads: int
    metrics: tuple[str, int] | None = None
    keep_alive: int = KEEP_ALIVE

    @property
    def patience(self) -> int:
        """Longer than any request may take: only a client that never ends is cut off."""
        return ceil(self.settings.deadline + GRACE)


def serve(plan: Plan, workers: int) -> None:
    """Keep this many workers until a signal says to stop; then let requests under way end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    jobs = _jobs(plan, workers)
    processes = [_fork(job) for job in jobs]
    # Ctrl-C reaches every process of a terminal; this one alone acts on it.
    while not signal.sigpending() & STOP:
        time.sleep(TICK)
        for number, one in enumerate(processes):
            if not one.is_alive():
                processes[number] = _fork(jobs[number])
                COUNTS.add("worker_restarts")
    for one in processes:
        one.terminate()
    ends = time.monotonic() + plan.patience
    for one in processes:
        one.join(max(0.0, ends - time.monotonic()))
        if one.is_alive():
            one.kill()
            one.join()


def _jobs(plan: Plan, workers: int) -> list[Callable[[], None]]:
    """What each process does: workers, and where metrics are told one that tells them."""
    if plan.metrics is None:
        return [partial(work, plan)] * workers
    from dibs.serving.metrics import Board, readiness, tell

    board = Board(workers + 1)
    COUNTS.keep_in(board.place(workers))
    COUNTS.put(f"{NOW}pool", workers * plan.settings.pool_size)
    ready = partial(readiness, plan.host, plan.port, plan.settings.deadline + 1)
    return [
        *(partial(work, plan, board.place(number)) for number in range(workers)),
        partial(tell, board, ready, *plan.metrics, CHECK),
    ]


def _fork(job: Callable[[], None]) -> ForkProcess:
    worker = get_context("fork").Process(target=job, daemon=False)
    worker.start()
    return worker


def work(plan: Plan, counts: memoryview | None = None) -> None:
    """Answer requests, in a worker: until its parent says so, or is no more."""
    if counts is not None:
        COUNTS.keep_in(counts)
        COUNTS.is_read = True
    servers: list[Server] = []
    stop = partial(_end, servers, threading.Lock())
    threading.Thread(target=_follow_signal, args=(stop,), daemon=True).start()
    threading.Thread(target=_follow_parent, args=(stop, plan.patience), daemon=True).start()
    import uvloop

    from dibs.app import create_app
    from dibs.state import parts_of

    app = create_app()
    _warm_up(app)
    # All that is there by now stays: to look for garbage in it took 3 % of a registration.
    gc.collect()
    gc.freeze()
    # As Python 3.11 has it: with that of a command, a worker takes 7 MiB more.
    gc.set_threshold(700)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(app, plan, servers))
    parts_of(app).restores.close()
    os._exit(0)  # whatever still waits for the database has nobody to answer


def _warm_up(app: Flask) -> None:
    """What the first request would wait for otherwise."""
    from dibs.state import parts_of

    parts = parts_of(app)
    parts.restores.start()
    if parts.settings.hashes:
        # Or the first login with a cheaper hash would wait until its cost is measured.
        parts.accounts.passwords.warm_up()
    try:
        parts.store.verify_once(parts.budget.start())
        parts.secret(parts.budget.start())
    except DibsError:
        pass  # requests are told so, until it can answer


async def _serve(app: Flask, plan: Plan, servers: list[Server]) -> None:
    from uvicorn import Config, Server

    from dibs.serving.bridge import Bridge
    from dibs.serving.protocol import FrontProtocol
    from dibs.serving.turns import LoopTurns
    from dibs.web.front import Front
    from dibs.web.http.bodies import MAX_BODY

    turns = LoopTurns(asyncio.get_running_loop(), plan.settings.pool_size)
    bridge = Bridge(app, Front(app), turns, threads=plan.threads, max_body=MAX_BODY)
    config = Config(
        bridge,
        http=FrontProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=plan.keep_alive,
        timeout_graceful_shutdown=plan.patience,
    )
    _look(app, asyncio.get_running_loop())
    servers.append(Server(config))
    await servers[0].serve([_listen(plan)])


def _look(app: Flask, loop: asyncio.AbstractEventLoop) -> None:
    """Note for metrics, now and then, what nobody counts."""
    from dibs.state import parts_of

    COUNTS.put(f"{NOW}connections", parts_of(app).store.transactions.in_use)
    loop.call_later(LOOK, _look, app, loop)


def _listen(plan: Plan) -> socket.socket:
    """A socket of this worker's own, on the port of all."""
    found = socket.socket(socket.AF_INET6 if ":" in plan.host else socket.AF_INET)
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        found.setsockopt(socket.SOL_SOCKET, option, 1)
    found.bind((plan.host, plan.port))
    return found


def _end(servers: list[Server], first: threading.Lock) -> None:
    """Let requests under way end, once; before there is a server, there are none."""
    if not first.acquire(blocking=False):
        return
    if not servers:
        os._exit(0)
    servers[0].should_exit = True


def _follow_parent(stop: Callable[[], None], patience: float) -> None:
    """A worker left behind by SIGKILL would go on answering on the port."""
    parent = parent_process()
    while parent is not None and os.getppid() == parent.pid:
        time.sleep(CHECK)
    stop()
    time.sleep(patience)
    os._exit(1)  # there is nobody else who could


def _follow_signal(stop: Callable[[], None]) -> None:
    signal.sigwait([signal.SIGTERM])
    stop()
