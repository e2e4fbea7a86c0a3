"""The way to Flask: a request that the front does not answer, as WSGI has it.

Of a2wsgi and asgiref neither keeps the bytes of a path that is no UTF-8, and the first has a
thread wait for every slow body. Here a body is read to its end, or to its limit, before a thread
has anything to do with it.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_to_bytes

from dibs.errors import Overloaded
from dibs.web.http.current import KEY, RequestState

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from dibs.context import Deadline
    from dibs.serving.turns import LoopTurns
    from dibs.web.front import Front

LINE = 150
"""How many requests a worker has under way: what comes on top of that, it sends away at once."""

LONGEST_SPREAD = 3
"""Seconds: those who were sent away at once are not to come again at once."""

JOINED = {b"cookie": "; "}
"""What stands between the values of a header that came twice, where it is no comma."""


Headers = Sequence[tuple[bytes, bytes]]


class Answered(NamedTuple):
    """What the app has answered."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Bridge:
    """An ASGI app that asks a WSGI app.

    Args:
        app: The WSGI app.
        front: Answers what needs no Flask, by turns: see `dibs.serving.protocol`.
        threads: How many requests the app answers at once.
        max_body: Bytes; of a longer one the app is told the length alone.

    Attributes:
        under_way: How many requests have begun, here or by turns, and are not answered.
    """

    def __init__(
        self, app: WSGIApplication, front: Front, turns: LoopTurns, *, threads: int, max_body: int
    ) -> None:
        self.front, self.turns = front, turns
        self._app, self._max = app, max_body
        self._threads = ThreadPoolExecutor(threads, "dibs-flask")
        self.under_way = 0

    @property
    def is_full(self) -> bool:
        """Whether another request is to be sent away."""
        return self.under_way >= LINE

    def too_many(self) -> Overloaded:
        """What those are told for whom the line is too long."""
        return Overloaded(random.randint(1, LONGEST_SPREAD))  # noqa: S311  # jitter, not a secret

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Answer a request."""
        environ = environ_of(scope)
        body = await self._read(environ, receive)
        if body is None:
            return  # the client has gone
        environ["wsgi.input"] = BytesIO(body)
        if self.front.is_health(scope["raw_path"]):
            found = self._ask(environ)
        elif self.is_full:
            found = self._refuse(scope["headers"], self.too_many())
        else:
            ask = partial(self._ask_in_time, environ, body, scope["headers"], self.front.begin())
            self.under_way += 1
            try:
                found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
            finally:
                self.under_way -= 1
        head = {"status": found.status, "headers": found.headers}
        await send({"type": "http.response.start", **head})
        await send({"type": "http.response.body", "body": found.body})

    async def _read(self, environ: dict[str, Any], receive: Any) -> bytes | None:
        """The body, and its true length to the environ; none of one that is too large."""
        if int(environ.get("CONTENT_LENGTH") or 0) > self._max:
            return b""
        body, more = b"", "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False) and len(body) <= self._max
        if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None:
            environ["CONTENT_LENGTH"] = str(len(body))
        return body

    def _ask_in_time(
        self, environ: dict[str, Any], body: bytes, headers: Headers, deadline: Deadline
    ) -> Answered:
        try:
            self.front.refuse_in_vain(environ["PATH_INFO"], body, deadline)
        except Overloaded as error:
            return self._refuse(headers, error)
        environ[KEY] = RequestState(deadline=deadline)
        return self._ask(environ)

    def _refuse(self, headers: Headers, error: Overloaded) -> Answered:
        reply = self.front.refuse(error, dict(headers))
        length = (b"content-length", str(len(reply.body)).encode())
        said = [length, *(_header(*one) for one in reply.headers.items())]
        return Answered(reply.status, said, reply.body)

    def _ask(self, environ: dict[str, Any]) -> Answered:
        told: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
            told[:] = [(status, headers)]

        chunks: Iterable[bytes] = self._app(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            if (close := getattr(chunks, "close", None)) is not None:
                close()
        ((status, headers),) = told
        return Answered(int(status[:3]), [_header(*one) for one in headers], body)


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


def environ_of(scope: Mapping[str, Any]) -> dict[str, Any]:
    """A request as WSGI has it (PEP 3333), but for its body."""
    (host, port), (peer, _) = scope["server"] or ("", 0), scope["client"] or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": peer,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    return environ | _headers(scope["headers"])


def _headers(headers: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        if b"_" in name:
            continue  # WSGI could not tell it from one with a hyphen, which a proxy may have set
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        found[key] = f"{found[key]}{JOINED.get(name, ',')}{text}" if key in found else text
    return found
