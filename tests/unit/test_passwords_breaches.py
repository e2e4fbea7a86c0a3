"""The list of leaked passwords is told five digits, and when it is away nobody is kept out."""

from __future__ import annotations

import hashlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dibs.accounts.passwords import PwnedPasswords

PASSWORD = "correct horse café"
DIGEST = hashlib.sha1(PASSWORD.encode()).hexdigest().upper()
PREFIX, SUFFIX = DIGEST[:5], DIGEST[5:]
OTHER = "0018A45C4D1DEF81644B54AB7F969B88D65"


class List:
    """A server of ranges: what it says, and what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 200, "", {"Content-Type": "text/plain"}
        self.pause = 0.0  # seconds before each byte
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, dict(self.headers)))
                self.send_response(outer.status)
                for header in outer.headers.items():
                    self.send_header(*header)
                self.end_headers()
                outer.say(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/range/"

    def say(self, handler: BaseHTTPRequestHandler) -> None:
        if not self.pause:
            handler.wfile.write(self.body.encode())
            return
        for byte in self.body.encode():
            if self.over.wait(self.pause):
                return
            try:
                handler.wfile.write(bytes([byte]))
            except OSError:
                return


@pytest.fixture
def ranges(monkeypatch: pytest.MonkeyPatch) -> Iterator[List]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ranges = List()
    thread = threading.Thread(target=ranges.server.serve_forever, args=(0.01,))
    thread.start()
    yield ranges
    ranges.over.set()
    ranges.server.shutdown()
    thread.join()
    ranges.server.server_close()


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (f"{OTHER}:3\r\n{SUFFIX}:42\r\n", 42),
        (f"{SUFFIX.lower()}:1", 1),
        (f"{OTHER}:3\r\n", 0),
        (f"{SUFFIX}:0\r\n", 0),  # padding
        ("", 0),
    ],
)
def test_what_the_list_says(ranges, body, seen):
    ranges.body = body
    assert PwnedPasswords(ranges.url)(PASSWORD) == seen


def test_what_the_list_is_told(ranges):
    """Five hexadecimal digits, and that the answer be padded."""
    PwnedPasswords(ranges.url)(PASSWORD)
    [(path, headers)] = ranges.asked
    assert path == f"/range/{PREFIX}"
    assert headers["Add-Padding"] == "true"
    assert headers["User-Agent"] == "dibs"
    assert SUFFIX not in str(ranges.asked)


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_a_list_that_fails(ranges, status):
    ranges.status, ranges.body = status, f"{SUFFIX}:42"
    assert PwnedPasswords(ranges.url)(PASSWORD) is None


def test_no_other_address_is_asked(ranges):
    ranges.status, ranges.headers = 302, {"Location": f"{ranges.url}elsewhere"}
    assert PwnedPasswords(ranges.url)(PASSWORD) is None
    assert len(ranges.asked) == 1


@pytest.mark.parametrize("body", [f"{SUFFIX}:many", f"{SUFFIX}", "é", "x" * 2_000_000])
def test_an_answer_that_is_none(ranges, body):
    ranges.body = body
    assert PwnedPasswords(ranges.url)(PASSWORD) is None


@pytest.mark.parametrize("pause", [60.0, 0.05], ids=["silent", "dripping"])
def test_a_list_that_is_slow(ranges, pause):
    ranges.pause, ranges.body = pause, "x" * 1000
    began = time.monotonic()
    assert PwnedPasswords(ranges.url, timeout=0.3)(PASSWORD) is None
    assert time.monotonic() - began < 5


def test_a_list_that_is_away(caplog):
    """It is said in the log, without anything of the password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/range/"
    with caplog.at_level(logging.WARNING):
        assert PwnedPasswords(url)(PASSWORD) is None
    assert PREFIX not in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/", "example.com", ""])
def test_other_addresses_are_refused(url):
    with pytest.raises(ValueError, match="http"):
        PwnedPasswords(url)
