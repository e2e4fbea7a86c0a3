"""The same questions over HTTP: what of the difference a client of `dibs serve` still sees."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields, replace

from dibs.compare.asking import FREE, Names
from dibs.compare.figures import Slice
from dibs.compare.place import CannotCompare
from dibs.config import PREFIX, Settings

START_S, STOP_S, TICK_S = 30.0, 15.0, 0.05
WARM_UP_S = 0.2
PATIENCE_S = 30.0
CHUNK = 65536
SERVE = "from dibs.cli import main; main()"


@contextmanager
def serving(
    settings: Settings, strategies: Sequence[str], names: Names
) -> Iterator[Callable[[Settings, str, int, float], Slice]]:
    """Run a service of each strategy; yields what asks one of them one case.

    Raises:
        CannotCompare: One does not start, or does not answer.
    """
    with ExitStack() as stack:
        ports = {
            name: stack.enter_context(
                _service(replace(settings, strategy=name, rate_limits="off"))  # type: ignore[arg-type]
            )
            for name in strategies
        }

        def turn(settings: Settings, case: str, clients: int, seconds: float) -> Slice:
            port = ports[settings.strategy]
            names.note(case, _ask(port, names, case, clients, min(seconds, WARM_UP_S)))
            found = _ask(port, names, case, clients, seconds)
            names.note(case, found)
            return found

        yield turn


@contextmanager
def _service(settings: Settings) -> Iterator[int]:
    """One worker, so that the clients have a processor too; yields its port."""
    port = _free_port()
    given = {
        PREFIX + one.name.upper(): str(getattr(settings, one.name)) for one in fields(settings)
    }
    process = subprocess.Popen(  # noqa: S603  # ourselves
        [sys.executable, "-c", SERVE, "serve", "--port", str(port), "--workers", "1"],
        env=os.environ | given,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us alone; we end it
    )
    try:
        _wait(process, port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends and process.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(TICK_S)
    raise CannotCompare("The service did not start; it says why above.")


class _Link:
    """A connection, and the question that is under way on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.right, self.began, self._came = "", 0.0, b""

    def ask(self, request: bytes, right: str) -> None:
        self.right, self._came, self.began = right, b"", time.perf_counter()
        self.socket.sendall(request)

    def answer(self) -> str | None:
        """What was said, once all of it has come."""
        data = self.socket.recv(CHUNK)
        if not data:
            raise ConnectionError("the service closed a connection")
        self._came += data
        head, end, body = self._came.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not end or len(body) < int(length):
            return None
        return _meaning(int(head[9:12]), json.loads(body))


def _meaning(status: int, body: dict[str, object]) -> str:
    if status == 201 or (status == 200 and body["available"]):
        return FREE
    return str(body["reason"] if status == 200 else body["code"])


def _ask(port: int, names: Names, case: str, clients: int, seconds: float) -> Slice:
    """One thread with so many connections: it takes less of the processor than threads do."""
    done = Slice()
    links = [_Link(port) for _ in range(clients)]
    with selectors.DefaultSelector() as selector:
        for link in links:
            selector.register(link.socket, selectors.EVENT_READ, link)
        began = time.perf_counter()
        for link in links:
            link.ask(*_request(names, case))
        try:
            _go_on(selector, len(links), done, began + seconds, lambda: _request(names, case))
        except OSError as error:
            raise CannotCompare(f"The service does not answer: {error}") from error
        finally:
            for link in links:
                link.socket.close()
        done.seconds = time.perf_counter() - began
    return done


def _go_on(
    selector: selectors.BaseSelector,
    busy: int,
    done: Slice,
    ends: float,
    draw: Callable[[], tuple[bytes, str]],
) -> None:
    """Ask the next question on each connection that has its answer, until time is up."""
    while busy:
        ready = selector.select(PATIENCE_S)
        if not ready:
            raise TimeoutError(f"no answer for {PATIENCE_S:.0f} s")
        for key, _ in ready:
            link: _Link = key.data
            if (answer := link.answer()) is None:
                continue
            now = time.perf_counter()
            _book(done, now - link.began, answer, link.right)
            if now < ends:
                link.ask(*draw())
            else:
                busy -= 1


def _book(done: Slice, seconds: float, answer: str, right: str) -> None:
    if answer in ("unavailable", "outcome_unknown"):
        done.failed += 1
        return
    done.took.append(seconds)
    done.wrong += answer != right


def _request(names: Names, case: str) -> tuple[bytes, str]:
    name, right = names.draw(case)
    if case.startswith("check"):
        start = f"GET /usernames/{name.display}?suggestions=0 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        return start.encode(), right
    body = json.dumps({"username": name.display})
    head = "POST /register?suggestions=0 HTTP/1.1\r\nHost: localhost\r\n"
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"{head}{kind}{body}".encode(), right
