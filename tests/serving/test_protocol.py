"""HTTP as `dibs serve` reads it: odd, broken or hostile, at the front's door and at Flask's."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Iterator

import pytest
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from dibs.serving.protocol import MAX_HEAD, Exchange, FrontProtocol
from dibs.web.http.bodies import MAX_BODY
from tests.load import PATIENCE_S, get, post, register
from tests.service import Service

CHECK = b"GET /usernames/%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
JSON = b"Content-Type: application/json\r\n"
POST = b"POST %s HTTP/1.1\r\nHost: localhost\r\n" + JSON + b"%s\r\n"
FLASKS = b"Cookie: a=b\r\n"  # with which a request is not the front's


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(workers=1) as service:
        yield service


def said(service: Service, *parts: bytes) -> bytes:
    """All that is answered to these bytes, until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as link:
        for part in parts:
            link.sendall(part)
        found = b""
        while data := link.recv(65536):
            found += data
    return found


def statuses(answers: bytes) -> list[int]:
    """Of answers whose bodies have no line that begins like one."""
    lines = answers.replace(b"}HTTP/1.1", b"}\nHTTP/1.1").split(b"\n")
    return [int(line.split()[1]) for line in lines if line.startswith(b"HTTP/1.1 ")]


LAST = CHECK % (b"last", b"Connection: close\r\n")


def test_requests_in_one_breath_are_answered_in_their_order(service):
    """The front's, one of Flask's between them, and a registration with its body."""
    ask = CHECK % (b"first", b""), CHECK % (b"second", FLASKS), register("third"), LAST
    answers = said(service, b"".join(ask))
    assert statuses(answers) == [200, 200, 201, 200]
    places = [answers.index(f'"{name}"'.encode()) for name in ("first", "second", "third", "last")]
    assert places == sorted(places)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_request_in_pieces(service, size):
    whole = register(f"pieces{size}") + LAST
    parts = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert statuses(said(service, *parts)) == [201, 200]


@pytest.mark.parametrize("extra", [b"", FLASKS])
def test_http_1_0_and_who_wants_no_more(service, extra):
    """The connection is closed after the answer."""
    old = (CHECK % (b"ada", extra)).replace(b"HTTP/1.1", b"HTTP/1.0")
    assert statuses(said(service, old)) == [200]
    answer = said(service, CHECK % (b"ada", b"Connection: close\r\n" + extra))
    assert statuses(answer) == [200]
    assert b"connection: close" in answer.lower()


def test_a_client_that_asks_before_it_sends(service):
    """`Expect: 100-continue` is told to go on, or at once that the body is too large."""
    body = b'{"username": "patient"}'
    head = POST % (b"/register", b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(body))
    assert statuses(said(service, head, body + LAST)) == [100, 201, 200]
    big = b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 100000\r\n"
    assert statuses(said(service, POST % (b"/register", big))) == [413]


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (b"http://localhost/usernames/ada", "ada"),
        (b"/usernames/%2e%2e", ".."),
        (b"/usernames/..", ".."),
        (b"/usernames/%2Fa", "/a"),
        (b"/usernames/a/b", "a/b"),
        (b"/usernames/%41da?suggestions=0", "Ada"),
        (b"/usernames/%E2%9C%93", "\u2713"),
        (b"/usernames/%FF", "\ufffd"),
        (b"/usernames/%EF%BF%BD", "\ufffd"),
        (b"/usernames/a%", "a%"),
        (b"/usernames/a+b", "a+b"),
        (b"/usernames/check", "check"),
        (b"/usernames/%00", "\0"),
    ],
)
def test_addresses(service, target, name):
    """Both doors read the same name, of which a non-UTF-8 one is told apart from U+FFFD itself."""
    answers = [
        service.one(b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (target, extra))
        for extra in (b"", FLASKS)
    ]
    front, flask = answers
    assert (front.status, front.json()["name"]) == (200, name)
    assert front.json() == flask.json()


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: -3\r\n",
        b"Content-Length: +3\r\n",
        b"Content-Length: 0x3\r\n",
        b"Content-Length : 3\r\n",
        b"Transfer-Encoding: chunked, gzip\r\n",
        b"No colon\r\n",
        b"A: b\r\n folded: c\r\n",
        b"A\0: b\r\n",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(service, head):
    """Else a proxy and dibs may see two different requests (RFC 9112, 11.2)."""
    smuggled = b"0\r\n\r\n" + get("/usernames/smuggled")
    answers = said(service, POST % (b"/register", head) + smuggled)
    assert statuses(answers) == [400]
    assert b"smuggled" not in answers


def test_a_body_of_two_lengths_apart(service):
    """What follows a body is the next request, also where the body was refused."""
    wrong = POST % (b"/register", b"Content-Length: 2\r\n") + b"{]"
    assert statuses(said(service, wrong + LAST)) == [400, 200]


@pytest.mark.parametrize("extra", [b"", FLASKS])
def test_the_largest_body(service, extra):
    fits = b'{"username": "fits%d"}' % len(extra)
    length = b"Content-Length: %d\r\n" % MAX_BODY + extra
    answers = said(service, POST % (b"/register", length) + fits.ljust(MAX_BODY) + LAST)
    assert statuses(answers) == [201, 200]
    length = b"Content-Length: %d\r\n" % (MAX_BODY + 1) + extra
    answers = said(service, POST % (b"/register", length) + fits.ljust(MAX_BODY + 1) + LAST)
    assert statuses(answers) == [413, 200]


@pytest.mark.parametrize(
    "endless",
    [
        b"GET /usernames/" + b"a" * (2 * MAX_HEAD),
        b"GET / HTTP/1.1\r\nA: " + b"a" * (2 * MAX_HEAD),
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * MAX_HEAD,
    ],
)
def test_a_head_without_end_is_refused(service, endless):
    """Nobody's memory is filled by it."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as link:
        try:
            for at in range(0, len(endless), 4096):
                link.sendall(endless[at : at + 4096])
            found = link.recv(4096)
        except ConnectionError:
            return  # closed while more was being sent
    assert statuses(found) in ([431], [])


def test_a_header_twice(service):
    """Joined by a comma, as one may have written it; so it is Flask's."""
    twice = b"Accept-Language: xx\r\nAccept-Language: ja\r\n"
    answer = service.one(CHECK % (b"ada", twice))
    assert answer.headers["content-language"] == "ja"


@pytest.mark.parametrize("extra", ["", "a=b"])
def test_what_is_odd_in_a_request_id(service, extra):
    """No header of an answer has what a client has put together."""
    for sent, kept in (("deploy-42", True), ("a b", False), ("a\tb", False), ("x" * 65, False)):
        headers = {"X_Request_ID": sent} | ({"Cookie": extra} if extra else {})
        answer = service.one(post("/usernames/check", {"names": ["ada"]}, **headers))
        assert (answer.headers["x-request-id"] == sent) is kept


def test_who_leaves_before_the_answer(service):
    """The claim stands, or not; the connection is nobody's any more, and the next is served."""
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", service.port)) as link:
            link.sendall(register("leaver"))
    assert service.one(get("/usernames/ada")).status == 200
    assert "Traceback" not in service.log()


# --- what of uvicorn is overridden ----------------------------------------------------


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("connection_made", ["self", "transport"]),
        ("connection_lost", ["self", "exc"]),
        ("data_received", ["self", "data"]),
        ("on_message_begin", ["self"]),
        ("on_headers_complete", ["self"]),
        ("on_message_complete", ["self"]),
        ("on_response_complete", ["self"]),
    ],
)
def test_uvicorn_calls_what_is_overridden(method, parameters):
    found = getattr(httptools_impl.HttpToolsProtocol, method)
    assert list(inspect.signature(found).parameters) == parameters


def test_an_exchange_has_all_that_uvicorn_asks_of_a_cycle():
    """Whatever it reads of `self.cycle` outside of what makes its own."""
    source = inspect.getsource(httptools_impl.HttpToolsProtocol)
    asked = {word.split("self.cycle.")[1] for word in _words(source) if "self.cycle." in word}
    assert asked == {"body", "disconnected", "keep_alive", "message_event", "more_body"} | {
        "response_complete"
    }
    assert asked <= set(Exchange.__slots__)


def _words(source: str) -> list[str]:
    kept = "".join(one if one.isalnum() or one in "._" else " " for one in source)
    return [".".join(word.split(".")[:3]) for word in kept.split()]


def test_no_body_of_the_front_s_pauses_its_connection():
    """Uvicorn stops reading beyond this, and only its own cycle would go on."""
    assert MAX_BODY <= HIGH_WATER_LIMIT
    assert issubclass(FrontProtocol, httptools_impl.HttpToolsProtocol)
