"""A TCP proxy that breaks connections at a chosen statement, answers falsely, or is slow."""

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

When = Literal["before", "after", "swallow"]
_CHUNK = 65536
_CONTEXT = 5  # Bytes before a statement that tell where it starts.
# After the first bytes of a reply, this long without more means: it was all of it.
_QUIET_S = 0.05


class FaultProxy:
    """Forwards 127.0.0.1:`port` to another port of this machine, until told otherwise.

    It looks for a statement in what the client sends, whatever the protocol:
    PostgreSQL's Query and Parse, MySQL's COM_QUERY and Redis's commands carry
    the text as it is. So parameters are searched too, and a prepared statement
    is seen only when it is prepared. Of TLS it sees nothing.
    """

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._changed = threading.Condition()
        self._fault: _Fault | None = None
        self._hits = 0
        self._delay_s = 0.0
        self._links: set[_Link] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        _run(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def cut_at(
        self, statement: bytes, when: When = "before", times: int | None = 1, skip: int = 0
    ) -> None:
        """Arms the proxy, in place of what it was armed with.

        Args:
            statement: The bytes to look for; case matters. Whole words only:
                COMMIT is neither AUTOCOMMIT nor READ COMMITTED.
            when: "before" closes both sides, and the server never sees the
                statement. "after" lets the server answer, keeps the answer and
                closes both sides. "swallow" keeps the statement and leaves both
                sides open and silent, as a network that lost its way.
            times: How often it fires; None means always.
            skip: How many of them pass before it does.
        """
        with self._changed:
            self._fault = _Fault(statement, _pattern(statement), when, times, skip=skip)

    def stray_at(self, statement: bytes, reply: bytes, times: int | None = 1) -> None:
        """Arms the proxy to answer a statement with what it was not asked for.

        The server's own answer follows. So each later statement on that
        connection gets the answer of the one before, as when a client gave up
        waiting and used the connection again.

        Args:
            statement: The bytes to look for; see `cut_at`.
            reply: What to say, in the server's protocol.
            times: How often it fires; None means always.
        """
        with self._changed:
            self._fault = _Fault(statement, _pattern(statement), "stray", times, reply)

    def delay_replies(self, seconds: float) -> None:
        """Holds back whatever the server says for so long, packet by packet; 0 ends that.

        What is held back when the delay changes goes its way at once.
        """
        with self._changed:
            self._delay_s = seconds
            self._changed.notify_all()

    def disarm(self) -> None:
        """Forwards every statement again. What hangs goes on hanging: see `release`."""
        with self._changed:
            self._fault = None

    @property
    def hits(self) -> int:
        """How often the proxy has fired since it was made."""
        with self._changed:
            return self._hits

    def wait_for_hits(self, number: int = 1, timeout_s: float = 10.0) -> bool:
        """Waits until the proxy has fired so often; tells whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self._hits >= number, timeout_s)

    def release(self, *, deliver: bool = False) -> None:
        """Ends the silence of swallowed connections.

        Args:
            deliver: Send the server the late statement after all, and go on
                forwarding. Otherwise both sides are closed.
        """
        for link in self._current():
            link.release(deliver=deliver)

    def cut_all(self) -> None:
        """Drops all current connections."""
        for link in self._current():
            link.close()

    def close(self) -> None:
        """Drops all connections and takes no more. May be called again."""
        # A thread that waits in accept() is only woken by the shutdown.
        _close(self._listener)
        self.cut_all()
        self.delay_replies(0)

    def match(self, watch: "_Watch", data: bytes) -> "_Fault | None":
        """Returns the fault to apply to these bytes, and counts it as used up."""
        with self._changed:
            fault = self._fault
            if fault is None or not watch.finds(fault, data):
                return None
            if fault.skip > 0:
                fault.skip -= 1
                return None
            if fault.times is not None:
                fault.times -= 1
                self._fault = fault if fault.times > 0 else None
            return fault

    def fired(self) -> None:
        """Counts a hit."""
        with self._changed:
            self._hits += 1
            self._changed.notify_all()

    def hold(self) -> None:
        """Waits for as long as replies are delayed now."""
        with self._changed:
            delay_s = self._delay_s
            self._changed.wait_for(lambda: self._delay_s != delay_s, delay_s)

    def forget(self, link: "_Link") -> None:
        """Takes note that a connection has ended."""
        with self._changed:
            self._links.discard(link)

    def _current(self) -> list["_Link"]:
        with self._changed:
            return list(self._links)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:
            _close(client)
            return
        link = _Link(self, client, server)
        with self._changed:
            self._links.add(link)
        link.start()


@dataclass(slots=True)
class _Fault:
    statement: bytes
    pattern: re.Pattern[bytes]
    when: When | Literal["stray"]
    times: int | None
    reply: bytes = b""
    skip: int = 0


class _Watch:
    """Searches what a client sends, packet by packet, for a statement."""

    def __init__(self) -> None:
        self._fault: _Fault | None = None
        self._tail = b""

    def finds(self, fault: _Fault, data: bytes) -> bool:
        """Tells whether a statement ends within these new bytes."""
        if fault is not self._fault:
            # What went by before the proxy was armed does not count.
            self._fault, self._tail = fault, b""
        old, seen = len(self._tail), self._tail + data
        self._tail = seen[-(len(fault.statement) - 1 + _CONTEXT) :]
        return any(match.end() > old for match in fault.pattern.finditer(seen))


def _pattern(statement: bytes) -> re.Pattern[bytes]:
    """Finds a statement as whole words.

    The last byte of a PostgreSQL Query's length stands right before its text,
    and may look like a letter.
    """
    start = rb"(?:(?<!\w)|(?<=Q\x00[\x00-\xff]{3}))"
    end = rb"(?!\w)" if statement[-1:].isalnum() else b""
    return re.compile(start + re.escape(statement) + end)


class _Link:
    """One connection: two sockets, and a thread for each direction."""

    def __init__(self, proxy: FaultProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._cut_on_reply = False
        self._flows = threading.Event()  # Cleared while a statement is swallowed.
        self._flows.set()
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        _run(self._requests)
        _run(self._replies)

    def close(self) -> None:
        self._proxy.forget(self)
        _close(self._client)
        _close(self._server)
        self._flows.set()

    def release(self, *, deliver: bool) -> None:
        if not self._flows.is_set():
            if not deliver:
                self.close()
            self._flows.set()

    def _requests(self) -> None:
        """Carries what the client says, up to the fault."""
        watch = _Watch()
        with suppress(OSError):
            while data := self._client.recv(_CHUNK):
                fault = self._proxy.match(watch, data)
                if fault is not None and not self._apply(fault):
                    break
                self._server.sendall(data)
        self.close()

    def _apply(self, fault: _Fault) -> bool:
        """Does what a fault asks for; tells whether the statement goes to the server."""
        if fault.when == "after":
            self._cut_on_reply = True
        elif fault.when == "stray":
            self._client.sendall(fault.reply)
            self._proxy.fired()
        elif fault.when == "before":
            self._proxy.fired()
            self.close()
            return False
        else:
            self._flows.clear()
            self._proxy.fired()
            self._flows.wait()
        return True

    def _replies(self) -> None:
        """Carries what the server says, unless the connection is to be cut."""
        with suppress(OSError):
            while data := self._server.recv(_CHUNK):
                if self._cut_on_reply:
                    self._drain()
                    break
                self._proxy.hold()
                self._flows.wait()
                self._client.sendall(data)
        if self._cut_on_reply:
            self._proxy.fired()  # First: who sees the connection close may count at once.
        self._flows.wait()  # A lost network does not tell that the server went away.
        self.close()

    def _drain(self) -> None:
        """Reads the reply to its end, so that the server had done its work."""
        self._server.settimeout(_QUIET_S)
        with suppress(OSError):
            while self._server.recv(_CHUNK):
                pass


def _run(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


def _close(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()
