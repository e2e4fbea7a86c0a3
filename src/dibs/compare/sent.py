"""What is sent while a question is answered."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from dibs.compare.figures import Slice

HINT = re.compile(r"^\s*(/\*M!.*?\*/\s*)?")
FRAMES = ("BEGIN", "COMMIT", "ROLLBACK")
# The same for all strategies: the user's own row and the line of the history.
USERS = ("INSERT INTO dibs_users", "INSERT INTO dibs_history")


class Sent(threading.local):
    """Counts for the thread that looks, so that what others do at the same time is not its own."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin with the next question."""
        self.sql = self.users = self.frames = self.redis = 0

    def statement(self, text: str) -> None:
        """Count a statement by its beginning."""
        # Almost always there is nothing in front of the word, and this is in what is measured.
        bare = text if text[:1].isalpha() else HINT.sub("", text)
        if bare.startswith(FRAMES):
            self.frames += 1
        elif bare.startswith(USERS):
            self.users += 1
        else:
            self.sql += 1

    def request(self) -> None:
        """Count a request to Redis."""
        self.redis += 1

    def book(self, into: Slice) -> None:
        """Add what was sent for the answer that has just come."""
        into.sql += self.sql
        into.users += self.users
        into.frames += self.frames
        into.redis += self.redis
        source = "database" if self.sql else "redis" if self.redis else "process"
        into.sources[source] += 1

    @contextmanager
    def watching(self, engine: Any) -> Iterator[None]:
        """Count what is sent on new connections of this engine, and to any Redis."""
        from dibs.store import measuring as databases

        with databases.watched(engine, self.statement):
            if find_spec("redis") is None:
                yield
                return
            from dibs.cache import measuring as caches

            with caches.watched(self.request):
                yield
