"""HTTP on an event loop: uvicorn's, but that the front's requests are answered on the way.

They need no task, no scope and no thread. What of uvicorn is overridden here, a test pins.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from dibs.web.front import Asked

if TYPE_CHECKING:
    import asyncio

    from dibs.serving.bridge import Bridge
    from dibs.web.front import Reply

log = logging.getLogger(__name__)

MAX_HEAD = 64 * 1024
"""Bytes of an address and its headers; llhttp itself knows no end."""

PART_SECONDS = 5.0
"""In which they must come, once they have begun, and the body after them."""

FIRST_SECONDS = 30.0
"""In which whoever has connected must begin."""

STOPPED_SECONDS = 1.0
"""A loop that comes so late stood still itself, and what was sent meanwhile is not read yet."""


class NoEvent:
    """What uvicorn tells a request that waits; one of the front's does not wait."""

    def set(self) -> None:
        """Nothing to wake."""


@dataclass(slots=True, eq=False)
class Exchange:
    """A request of the front's and its answer, where uvicorn has a cycle of its own.

    Attributes:
        keep_alive: Whether another request may follow.
        disconnected: Whether nobody is there to be answered.
    """

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    keep_alive: bool
    message_event: NoEvent = NoEvent()  # noqa: RUF009  # it has no state
    body: bytearray = field(default_factory=bytearray)
    more_body: bool = True
    disconnected: bool = False
    response_complete: bool = False


class FrontProtocol(HttpToolsProtocol):
    """One connection, by a `Config` of uvicorn whose app is a `Bridge`."""

    def __init__(self, config: Any, *args: Any, **options: Any) -> None:
        super().__init__(config, *args, **options)
        bridge: Bridge = self.app
        self._bridge, self._front, self._turns = bridge, bridge.front, bridge.turns
        self._is_in_head, self._head = True, 0
        self._due: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._watched = 0.0

    # --- heads and bodies: how long, and in which time ------------------------------

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._due = self.loop.time() + FIRST_SECONDS
        self._watch_until(self._due)

    def connection_lost(self, exc: Exception | None) -> None:
        self._due = None
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def _watch_until(self, due: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watched = due
        self._watch = self.loop.call_at(due, self._see_progress)

    def _see_progress(self) -> None:
        self._watch = None
        if self._due is None or self.transport.is_closing():
            return
        now = self.loop.time()
        earlier: Any = self.cycle
        is_unanswered = earlier is not None and not earlier.response_complete
        if self.pipeline or (self._is_in_head and is_unanswered):
            self._due = now + PART_SECONDS  # it is this side that is awaited
        elif now - self._due > STOPPED_SECONDS:
            self._due = now + STOPPED_SECONDS
        if now < self._due:
            self._watch_until(self._due)
            return
        if self._head if self._is_in_head else is_unanswered:
            reply = self._front.refuse(HTTPStatus.REQUEST_TIMEOUT, dict(self.headers or ()))
            self._write(reply, keep_alive=False)
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # what comes after a refusal
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._is_in_head:
            self._head += len(data)
        if self._head > MAX_HEAD:
            head = (STATUS_LINE[431], b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.write(b"".join(head))
            self.transport.close()
        elif self._due is not None and (self._watch is None or self._watched > self._due):
            self._watch_until(self._due)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._head = True, 0
        self._due = self.loop.time() + PART_SECONDS

    # --- the front's requests -------------------------------------------------------

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._due = self.loop.time() + PART_SECONDS
        if self._front_takes_it():
            return
        super().on_headers_complete()

    def _front_takes_it(self) -> bool:
        earlier: Any = self.cycle
        if earlier is not None and not earlier.response_complete:
            return False  # it waits for the answer to the one before
        if self.pipeline or self.flow.write_paused or self.parser.get_http_version() != "1.1":
            return False
        headers = dict(self.headers)
        method = self.parser.get_method()
        if len(headers) < len(self.headers) or not self._front.takes(method, self.url, headers):
            return False
        exchange = Exchange(method, self.url, headers, self.parser.should_keep_alive())
        self.cycle = exchange  # type: ignore[assignment]
        return True

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._due = None
        exchange: Any = self.cycle
        if not isinstance(exchange, Exchange) or exchange.response_complete:
            return
        if self._bridge.is_full and not self._front.is_health(exchange.target):
            self._send(exchange, self._front.refuse(self._bridge.too_many(), exchange.headers))
            return
        peer, scheme = self.client[0] if self.client else "", self.scheme or "http"
        method, target, headers = exchange.method, exchange.target, exchange.headers
        body, ends = bytes(exchange.body), self._front.begin()
        answer = self._front.plan(Asked(method, target, headers, peer, scheme, ends, body))
        if answer is None:
            self._pass_on(exchange)
        else:
            self._bridge.under_way += 1
            self._turns.serve(lambda: self._answer(exchange, answer))

    def _pass_on(self, exchange: Exchange) -> None:
        """Have Flask answer it, as if that had been known when its head was there."""
        self.cycle = None  # type: ignore[assignment]
        super().on_headers_complete()
        self.cycle.body += exchange.body
        super().on_message_complete()

    def _answer(self, exchange: Exchange, answer: Callable[[], Reply]) -> None:
        try:
            reply = answer()
        except Exception:
            log.exception("a request was not answered")
            self.transport.abort()
            return
        finally:
            self._bridge.under_way -= 1
        if exchange.disconnected or self.transport.is_closing():
            return
        self._send(exchange, reply)

    def _send(self, exchange: Exchange, reply: Reply) -> None:
        self._write(reply, keep_alive=exchange.keep_alive)
        exchange.response_complete = True
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _write(self, reply: Reply, *, keep_alive: bool) -> None:
        head = "".join([f"{name}: {value}\r\n" for name, value in reply.headers.items()])
        parts = [STATUS_LINE[reply.status]]
        for name, value in self.server_state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (head.encode("latin-1"), b"Content-Length: %d\r\n" % len(reply.body))
        if not keep_alive:
            parts.append(b"Connection: close\r\n")
        parts += (b"\r\n", reply.body)
        self.transport.write(b"".join(parts))
