"""How `dibs serve` ends: always, soon, and with all of its processes.

Granian tells its processes to end by Python signal handlers. Such a handler runs
in the middle of whatever the main thread does: one that sets an event for which
that thread waits can wait for itself, a worker's second signal blocks it for good,
and a worker just forked still has its parent's handler, which does nothing there.
So no handler ever runs here. The signals are blocked, before the first fork, and
a thread waits for them: one that comes early stays pending until it is asked for.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing import parent_process
from typing import Any

STOP = (signal.SIGINT, signal.SIGTERM)
GRACE = 5.0  # seconds that ending may take beyond what one request may
ORPHAN_CHECK = 0.5  # seconds


def on_stop(act: Callable[[], None]) -> None:
    """From now on, the first signal to stop that this process gets does this and no more.

    Args:
        act: Runs in a thread of its own.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    _wait_then(STOP, act)


def worker_app() -> Callable[..., Any]:
    """The service, in a worker: it ends when its parent says so, or is no more.

    Ctrl-C reaches every process of a terminal; the parent alone acts on it.
    """
    from dibs.app import create_app, settings_from_environment
    from dibs.state import parts_of

    # Forked: the parent's handler. Granian's own for workers comes after this.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    settings = settings_from_environment()
    stop = _Once(_end_worker)
    _wait_then([signal.SIGTERM], stop)
    _start(_follow_parent, stop, settings.deadline + GRACE)
    app = create_app()
    if settings.hashes:
        # Or the first login with a cheaper hash would wait until its cost is measured.
        parts_of(app).accounts.passwords.warm_up()
    return app


class _Once:
    """Does something the first time it is called."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._first = threading.Lock()

    def __call__(self) -> None:
        if self._first.acquire(blocking=False):
            self._act()


def _end_worker() -> None:
    """Let requests under way end; before Granian is there to do so, there are none."""
    handler = signal.getsignal(signal.SIGTERM)
    if callable(handler):
        handler(signal.SIGTERM, None)
    else:
        os._exit(0)


def _follow_parent(stop: Callable[[], None], patience: float) -> None:
    """A worker left behind by SIGKILL would go on answering on the port."""
    parent = parent_process()
    while parent is not None and os.getppid() == parent.pid:
        time.sleep(ORPHAN_CHECK)
    stop()
    time.sleep(patience)
    os._exit(1)  # there is nobody else who could


def _wait_then(signals: Any, act: Callable[[], None]) -> None:
    def wait() -> None:
        signal.sigwait(signals)
        act()

    _start(wait)


def _start(act: Callable[..., None], *args: Any) -> None:
    threading.Thread(target=act, args=args, daemon=True).start()
