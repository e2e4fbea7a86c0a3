"""What has expired, removed by those who add to it: no table grows for ever."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from dibs.context import Deadline
from dibs.errors import StoreError
from dibs.store.accounts.erasures import Erasures
from dibs.store.accounts.idempotency import Requests
from dibs.store.accounts.sessions import Sessions

PERIOD_SECONDS = 3600.0
RETRY_SECONDS = 60.0

AT_ONCE = 100
"""A login adds one row, so taking away up to this many in its course wins in the end."""


class Housekeeping:
    """Removes what has expired, once an hour in each process, while somebody waits.

    Sessions and what is left of deleted users, for who logs in; requests, for who sends one.
    """

    def __init__(self, *tables: Sessions | Erasures | Requests) -> None:
        self._tables = tables
        self._lock = threading.Lock()
        self._next = time.monotonic()

    def now_and_then(self, deadline: Deadline) -> None:
        """Remove some if it is time; what fails is tried again in a minute."""
        if time.monotonic() < self._next or not self._lock.acquire(blocking=False):
            return
        try:
            self._next = time.monotonic() + RETRY_SECONDS
            with suppress(StoreError):  # what was asked for is done already
                removed = [
                    table.remove_expired(limit=AT_ONCE, deadline=deadline) for table in self._tables
                ]
                # As many as asked for: there may be more, and the next one goes on.
                pause = 0.0 if max(removed) >= AT_ONCE else PERIOD_SECONDS
                self._next = time.monotonic() + pause
        finally:
            self._lock.release()
