"""A web site that is not ours: pages of another origin."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.services.tools import free_port


class Foreign:
    """Serves pages, and remembers the forms that they send.

    Attributes:
        origin: Of its pages.
        sent: The fields of every form that was sent, by POST or in the address.
    """

    def __init__(self) -> None:
        self._port = free_port()
        self.origin = f"http://127.0.0.1:{self._port}"
        self._pages: dict[str, str] = {}
        self.sent: list[dict[str, list[str]]] = []

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def page(self, html: str) -> str:
        """The address of a new page, served with not one header more than a file gets."""
        path = f"/{len(self._pages)}.html"
        self._pages[path] = html
        return self.origin + path

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                if address.query:
                    site.sent.append(parse_qs(address.query, keep_blank_values=True))
                self._answer(site._pages.get(address.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                site.sent.append(parse_qs(body, keep_blank_values=True))
                self._answer("<!doctype html><title>Sent</title>")

            def _answer(self, html: str | None) -> None:
                # A browser asks for the icon by itself; a 404 would be a complaint.
                body = (html or "").encode()
                self.send_response(204 if html is None else 200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                if html is not None:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Be silent."""

        return Handler
