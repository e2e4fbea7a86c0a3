"""Sessions that have expired, removed by who signs in: no table grows for ever."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from dibs.deadline import Deadline
from dibs.errors import StoreError
from dibs.store.sessions import Sessions

PERIOD_SECONDS = 3600.0
RETRY_SECONDS = 60.0

AT_ONCE = 500
"""A login adds one session, so taking away up to this many in its course wins in the end."""


class Housekeeping:
    """Removes expired sessions, once an hour in each process, while somebody waits for a login.

    Args:
        sessions: Where they are.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._lock = threading.Lock()
        self._next = time.monotonic()

    def now_and_then(self, deadline: Deadline) -> None:
        """Remove some if it is time; what fails is tried again in a minute."""
        if time.monotonic() < self._next or not self._lock.acquire(blocking=False):
            return
        try:
            self._next = time.monotonic() + RETRY_SECONDS
            with suppress(StoreError):  # whose login it is, has it already
                removed = self._sessions.remove_expired(limit=AT_ONCE, deadline=deadline)
                # As many as asked for: there may be more, and the next login goes on.
                pause = 0.0 if removed >= AT_ONCE else PERIOD_SECONDS
                self._next = time.monotonic() + pause
        finally:
            self._lock.release()
