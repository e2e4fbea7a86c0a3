"""The front: the requests that most people send, answered without Flask.

They are those of four routes, as browsers and apps send them. One that has anything unusual about
it is Flask's, which has the same pieces: no rule, header or text of an answer is written here.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from flask import Flask, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

from dibs.config.origins import parse as parse_origins
from dibs.config.site import FORWARDED
from dibs.context import Acting, Deadline, act
from dibs.errors import DibsError, Overloaded
from dibs.observe import COUNTS
from dibs.state import parts_of, state_of
from dibs.web import checks, registrations
from dibs.web.api import names, registration
from dibs.web.api.routes import ALIVE, HEALTH_ROUTE
from dibs.web.checks import Answer
from dibs.web.http.auth import keep_private
from dibs.web.http.bodies import MAX_BODY, Malformed, object_of, texts
from dibs.web.http.current import (
    HEADER,
    RequestState,
    begin,
    deadline,
    identify,
    network_of,
    stand_apart,
)
from dibs.web.http.headers import let_in, secure
from dibs.web.http.idempotency import new_key
from dibs.web.http.limits import count_more, tell
from dibs.web.http.problems import HTTP_ERRORS, problem, told
from dibs.web.http.request_log import answered
from dibs.web.http.route import Route, route_of
from dibs.web.i18n import choose_locale, locale, say
from dibs.web.registrations import Sent

REGISTER, CHECK, NAMES = b"/register", b"/usernames/check", b"/usernames/"
HEALTH = b"/healthz"

POSTS = (REGISTER, CHECK)

QUERIES = {b"": True, b"suggestions=0": False}
"""What may follow the address, and whether other names are wanted then."""

UNUSUAL = frozenset(
    b"authorization cookie dibs-hold-token idempotency-key expect upgrade transfer-encoding"
    b" content-encoding".split()
)
"""Headers with which a request is Flask's."""

HASHED = ("chosen", "named")
"""What becomes of a password at a route where little else is done."""

HOST = re.compile(rb"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?")
JSON = re.compile(rb'application/json(; ?charset="?utf-8"?)?', re.IGNORECASE)
NO_BODY = (b"", b"0")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as its server has read it.

    Attributes:
        target: The path and the query, as they were sent.
        headers: By name in small letters, each once.
        peer: The address at the other end of the connection.
        scheme: `http` or `https`.
        deadline: Of the answer, from the last byte of the body on.
    """

    method: bytes
    target: bytes
    headers: Mapping[bytes, bytes]
    peer: str
    scheme: str
    deadline: Deadline
    body: bytes = b""


class Reply(NamedTuple):
    """What is sent back."""

    status: int
    headers: dict[str, str]
    body: bytes


class Front:
    """Answers for an app of `dibs.app:create_app`, by the routes that it has by now."""

    def __init__(self, app: Flask) -> None:
        self._app, self._state, self._parts = app, state_of(app), parts_of(app)
        settings = self._parts.settings
        self._origins = parse_origins(settings.cors_origins)
        self._has_open_checks = settings.check not in ("token", "staff")
        self._proxies = settings.trusted_proxies
        self._prefix = settings.path.encode()
        is_forwarded = settings.url_prefix == FORWARDED  # which only the app's middleware reads
        self._unusual = UNUSUAL | {b"x-forwarded-prefix"} if is_forwarded else UNUSUAL
        # As the app's own JSON has it, in one piece that is made once.
        self._json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        self._problems = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
        (self._check_rule,) = (one.rule for one in app.url_map.iter_rules(f"{names.NAME}.check"))
        with app.test_request_context():
            user = url_for("dibs_users.user", user_id="\0").replace("%00", "{}")
        self._user = settings.path + user
        self._hashes = dict(self._hashing_routes()) if settings.hashes else {}

    def _hashing_routes(self) -> Iterator[tuple[str, bool]]:
        """The addresses that take a password as JSON, and whether it is a new one."""
        for rule in self._app.url_map.iter_rules():
            route = route_of(self._app.view_functions[rule.endpoint])
            if route is not None and route.sent == "json" and route.credential in HASHED:
                yield rule.rule, route.credential == "chosen"

    def takes(self, method: bytes, target: bytes, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request with this head may be one for the front; its body is still to come."""
        path, _, query = target.partition(b"?")
        if query not in QUERIES or b"#" in path or not self._unusual.isdisjoint(headers):
            return False
        path = path.removeprefix(self._prefix)
        if not _is_plain_host(headers.get(b"host", b"")):
            return False
        length = headers.get(b"content-length", b"")
        if method == b"GET":
            is_open = path == HEALTH or (self._has_open_checks and path.startswith(NAMES))
            return is_open and length in NO_BODY
        # A captcha, which is asked of Flask's requests, is one where DIBS_CHECK is `token` alone.
        is_open = self._has_open_checks or (path == REGISTER and self._state.check_token is None)
        if method != b"POST" or path not in POSTS or not is_open:
            return False
        is_small = length.isdigit() and len(length) < 9 and int(length) <= MAX_BODY
        return is_small and _is_json(headers.get(b"content-type", b""))

    def plan(self, asked: Asked) -> Callable[[], Reply] | None:
        """What answers a request that `takes` has let in; None if Flask is to. Nothing is done."""
        path, _, query = asked.target.partition(b"?")
        path = path.removeprefix(self._prefix)
        suggests = QUERIES[query]
        if path == HEALTH:
            return partial(self._serve, asked, HEALTH_ROUTE, lambda: Answer(200, {}, ALIVE))
        if asked.method == b"GET":
            return self._plan_check(asked, path[len(NAMES) :], suggests=suggests)
        try:
            body: dict[str, Any] | Malformed = object_of(asked.body)
        except Malformed as error:
            body = error  # said after the request was counted
        if path == CHECK:
            if not isinstance(body, Malformed) and "namespace" in body:
                return None
            answer = partial(self._check_many, body, suggests=suggests)
            return partial(self._serve, asked, names.ROUTE, answer)
        if not isinstance(body, Malformed) and body.keys() & registration.OPTIONAL:
            return None
        answer = partial(self._register, body, asked.body, suggests=suggests)
        return partial(self._serve, asked, registration.ROUTE, answer)

    def _plan_check(
        self, asked: Asked, quoted: bytes, *, suggests: bool
    ) -> Callable[[], Reply] | None:
        sent = unquote_to_bytes(quoted)
        if not sent or b"/" in sent:
            return None  # routing has its own ways with slashes
        name = sent.decode(errors="replace")
        is_utf8 = "\N{REPLACEMENT CHARACTER}" not in name or name.encode() == sent
        answer = partial(self._check, name, is_utf8=is_utf8, suggests=suggests)
        return partial(self._serve, asked, names.ROUTE, answer)

    # --- what is not answered -------------------------------------------------------

    def is_health(self, path: bytes) -> bool:
        """Whether this asks for what waits for nothing, so that it is answered beside the line."""
        return path.removeprefix(self._prefix) == HEALTH

    def begin(self) -> Deadline:
        """The deadline of a request that has come in full."""
        return self._parts.budget.start()

    def refuse_in_vain(self, path: str, body: bytes, deadline: Deadline) -> None:
        """See that there is time for a request of Flask's, before anything is done for it.

        Raises:
            Overloaded: It has waited too long, or its password would.
        """
        if not deadline.allows(self._parts.budget.connect):
            raise Overloaded  # the database could not be asked any more
        path = path.removeprefix(self._parts.settings.path)
        if path in self._hashes and b"password" in body:
            new, remaining = self._hashes[path], deadline.remaining()
            self._parts.accounts.passwords.refuse_in_vain(new=new, remaining=remaining)

    def refuse(self, error: DibsError | HTTPStatus, headers: Mapping[bytes, bytes]) -> Reply:
        """What is answered to a request with these headers for which nothing was done."""
        wish = headers.get(b"accept-language", b"").decode("latin-1")
        state = RequestState(app=self._state, locale=choose_locale(wish, self._state.locale))
        stand_apart(state)
        begin(headers.get(HEADER.lower().encode(), b"").decode("latin-1"))
        try:
            if isinstance(error, HTTPStatus):
                code, detail = HTTP_ERRORS[error]
                status, said, body = problem(error, code, say(detail))
            else:
                status, said, body = told(error)
            secure(said, over_tls=False)
            origin = headers.get(b"origin", b"").decode("latin-1")
            let_in(said, names.ROUTE, origin or None, self._origins)
            identify(said)
            COUNTS.add(f"turned_away_{int(status)}")
            if b"text/html" in headers.get(b"accept", b""):  # a browser's page, which people read
                said["Content-Type"] = "text/plain; charset=utf-8"
                return Reply(status, said, f"{body['detail']}\n".encode())
            return Reply(status, said, self._text(said, body))
        finally:
            stand_apart(None)
            act(Acting())

    # --- the answers ----------------------------------------------------------------

    def _check(self, name: str, *, is_utf8: bool, suggests: bool) -> Answer:
        asked = names.question(self._parts.registry, suggests=suggests)
        return checks.check(name, asked, is_utf8=is_utf8)

    def _check_many(self, body: dict[str, Any] | Malformed, *, suggests: bool) -> Answer:
        wanted, _ = names.read(_sound(body))
        asked = names.question(self._parts.registry, suggests=suggests)
        count_more("check", len(wanted) - 1)
        return checks.check_many(wanted, asked)

    def _register(self, body: dict[str, Any] | Malformed, raw: bytes, *, suggests: bool) -> Answer:
        fields = texts(_sound(body), required=registration.REQUIRED)
        parts, until = self._parts, deadline()
        sent = Sent(
            registration=parts.registration,
            deadline=until,
            locale=locale(),
            key=new_key(),
            is_repeatable=False,
            body=raw,
            others=lambda name: checks.suggestions(name, parts.registry, until) if suggests else [],
            location=self._user.format,
        )
        return registrations.register(fields, sent)

    # --- around them ----------------------------------------------------------------

    def _serve(self, asked: Asked, route: Route, answer: Callable[[], Answer]) -> Reply:
        headers = asked.headers
        wish = headers.get(b"accept-language", b"").decode("latin-1")
        state = RequestState(
            app=self._state,
            method=asked.method.decode(),
            locale=choose_locale(wish, self._state.locale),
            deadline=asked.deadline,
            began=time.monotonic(),
        )
        peer, over_tls = asked.peer, asked.scheme == "https"
        if self._proxies:
            peer, over_tls = _seen_by_proxies(asked, self._proxies)
        state.source = network_of(peer)
        stand_apart(state)
        begin(headers.get(HEADER.lower().encode(), b"").decode("latin-1"))
        try:
            status, said, body = self._answer(route, state.source, answer)
            if state.hits:
                tell(said)
            if state.is_reader_known:
                keep_private(said)
            secure(said, over_tls=over_tls)
            origin = headers.get(b"origin")
            let_in(said, route, origin.decode("latin-1") if origin else None, self._origins)
            identify(said)
            if route.limit is not None:  # as of Flask's: not of what asks every few seconds
                answered(state.method, self._rule(asked.target), status, state.began, state.source)
            return Reply(status, said, self._text(said, body))
        finally:
            stand_apart(None)
            act(Acting())

    def _rule(self, target: bytes) -> str:
        """By what a request of ours is routed, as Flask has it."""
        path = target.partition(b"?")[0].removeprefix(self._prefix)
        return path.decode() if path in (REGISTER, CHECK) else self._check_rule

    def _answer(self, route: Route, source: str, answer: Callable[[], Answer]) -> Answer:
        try:
            if self._state.limits is not None and route.limit is not None:
                self._state.limits.count(route.limit, source)
            return answer()
        except DibsError as error:
            return told(error)
        except Exception:  # a bug: it is logged, and answered as Flask's are
            self._app.logger.exception("Exception in the front")
            code, detail = HTTP_ERRORS[HTTPStatus.INTERNAL_SERVER_ERROR]
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, code, say(detail))

    def _text(self, headers: dict[str, str], body: Mapping[str, Any]) -> bytes:
        """The body as Flask writes it."""
        kind = headers.setdefault("Content-Type", "application/json")
        encoder = self._json if kind == "application/json" else self._problems
        return f"{encoder.encode(body)}\n".encode()


@lru_cache(maxsize=256)
def _is_plain_host(header: bytes) -> bool:
    return HOST.fullmatch(header) is not None


@lru_cache(maxsize=256)
def _is_json(header: bytes) -> bool:
    return JSON.fullmatch(header) is not None


def _sound(body: dict[str, Any] | Malformed) -> dict[str, Any]:
    if isinstance(body, Malformed):
        raise body
    return body


def _seen_by_proxies(asked: Asked, number: int) -> tuple[str, bool]:
    """From where the request comes, and whether over TLS, as this many proxies in front say."""
    environ = {"REMOTE_ADDR": asked.peer, "wsgi.url_scheme": asked.scheme}
    for name in (b"x-forwarded-for", b"x-forwarded-proto"):
        if (value := asked.headers.get(name)) is not None:
            environ[f"HTTP_{name.decode().upper().replace('-', '_')}"] = value.decode("latin-1")
    ProxyFix(lambda *_: (), x_for=number, x_proto=1)(environ, lambda *_: lambda _: None)
    return environ["REMOTE_ADDR"], environ["wsgi.url_scheme"] == "https"
