"""Which requests the front answers, and that it answers them as Flask does.

Every test beside this one sends its requests down both doors as well: see `doors.py`.
"""

from __future__ import annotations

import gc
import json
from itertools import count
from typing import Any

import pytest

from dibs.errors import DibsError, StoreError, StoreUnavailable
from dibs.web.front import Asked, Front, Reply
from tests.web.site import Site

JSON = "application/json"
CHECK: dict[str, Any] = {"path": "/usernames/ada"}
HEALTH: dict[str, Any] = {"path": "/healthz"}
MANY: dict[str, Any] = {"path": "/usernames/check", "method": "POST", "json": {"names": ["ada"]}}
REGISTER: dict[str, Any] = {"path": "/register", "method": "POST", "json": {"username": "ada"}}


def ask(site: Site, request: dict[str, Any], **more: Any) -> tuple[int, bool]:
    """Its status, and whether the front has answered it too."""
    before = site.doors.compared
    status = site.client.open(**request | more).status_code
    return status, site.doors.compared > before


def body(text: bytes) -> dict[str, Any]:
    return {"json": None, "data": text, "content_type": JSON}


@pytest.mark.parametrize(
    ("request_", "more", "status"),
    [
        (CHECK, {}, 200),
        (CHECK, {"path": "/usernames/%FF"}, 200),
        (CHECK, {"path": "/usernames/check"}, 200),
        (CHECK, {"path": "/usernames/a%20b"}, 200),
        (CHECK, {"query_string": "suggestions=0"}, 200),
        (CHECK, {"headers": {"Accept-Language": "ja;q=0.9, zh"}}, 200),
        (CHECK, {"headers": {"X-Request-ID": "deploy-42"}}, 200),
        (CHECK, {"headers": {"Origin": "https://app.example"}}, 200),
        (CHECK, {"headers": {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}}, 200),
        (HEALTH, {}, 200),
        (MANY, {}, 200),
        (MANY, {"json": {"names": []}}, 422),
        (MANY, {"json": {"names": ["x" * 300, "\u2713", "root", "ada", "ada"]}}, 200),
        (MANY, body(b'{"names": ["\\ud800"]}'), 200),
        (REGISTER, {}, 201),
        (REGISTER, {"query_string": "suggestions=0"}, 201),
        (REGISTER, {"json": {}}, 400),
        (REGISTER, {"json": {"username": "root"}}, 409),
        (REGISTER, {"json": {"username": "a b"}}, 422),
        (REGISTER, {"json": {"username": 1, "more": 2}}, 422),
        (REGISTER, {"json": ["ada"]}, 400),
        (REGISTER, body(b'{"username": "ada"'), 400),
        (REGISTER, body(b'{"username": "ada", "username": "eve"}'), 400),
        (REGISTER, body(b'{"username": NaN}'), 400),
        (REGISTER, body(b"\xff"), 400),
        (REGISTER, body(b"[" * 10_000), 400),
    ],
)
def test_what_the_front_answers(make_site, request_, more, status):
    """Also behind limits, for a page of another origin, and behind a proxy."""
    settings = {"rate_limits": "check=100/minute; register=100/minute", "trusted_proxies": "1"}
    site = make_site(cors_origins="https://app.example", **settings)
    assert ask(site, request_, **more) == (status, True)
    assert ask(site, request_, **more)[1]  # a name may be taken by now


@pytest.mark.parametrize(
    ("request_", "more"),
    [
        (CHECK, {"method": "HEAD"}),
        (CHECK, {"method": "OPTIONS"}),
        (CHECK, {"path": "/usernames/a/b"}),
        (CHECK, {"query_string": "namespace=default"}),
        (CHECK, {"query_string": "suggestions=1"}),
        (CHECK, {"headers": {"Authorization": "Bearer x"}}),
        (CHECK, {"headers": {"Host": "a b"}}),
        (CHECK, {"headers": {"Host": "a..b"}}),
        (MANY, {"json": {"names": ["ada"], "namespace": "default"}}),
        (REGISTER, {"headers": {"Idempotency-Key": "0123456789abcdef"}}),
        (REGISTER, {"json": {"username": "ada", "password": "correct horse battery"}}),
        (REGISTER, {"json": {"username": "ada", "hold_token": "x"}}),
        (REGISTER, {"content_type": "text/plain"}),
        (REGISTER, body(b" " * 70_000)),
        ({"path": "/readyz"}, {}),
    ],
)
def test_what_it_leaves_to_flask(site, request_, more):
    assert not ask(site, request_, **more)[1]


def test_it_leaves_browsers_with_cookies_to_flask(site):
    """It alone knows whose they are."""
    site.client.set_cookie("a", "b")
    assert ask(site, CHECK) == (200, False)


@pytest.mark.parametrize("check", ["token", "staff"])
def test_checks_that_cost_something_are_flask_s(make_site, check):
    """Who asks, and with what, it alone looks at."""
    assert ask(make_site(check=check, password="required"), CHECK) == (401, False)


@pytest.mark.parametrize("settings", [{"check": "blind"}, {"rate_limits": "check=2/minute"}])
def test_settings_hold_at_both_doors(make_site, settings):
    site = make_site(**settings)
    statuses = [ask(site, CHECK) for _ in range(3)]
    assert all(was_compared for _, was_compared in statuses)
    assert statuses[-1][0] == (429 if "rate_limits" in settings else 200)


@pytest.mark.parametrize(("error", "status"), [(StoreUnavailable(), 503), (RuntimeError(), 500)])
def test_what_goes_wrong_is_said_alike(site, monkeypatch, error, status):
    """A bug too, of which the log has all and the client nothing."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(site.parts.store, "find", fail)
    monkeypatch.setattr(site.parts.store, "claim", fail)
    for request_ in (CHECK, MANY, REGISTER):
        assert ask(site, request_) == (status, True)


def test_an_error_without_a_status_is_logged_with_its_place(site, monkeypatch, caplog):
    """By each door: whoever mends it needs the line. One of the same kind would be held back."""
    number = count()

    def fail(*_: object, **__: object) -> None:
        raise StoreError(f"without a status {next(number)}")

    monkeypatch.setattr(site.parts.store, "find", fail)
    assert ask(site, CHECK) == (500, True)
    assert caplog.text.count("Traceback") == caplog.text.count("in fail") == 2


@pytest.mark.parametrize(("name", "status"), [("ada", 409), ("root", 409), ("a b", 422)])
def test_a_refusal_leaves_no_garbage(site, name, status):
    """With its frames, and all that they know, it would wait for somebody to look for it."""
    ask(site, REGISTER)
    front, sent = Front(site.app), json.dumps({"username": name}).encode()
    headers = {b"host": b"localhost", b"content-type": b"application/json"}
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        asked = Asked(b"POST", b"/register", headers, "127.0.0.1", "http", front.begin(), sent)
        answer = front.plan(asked)
        assert answer
        assert answer().status == status
        gc.collect()
        assert [one for one in gc.garbage if isinstance(one, DibsError)] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda reply: reply._replace(status=202),
        lambda reply: reply._replace(body=reply.body.replace(b"ada", b"adb")),
        lambda reply: reply._replace(headers={**reply.headers, "Vary": "Cookie"}),
        lambda reply: reply._replace(headers={**reply.headers, "X-More": "1"}),
    ],
)
def test_a_difference_is_seen(site, monkeypatch, wrong):
    serve = Front._serve

    def otherwise(self: Front, *args: Any) -> Reply:
        found: Reply = wrong(serve(self, *args))
        return found

    monkeypatch.setattr(Front, "_serve", otherwise)
    with pytest.raises(AssertionError):
        ask(site, REGISTER)
