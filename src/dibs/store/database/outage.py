"""What to do about a server that has stopped answering."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dibs.errors import StoreUnavailable

# A server that is back answers in milliseconds: so long is worth waiting for
# another request that asks it, and no longer.
HEARSAY = 0.25


class OutageGate:
    """Lets one request at a time ask a server that has stopped answering.

    Without it every thread would wait out its whole deadline behind a frozen
    server, and the requests behind them theirs again. There is no period of
    grace: whoever comes next may ask, so the first request after the server's
    return is served; those beside it wait for a moment to hear how it fared.
    """

    def __init__(self) -> None:
        self._silent = False
        self._asking = threading.Lock()
        self._asked_at: float | None = None

    @contextmanager
    def ask(self) -> Iterator[None]:
        """Go ahead, or not.

        Raises:
            StoreUnavailable: The server is silent and somebody is asking already.
        """
        if not self._silent:
            yield
            return
        if not self._asking.acquire(timeout=self._patience()):
            raise StoreUnavailable
        if not self._silent:  # whoever asked before us was answered
            self._asking.release()
            yield
            return
        self._asked_at = time.monotonic()
        try:
            yield
        finally:
            self._asked_at = None
            self._asking.release()

    def _patience(self) -> float:
        """Seconds to wait for the one who asks: none once the answer is late."""
        asked_at = self._asked_at
        return HEARSAY if asked_at is None else max(0.0, asked_at + HEARSAY - time.monotonic())

    @property
    def is_known(self) -> bool:
        """Whether the server did not answer the last time."""
        return self._silent

    def heard(self) -> None:
        self._silent = False

    def lost(self) -> None:
        self._silent = True
