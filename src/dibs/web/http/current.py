"""The request that is served: what is known of it, its deadline, its id, where it comes from."""

from __future__ import annotations

import re
import secrets
from collections.abc import MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from flask import Flask, Response, current_app, request
from werkzeug.datastructures import Headers as FlaskHeaders
from werkzeug.middleware.proxy_fix import ProxyFix

from dibs.context import Acting, Deadline, act, acting
from dibs.state import AppState, parts_of, state_of
from dibs.store.models import MAX_REQUEST_ID
from dibs.web.http.route import Route, route_of

if TYPE_CHECKING:
    from dibs.accounts.login import Tokens
    from dibs.store.accounts.sessions import Living
    from dibs.web.http.limits import Hit
    from dibs.wiring import Parts

KEY = "dibs.request"

Headers = MutableMapping[str, str] | FlaskHeaders
"""Of an answer, as Flask has them or the front."""


@dataclass(slots=True)
class RequestState:
    """What is known of one request by now.

    Attributes:
        app, method, source: Where it is not Flask that serves it: see `dibs.web.front`.
        began: When it began, as `time.monotonic` has it.
        reader: Who sends it, once that is known; None for nobody.
        hits: What limits have counted for it.
        tried: By what a wrong password is counted; None where none is tried.
        is_page: Whether it is for a page, or for a script on one.
        is_of_team: Whether its names are those of teams.
        tokens: Those that the answer of a page gives the browser.
        has_ended: Whether the answer of a page takes the browser's tokens away: its session ended.
        browser: What a browser is known by from now on while nobody is logged in.
    """

    app: AppState | None = None
    method: str = ""
    source: str = ""
    began: float = 0.0
    deadline: Deadline | None = None
    is_reader_known: bool = False
    reader: Living | None = None
    hits: list[Hit] = field(default_factory=list)
    tried: str | None = None
    is_page: bool = False
    locale: str | None = None
    is_of_team: bool = False
    tokens: Tokens | None = None
    has_ended: bool = False
    browser: str | None = None


_apart: ContextVar[RequestState | None] = ContextVar("dibs_request", default=None)


def apart() -> RequestState | None:
    """What is known of the request that is served, if Flask does not serve it."""
    return _apart.get()


def stand_apart(state: RequestState | None) -> None:
    """From now on this thread or greenlet serves this request without Flask, or none any more."""
    _apart.set(state)


def current() -> RequestState:
    """What is known of the request that is served."""
    if (here := _apart.get()) is not None:
        return here
    # Not `flask.g`, which outlives the request where an app context was pushed before.
    state: RequestState | None = request.environ.get(KEY)
    if state is None:
        state = request.environ[KEY] = RequestState()
    return state


def app_state() -> AppState:
    """What the app keeps that serves this request."""
    here = _apart.get()
    return state_of(current_app) if here is None or here.app is None else here.app


def method() -> str:
    """That of this request."""
    here = _apart.get()
    return request.method if here is None else here.method


def current_route() -> Route | None:
    """What the route that was found says of itself; None where it is none of ours."""
    return route_of(current_app.view_functions.get(request.endpoint or ""))


def parts() -> Parts:
    """The parts of the app that serves this request; see `dibs.state.parts_of`."""
    found = app_state().parts
    return parts_of(current_app) if found is None else found


def deadline() -> Deadline:
    """When this request must be answered: one moment, however many steps it takes."""
    state = current()
    if state.deadline is None:
        state.deadline = parts().budget.start()
    return state.deadline


HEADER = "X-Request-ID"
# What proxies send: hex, UUIDs, base64 and the like.
ID = re.compile(rf"[\w.:=+/-]{{1,{MAX_REQUEST_ID}}}", re.ASCII)


def init_tracing(app: Flask) -> None:
    """Give every request of this app its id, the client's own where it sends one."""

    def answer(response: Response) -> Response:
        identify(response.headers)
        return response

    app.before_request(lambda: begin(request.headers.get(HEADER, "")))
    app.after_request(answer)
    app.teardown_request(lambda _: act(Acting()))  # the thread serves others too


def acts(user_id: str) -> None:
    """From now on this request is known to be this user's."""
    act(Acting(user_id, acting().request_id))


def begin(sent: str) -> None:
    """Act for the request with this id, if it is one, or with a new one."""
    act(Acting(request_id=sent if ID.fullmatch(sent) else secrets.token_hex(8)))


def identify(headers: Headers) -> None:
    """Tell the client the id of its request."""
    if found := acting().request_id:
        headers.setdefault(HEADER, found)


ONE_CUSTOMER = 64
"""Bits of an IPv6 address that one customer has in common: the rest they choose (RFC 4291)."""

NAT64 = ip_network("64:ff9b::/96")


def trust_proxies(app: Flask, number: int) -> None:
    """Believe what this many proxies in front of the app say of the client.

    Each appends the address that it sees to X-Forwarded-For, so the one that the outermost of
    ours has seen is the number-th from the right. What stands left of it came from outside and
    is believed by nobody.
    """
    if number:
        # The protocol is not appended: each proxy says anew what it was told, or hands it on.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=number, x_proto=1
        )


def source() -> str:
    """The client's network: an IPv4 address, or the /64 of an IPv6 address."""
    here = _apart.get()
    return network_of(request.remote_addr or "") if here is None else here.source


@lru_cache
def network_of(address: str) -> str:
    """What is counted as one source, by an address as proxies write it (RFC 7239, 6)."""
    host = address.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"  # a Unix socket's peer, or a proxy's `unknown`: all of them together
    if isinstance(found, IPv6Address):
        # Behind one address of a NAT64 gateway's prefix stands one IPv4 address (RFC 6052, 2.1).
        found = IPv4Address(found.packed[-4:]) if found in NAT64 else found.ipv4_mapped or found
    if isinstance(found, IPv4Address):
        return str(found)
    return str(ip_network((found, ONE_CUSTOMER), strict=False))
