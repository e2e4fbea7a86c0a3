"""A small HTTP client for many requests at once: one thread, raw sockets, kept alive."""

import json
import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

PATIENCE_S = 90.0
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said, and how long it took to say all of it.

    Attributes:
        headers: By name in lower case.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The `code` of a problem; fails for anything else."""
        assert self.headers["content-type"] == "application/problem+json", self
        problem = self.json()
        assert problem["status"] == self.status, self
        assert {"title", "detail", "code", "error", "message"} <= problem.keys(), self
        return str(problem["code"])


def get(path: str) -> bytes:
    """A GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(path: str, body: object, **headers: str) -> bytes:
    """A POST request with a JSON body; `_` in a header's name is a hyphen."""
    data = json.dumps(body, ensure_ascii=False).encode()
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines]
    return "\r\n".join([*head, f"Content-Length: {len(data)}", "", ""]).encode() + data


def register(name: str, password: str | None = None, **headers: str) -> bytes:
    """A registration."""
    body = {"username": name} if password is None else {"username": name, "password": password}
    return post("/register", body, **headers)


class Client:
    """Connections to a server on this machine, all opened before the first request.

    One thread feeds them all: it costs a third of what threads do, so that the
    server has the processors, and 64 requests leave within 2 ms of each other.
    """

    def __init__(self, port: int, connections: int = 1) -> None:
        self._links = [_Link(port) for _ in range(connections)]
        self._selector = selectors.DefaultSelector()
        for link in self._links:
            self._selector.register(link.socket, selectors.EVENT_READ, link)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, requests: Iterable[bytes]) -> list[Answer]:
        """Sends every request, as many at once as there are connections.

        Returns:
            The answers, in the order of the requests.

        Raises:
            ConnectionError: The server closed a connection instead of answering.
            TimeoutError: Nothing came for `PATIENCE_S`.
        """
        waiting = enumerate(requests)
        answers: dict[int, Answer] = {}
        busy = sum(self._next(link, waiting) for link in self._links)
        while busy:
            for link in self._ready():
                answer = link.read()
                if answer is not None:
                    answers[link.number] = answer
                    busy -= not self._next(link, waiting)
        return [answers[number] for number in sorted(answers)]

    def one(self, request: bytes) -> Answer:
        """Sends one request."""
        (answer,) = self.send([request])
        return answer

    def close(self) -> None:
        self._selector.close()
        for link in self._links:
            link.socket.close()

    def _next(self, link: "_Link", waiting: Iterator[tuple[int, bytes]]) -> bool:
        for number, request in waiting:
            link.write(number, request)
            return True
        return False

    def _ready(self) -> list["_Link"]:
        found = self._selector.select(PATIENCE_S)
        if not found:
            raise TimeoutError(f"no answer for {PATIENCE_S} s")
        return [key.data for key, _ in found]


class _Link:
    """One connection and the request that is under way on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = 0
        self._sent_at = 0.0
        self._received = b""

    def write(self, number: int, request: bytes) -> None:
        self.number, self._sent_at = number, time.monotonic()
        self.socket.sendall(request)

    def read(self) -> Answer | None:
        """Takes what has come; returns the answer once it is complete."""
        data = self.socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("the server closed a connection")
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return None
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        # A 204 says nothing of a length.
        if len(body) < int(headers.get("content-length", 0)):
            return None
        self._received = b""
        return Answer(int(status.split()[1]), headers, body, time.monotonic() - self._sent_at)


def send(port: int, *requests: bytes) -> list[Answer]:
    """Sends all of them at the same moment, each on a connection of its own."""
    with Client(port, len(requests)) as client:
        return client.send(requests)
