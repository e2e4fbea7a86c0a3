"""Sign-ups that are wrong on purpose, in this process, which count what they are asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any
from unicodedata import normalize

Said = tuple[int, Any] | tuple[int, Any, dict[str, str]]


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def name(self) -> str:
        return str(json.loads(self.body)["username"])


@dataclass
class Names:
    """Who has what; a right endpoint folds, locks, and remembers."""

    fold: Callable[[str], str] = lambda name: normalize("NFKC", name).casefold().replace("1", "l")
    taken: dict[str, list[str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def claim(self, name: str) -> bool:
        with self.lock:
            spelled = self.taken.setdefault(self.fold(name), [])
            spelled.append(name)
            return len(spelled) == 1

    def answer(self, request: Request) -> Said:
        if len(request.name) > 30:
            return 422, {"message": "too long"}
        return (201, {}) if self.claim(request.name) else (409, {"error": "exists"})


@dataclass
class Endpoint:
    url: str
    asked: list[Request]


@contextmanager
def endpoint(answer: Callable[[Request], Said], tls: Any = None) -> Iterator[Endpoint]:
    """A server that answers with this; a status of 0 closes the connection without a word."""
    asked: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            request = Request(self.command, self.path, headers, self.rfile.read(length))
            asked.append(request)
            status, body, *more = answer(request)
            if status == 0:
                self.close_connection = True
                return
            text = body if isinstance(body, str) else json.dumps(body)
            self.send_response(status)
            for key, value in (more[0] if more else {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = handle_one  # noqa: N815  # the names that http.server asks for

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Whoever gave up has gone."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls:
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
        yield Endpoint(f"{scheme}://{host}:{server.server_port}/register", asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
