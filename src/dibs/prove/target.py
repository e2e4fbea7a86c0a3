"""Whom to ask and what to send: one address of this machine, and a request with a place for a name.

An address of another machine must be named a second time: this is a load of requests that make
accounts, and nobody else's app is to be tried with it.
"""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import count
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urljoin, urlsplit

from dibs.errors import DibsError

NAME, NUMBER = "{name}", "{n}"
FORM_TYPE, JSON_TYPE = "application/x-www-form-urlencoded", "application/json"
CONNECT_S = 5.0


class CannotProve(DibsError):
    """Nothing can be said of the endpoint: it was not, or could not be, asked."""

    code = "cannot_prove"


@dataclass(frozen=True, slots=True)
class Template:
    """The request that signs one person up.

    Attributes:
        url: May have the name in its path or query.
        body: JSON, or fields as a form sends them; `{name}` and `{n}` are filled in.
        headers: Sent with every request.
        form: The page that is fetched first, for its cookie and its hidden fields.
        accounts: The page that is read in the end, which lists accounts as JSON.
    """

    url: str
    body: str = ""
    method: str = "POST"
    headers: Sequence[tuple[str, str]] = ()
    form: str = ""
    accounts: str = ""

    def __post_init__(self) -> None:
        if NAME not in self.url and NAME not in self.body:
            raise CannotProve(f"Neither the address nor the body has a {NAME} to fill in.")
        if self.is_json:
            try:
                json.loads(self.body)
            except ValueError as error:
                raise CannotProve(f"The body begins as JSON does, but is none: {error}.") from error
        for page in filter(None, (self.form, self.accounts)):
            if _place(urlsplit(urljoin(self.url, page))) != _place(urlsplit(self.url)):
                raise CannotProve(f"{page} is not on the server of the address.")

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON; else it is fields of a form."""
        return self.body.lstrip()[:1] in ("{", "[")

    def path(self, name: str) -> str:
        """What stands in the first line of the request."""
        return target_of(self.url, name)

    def filled(
        self, name: str, number: int, hidden: Mapping[str, str]
    ) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of one request.

        Args:
            name: Which name is asked for.
            number: What no other request has.
            hidden: Fields of the form, which the body may set otherwise.
        """

        def fill(text: str) -> str:
            return text.replace(NAME, name).replace(NUMBER, str(number))

        headers = {key: value.replace(NUMBER, str(number)) for key, value in self.headers}
        if self.is_json:
            if token := hidden.get("csrf_token"):
                headers.setdefault("X-CSRFToken", token)
            body = json.dumps(_each_text(json.loads(self.body), fill))
        else:
            given = [(key, fill(value)) for key, value in parse_qsl(self.body, True)]
            body = urlencode({**hidden, **dict(given)})
        if body:
            headers.setdefault("Content-Type", JSON_TYPE if self.is_json else FORM_TYPE)
        return body.encode(), headers


def _each_text(value: Any, fill: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _each_text(one, fill) for key, one in value.items()}
    if isinstance(value, list):
        return [_each_text(one, fill) for one in value]
    return fill(value) if isinstance(value, str) else value


def target_of(url: str, name: str = "") -> str:
    """Path and query of an address, with a name in it."""
    parts = urlsplit(url.replace(NAME, quote(name, safe="")))
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _place(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


@dataclass(slots=True)
class Server:
    """The server that is asked, and how often it was.

    Attributes:
        address: Where it is; its name was looked up once, so that it is the one that was allowed.
        tls: How to trust it; None for plain HTTP.
        limit: How many requests are sent at most.
        sent: How many were.
    """

    host: str
    port: int
    address: str
    tls: ssl.SSLContext | None
    limit: int = 0
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    # A second run has other numbers, since e-mail addresses are made of them.
    _numbers: count[int] = field(default_factory=lambda: count(10 * secrets.randbelow(10**9)))

    def book(self) -> int:
        """Count a request before it is sent; returns a number that no other has.

        Raises:
            CannotProve: It would be one more than was said.
        """
        with self._lock:
            if self.sent >= self.limit:
                raise CannotProve(f"More than the {self.limit} requests that were announced.")
            self.sent += 1
            return next(self._numbers)

    def connect(self, timeout: float) -> socket.socket:
        """A connection to it.

        Raises:
            OSError: There is none.
        """
        link = socket.create_connection((self.address, self.port), timeout=timeout)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(link, server_hostname=self.host) if self.tls else link


def find_server(url: str, owned: str = "") -> Server:
    """The server of an address, if it may be asked and somebody listens there.

    Args:
        url: The endpoint.
        owned: The host that whoever runs this says is theirs.

    Raises:
        CannotProve: It is somebody else's, there is none, or the address is none.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = _place(parts)
    except ValueError as error:
        raise CannotProve(f"{url} is no address: {error}.") from error
    if scheme not in ("http", "https") or not host:
        raise CannotProve(f"{url} is no address: it begins with http:// or https://.")
    if parts.username is not None:
        raise CannotProve("Leave user and password out of the address: --header has a place.")
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise CannotProve(f"There is no host {host}.") from error
    if owned != host and not all(_is_here(one) for one in found):
        raise CannotProve(
            f"{host} is not this machine. Hundreds of sign-ups are sent: if that server is yours,"
            f" say so with --i-own-this {host}."
        )
    tls = ssl.create_default_context() if scheme == "https" else None
    for address in sorted(found):
        try:
            socket.create_connection((address, port), timeout=CONNECT_S).close()
            return Server(host, port, address, tls)
        except OSError:
            continue
    raise CannotProve(f"Nobody listens on {host}, port {port}.")


def _is_here(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_loopback
