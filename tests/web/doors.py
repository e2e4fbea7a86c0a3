"""Every request of these tests that the front of `dibs serve` would answer goes down both doors."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from werkzeug.test import run_wsgi_app

from dibs.state import state_of
from dibs.web.front import Asked, Front, Reply
from tests.backends import path_of

if TYPE_CHECKING:
    from tests.web.site import Site

# An id of somebody new, of a request, and a key that is made for the client.
# A key may begin or end with a hyphen, where there is no boundary of a word.
RANDOM = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![\w-])[\w-]{32}(?![\w-])|\b[0-9a-f]{16}\b"
)
SECONDS = re.compile(r"\d+")


BOTH_S = 0.5
"""Two answers are made in less, even where a machine is busy."""


class BothDoors:
    """An app that answers as Flask does, after seeing that the front would have said the same.

    What the front has changed is undone before Flask is asked.

    Args:
        site: Whose app it is; on SQLite.

    Attributes:
        compared: How many requests went down both.
        is_open: Whether they are to.
    """

    def __init__(self, site: Site) -> None:
        self._site, self._flask = site, site.app.wsgi_app
        self._front = Front(site.app)
        self.compared = 0
        self.is_open = site.parts.redis is None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        plan = self._plan(environ) if self.is_open else None
        if plan is None:
            return self._flask(environ, start_response)
        if (left := 60 - time.time() % 60) < BOTH_S:
            time.sleep(left)  # other names are suggested in the next minute
        with self._undone():
            front = plan()
        chunks, status, headers = run_wsgi_app(self._flask, environ)
        body = b"".join(chunks)
        told = Reply(int(status[:3]), dict(headers), body)
        self.compared += 1
        assert _comparable(front) == _comparable(told)
        start_response(status, list(headers))
        return [body]

    def _plan(self, environ: dict[str, Any]) -> Callable[[], Reply] | None:
        body = environ["wsgi.input"].read() if environ.get("CONTENT_LENGTH") else b""
        environ["wsgi.input"] = BytesIO(body)
        headers = {
            name.removeprefix("HTTP_").lower().replace("_", "-").encode(): value.encode("latin-1")
            for name, value in environ.items()
            if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
        }
        target = quote(environ["PATH_INFO"].encode("latin-1"), safe="/").encode()
        if environ["QUERY_STRING"]:
            target += b"?" + environ["QUERY_STRING"].encode("latin-1")
        method = environ["REQUEST_METHOD"].encode()
        if not self._front.takes(method, target, headers):
            return None
        peer, scheme = environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]
        return self._front.plan(
            Asked(method, target, headers, peer, scheme, self._front.begin(), body)
        )

    @contextmanager
    def _undone(self) -> Any:
        """Put back what is done within this block: rows, counts, and what was noted of them."""
        site, limits = self._site, state_of(self._site.app).limits
        cache, noted = site.parts.cache, len(site.sql)
        counts, entries = cache.counters.read(), cache._memory._entries.copy()
        local = dict(limits.tally.local._counts) if limits else {}
        path = path_of(str(site.parts.store.engine.url))
        if not Path(path).is_file():  # it is away, for the test's own reasons
            yield
            return
        with (
            closing(sqlite3.connect(path, timeout=30)) as file,
            closing(sqlite3.connect(":memory:")) as kept,
        ):
            file.backup(kept)
            yield
            kept.backup(file)
        for name in cache.counters.read():
            cache.counters.put(name, counts.get(name, 0))
        cache._memory._entries = entries
        if limits:
            limits.tally.local._counts = local
        del site.sql[noted:]


def _comparable(reply: Reply) -> tuple[int, dict[str, str], str]:
    """A reply without what is random, and with no seconds where a second may have passed."""
    said = {name.lower(): RANDOM.sub("<random>", value) for name, value in reply.headers.items()}
    said["content-length"] = str(len(reply.body))
    body = RANDOM.sub("<random>", reply.body.decode())
    if "retry-after" in said or "retry_after" in body:
        body = SECONDS.sub("<s>", body)
        said.pop("retry-after", None)
        said.pop("content-length")
    if "ratelimit" in said:
        said["ratelimit"] = re.sub(r"t=\d+", "t=<s>", said["ratelimit"])
    return reply.status, said, body
