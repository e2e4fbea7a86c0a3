"""People who sign up: each with a connection and cookies of their own, all at the same moment."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from http.client import BadStatusLine, HTTPConnection, HTTPException, HTTPMessage
from http.cookies import CookieError, SimpleCookie
from ssl import SSLError

from dibs.prove.target import NUMBER, Server, Template, target_of

READ = 1 << 20
TLS_ALERT = "\x15"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person was told.

    Attributes:
        status: 0 if no answer came.
        text: The beginning of its body; without an answer, why there is none.
        place: Where it redirects to.
        wait: Whether it says when to come again.
    """

    status: int
    text: str
    place: str = ""
    wait: bool = False


class _Form(HTMLParser):
    """The hidden fields of a page, and the token that scripts send as a header."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        if tag == "input" and found.get("type") == "hidden" and found.get("name"):
            self.hidden[found["name"]] = found.get("value", "")
        if tag == "meta" and found.get("name") in ("csrf-token", "csrf_token"):
            self.hidden.setdefault("csrf_token", found.get("content", ""))


class Person:
    """Somebody with a browser of their own, who asks once.

    Args:
        server: Whom they ask.
        template: How.
        timeout: Seconds for the form, and again for the answer.
    """

    def __init__(self, server: Server, template: Template, timeout: float) -> None:
        self._server, self._template, self._timeout = server, template, timeout
        self._http = HTTPConnection(server.host, server.port, timeout=timeout)
        if server.tls:
            self._http.default_port = 443  # or its Host would name the port
        self._cookies: SimpleCookie = SimpleCookie()
        self._hidden: dict[str, str] = {}
        self._late = False

    def prepare(self) -> Answer | None:
        """Connect, and fetch the form; returns what went wrong with the form."""
        if not self._template.form:
            with suppress(OSError):  # who is not connected yet tries again with the others
                self._http.sock = self._server.connect(min(self._timeout, 5.0))
            return None
        page = self.look(self._template.form)
        if page.status != 200:
            return page
        form = _Form()
        form.feed(page.text)
        self._hidden = form.hidden
        with suppress(OSError):
            if self._http.sock is None:
                self._http.sock = self._server.connect(self._timeout)
        return None

    def ask(self, name: str) -> Answer:
        """Sign up with this name."""
        body, headers = self._template.filled(name, self._server.book(), self._hidden)
        return self._send(self._template.method, self._template.path(name), body, headers)

    def look(self, url: str, name: str = "") -> Answer:
        """Fetch a page of the same server."""
        number = self._server.book()
        headers = {k: v.replace(NUMBER, str(number)) for k, v in self._template.headers}
        return self._send("GET", target_of(url, name), b"", headers)

    def give_up(self) -> None:
        """Wait no longer: whoever reads has the end of it at once."""
        self._late = True
        if link := self._http.sock:
            with suppress(OSError):
                socket.socket.shutdown(link, socket.SHUT_RDWR)

    def leave(self) -> None:
        """Close the connection."""
        with suppress(OSError):
            self._http.close()

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{m.key}={m.value}" for m in self._cookies.values())
        try:
            if self._http.sock is None:
                self._http.sock = self._server.connect(self._timeout)
            if self._late:  # seen here, or by `give_up`, whichever comes second
                raise TimeoutError
            self._http.sock.settimeout(self._timeout)
            self._http.request(method, path, body or None, headers)
            response = self._http.getresponse()
            self._keep_cookies(response.headers)
            text = response.read(READ).decode("utf-8", "replace")
            if not response.isclosed():  # what is longer is of no use
                self._http.close()
        except (OSError, HTTPException) as error:
            self._http.close()
            return Answer(0, self._trouble(error))
        place, wait = response.getheader("Location", ""), "Retry-After" in response.headers
        return Answer(response.status, text, place, wait)

    def _keep_cookies(self, headers: HTTPMessage) -> None:
        for line in headers.get_all("Set-Cookie", ()):
            with suppress(CookieError):
                self._cookies.load(line)

    def _trouble(self, error: Exception) -> str:
        if self._late or isinstance(error, TimeoutError):
            return f"no answer within {self._timeout:g} s"
        if isinstance(error, SSLError):
            return f"no TLS with it: {error.reason or error}"
        if isinstance(error, ConnectionRefusedError):
            return "nobody listens there any more"
        if isinstance(error, BadStatusLine) and str(error).startswith(TLS_ALERT):
            return "it speaks TLS: try https://"
        if isinstance(error, HTTPException) and not isinstance(error, ConnectionError):
            return "what it says is not HTTP"
        return "it closed the connection without an answer"


def ask_at_once(
    server: Server, template: Template, names: Sequence[str], timeout: float
) -> list[Answer]:
    """Everybody connects and fetches the form; then all of them ask, from a barrier.

    Returns:
        The answers in the order of the names, each within the time-out.
    """
    people = [Person(server, template, timeout) for _ in names]
    barrier = threading.Barrier(len(people))

    def one(person: Person, name: str, trouble: Answer | None) -> Answer:
        barrier.wait()
        return trouble or person.ask(name)

    try:
        with ThreadPoolExecutor(len(people)) as pool:
            with _Patience(people, timeout):
                ready = list(pool.map(Person.prepare, people))
            with _Patience(people, timeout):
                return list(pool.map(one, people, names, ready))
    except BaseException:
        barrier.abort()
        raise
    finally:
        for person in people:
            person.leave()


def read_page(server: Server, template: Template, name: str, timeout: float) -> Answer:
    """What the page of accounts says, of this name if its address has a place for one."""
    person = Person(server, template, timeout)
    try:
        with _Patience([person], timeout):
            return person.look(template.accounts, name)
    finally:
        person.leave()


class _Patience:
    """Ends what takes longer, drop by drop too: a socket's own time-out is for each drop."""

    def __init__(self, people: Sequence[Person], timeout: float) -> None:
        self._people = people
        self._timer = threading.Timer(timeout, self._end)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        if error[0] is not None:  # Ctrl-C: the threads are waited for
            self._end()

    def _end(self) -> None:
        for person in self._people:
            person.give_up()
