"""The proxy of docs/install.md, as it stands there, keeps what the page promises."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from dibs.web import component
from dibs.web.http.bodies import MAX_BODY
from tests.docs.front import PATIENCE_S, Front, front, settings
from tests.load import get, register
from tests.service import Service, ServiceFailed
from tests.services.processes import kill
from tests.web.pages.browser import Forms

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
THREADS, HALVES = 2, 40
BODY = json.dumps({"username": "somebody"})
HTTPS = {"X-Forwarded-Proto": "https"}
PLAIN = {"date", "server", "connection", "x-request-id"}
"""Headers of an answer that are each server's own, or each request's."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One for the tests that leave it as it was."""
    with Service(password="required", argon2_memory_kib="64", **settings()) as service:
        yield service


@pytest.fixture(scope="module")
def proxy(service: Service) -> Iterator[Front]:
    with front(service.port, service.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Front) -> Iterator[httpx.Client]:
    with proxy.client() as client:
        yield client


def half(connection: socket.socket, name: str, path: str = "/register") -> Callable[[], None]:
    """Sends half of a registration; returns what sends the rest."""
    body = json.dumps({"username": name}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    connection.settimeout(PATIENCE_S)
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:5])
    return lambda: connection.sendall(body[5:])


@pytest.mark.parametrize("name", ["password", "username"])
def test_half_sent_bodies_hold_no_thread_without_a_proxy(name):
    """Whether Flask is to answer them or the front, which cannot know that yet."""
    with Service(workers=1, pool_size=THREADS) as service, ExitStack() as open_:
        where = ("127.0.0.1", service.port)
        slow = [open_.enter_context(socket.create_connection(where)) for _ in range(HALVES)]
        path = "/register" if name == "username" else "/login"
        rests = [half(one, f"slow{n}", path) for n, one in enumerate(slow)]
        client = open_.enter_context(service.client())
        assert client.one(get("/readyz")).status == 200
        assert client.one(register("ada")).status == 201
        for rest in rests:
            rest()
        first_lines = {connection.recv(4096).split(b"\r\n")[0] for connection in slow}
        assert first_lines == {
            b"HTTP/1.1 201 Created" if name == "username" else b"HTTP/1.1 404 Not Found"
        }


def test_half_sent_bodies_hold_no_thread():
    """Twenty times as many as there are threads, and everybody else is served meanwhile."""
    with ExitStack() as open_:
        service = open_.enter_context(Service(workers=1, pool_size=THREADS, **settings()))
        proxy = open_.enter_context(front(service.port, service.port))
        slow = []
        for _ in range(HALVES):
            plain = open_.enter_context(socket.create_connection(("127.0.0.1", proxy.port)))
            slow.append(
                open_.enter_context(proxy.trust.wrap_socket(plain, server_hostname="localhost"))
            )
        rests = [half(connection, f"slow{n}") for n, connection in enumerate(slow)]
        with proxy.client() as client:
            assert client.get("/usernames/ada").json()["available"]
            assert client.post("/register", json={"username": "ada"}).status_code == 201
        for rest in rests:
            rest()
        first_lines = {connection.recv(4096).split(b"\r\n")[0] for connection in slow}
        assert first_lines == {b"HTTP/1.1 201 Created"}


def test_a_source_is_the_address_that_the_proxy_saw():
    """Not what the client says it is; nor is everybody one source, the proxy's own."""
    limited = settings() | {"rate_limits": "check=3/minute"}
    with Service(workers=1, **limited) as service, front(service.port, service.port) as proxy:
        with proxy.client() as client:
            forged = [{"X-Forwarded-For": f"198.51.100.{n}"} for n in range(4)]
            answers = [client.get("/usernames/ada", headers=one).status_code for one in forged]
        with proxy.client("127.0.0.2") as another:
            answers.append(another.get("/usernames/ada").status_code)
    assert answers == [200, 200, 200, 429, 200]


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X-Forwarded_For", "X_Forwarded-For"])
def test_a_source_is_not_what_a_header_of_nearly_that_name_says(name):
    """WSGI has one name for all of them, and the last one would count: it must not get there."""
    limited = settings() | {"rate_limits": "check=3/minute"}
    forged = [{name: f"198.51.100.{n}"} for n in range(4)]
    with (
        Service(workers=1, **limited) as service,
        front(service.port, service.port) as proxy,
        proxy.client() as client,
    ):
        answers = [client.get("/usernames/ada", headers=one).status_code for one in forged]
        assert answers == [200, 200, 200, 429]
        here = {"Host": "localhost", "Cookie": "a=b"}  # Flask's, which would not tell them apart
        url = f"http://127.0.0.1:{service.port}/usernames/ada"
        for headers in ({}, {"Cookie": "a=b"}):
            plain = [httpx.get(url, headers=here | headers | one).status_code for one in forged]
            assert plain == [429] * 4


def test_with_https_cookies_are_secure_and_it_stays_https(client):
    """It is told to dibs, which speaks no TLS, by the proxy alone."""
    ada = {"username": "ada", "password": PASSWORD}
    lie = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
    joined = client.post("/register", json=ada, headers=lie)
    assert joined.headers["strict-transport-security"].startswith("max-age=")
    answer = client.post("/login", json={**ada, "cookies": True}, headers=lie)
    cookies = answer.headers.get_list("set-cookie")
    assert cookies
    assert all(line.startswith(("__Host-", "__Secure-")) for line in cookies)
    assert all("; Secure" in line for line in cookies)
    assert client.get("/users/me").json()["username"] == "ada"


def test_a_page_s_form(proxy):
    """It comes from the site itself, as far as dibs can see: scheme, host and port."""
    with proxy.client() as browser:
        form = next(one for one in Forms(browser.get("/sign-up").text).found if one.fields)
        typed = {**form.fields, "username": "grace", "password": PASSWORD}
        headers = {"Origin": proxy.url, "Referer": f"{proxy.url}/sign-up"}
        answer = browser.post(form.action, data=typed, headers=headers)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith(("/", proxy.url))
        assert browser.get("/account").status_code == 200


def test_a_request_keeps_its_id(client):
    """The client's own, or one that dibs makes."""
    sent = client.get("/healthz", headers={"X-Request-ID": "deploy-42"})
    assert sent.headers["x-request-id"] == "deploy-42"
    assert len(client.get("/healthz").headers["x-request-id"]) == 16


def test_a_script_is_kept_as_long_as_dibs_says(service, client):
    """Every header of it comes through: lifetime, ETag, what it varies with; so does a 304."""
    path = f"/{component.FILE}"
    page = client.get("/sign-up").text
    addresses = {part.split('"')[0] for part in page.split('"') if "?v=" in part} | {path}
    assert len(addresses) > 1
    for address in addresses:
        direct = httpx.get(f"http://127.0.0.1:{service.port}{address}", headers=HTTPS)
        through = client.get(address)
        assert kept(through) == kept(direct)
        assert through.content == direct.content
        again = client.get(address, headers={"If-None-Match": through.headers["etag"]})
        assert again.status_code == 304


def kept(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in PLAIN}


def test_refusals_of_dibs_come_through(client):
    """As they are: problem details, Allow and Retry-After."""
    taken = client.post("/register", json={"username": "no spaces", "password": PASSWORD})
    assert (taken.status_code, taken.json()["code"]) == (422, "invalid")
    wrong = client.delete("/register")
    assert wrong.status_code == 405
    assert "POST" in wrong.headers["allow"]
    assert wrong.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("status", "method", "path", "body"),
    [
        (400, "GET", "/usernames/%00", None),
        (405, "TRACE", "/register", None),
        (413, "POST", "/register", BODY.ljust(MAX_BODY + 1)),
        (414, "GET", "/usernames/" + "x" * 9000, None),
    ],
)
def test_refusals_of_nginx_s_own(client, status, method, path, body):
    """Which the page names: they are no problem details."""
    answer = client.request(
        method, path, content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html")


def test_a_body_as_large_as_dibs_takes(client):
    """None that dibs would take is refused by nginx."""
    content = json.dumps({"username": "large", "password": PASSWORD}).ljust(MAX_BODY)
    sent = {"content": content, "headers": {"Content-Type": "application/json"}}
    assert client.post("/register", **sent).status_code == 201


def test_while_no_dibs_runs(tmp_path):
    """A 502 of nginx's own, and at once."""
    service = Service(home=str(tmp_path), workers=1, **settings()).start()
    with front(service.port, service.port) as proxy, proxy.client() as client:
        assert client.get("/readyz").status_code == 200
        kill(service.pid)
        answer = client.get("/readyz")
        assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
        with suppress(ServiceFailed):
            service.stop()
