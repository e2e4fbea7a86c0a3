"""What `dibs serve` writes: a line a request, one of what is suspicious, and nothing secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.load import get, post, register
from tests.service import Service

PASSWORD = "correct horse battery"
INSTALL = Path(__file__).parents[2] / "docs/install.md"
LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (?P<level>[A-Z]+) (?P<logger>[\w.]+)"
    r" (?P<request_id>\S+) (?P<message>.*)"
)


@pytest.fixture(scope="module", params=["text", "json", "off"])
def style(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def lines(style: str) -> Iterator[list[dict[str, Any]]]:
    """Of one service that was asked this and that, by both doors."""
    with Service(
        log=style,
        password="optional",
        workers=1,
        argon2_memory_kib=64,
        rate_limits="check=2/hour",
        trusted_proxies=1,
    ) as service:
        near = {"X_Forwarded_For": "192.0.2.7", "X_Request_ID": "mine-1"}
        service.one(register("zoe"))
        service.one(register("bob", PASSWORD))
        service.one(post("/login", {"username": "bob", "password": PASSWORD}))
        service.one(post("/login", {"username": "bob", "password": "a secret"}, **near))
        service.one(post("/recover/link", {"token": "a-token", "password": PASSWORD}))
        service.one(get("/new-password/another-token"))
        service.one(get("/no/such/address?token=third"))
        for _ in range(3):
            service.one(get("/usernames/zoe"))
        written = service.log()
    found = [
        line for line in written.splitlines() if "dibs.request" in line or "dibs.security" in line
    ]
    # No name of letters that an id has: those are hexadecimal.
    for secret in (PASSWORD, "a secret", "a-token", "another-token", "third", "bob", "zoe", "such"):
        assert secret not in "".join(found), secret
    if style == "json":
        yield [json.loads(line) for line in found if line.startswith("{")]
    else:
        yield [match.groupdict() for line in found if (match := LINE.fullmatch(line))]


def of(lines: list[dict[str, Any]], logger: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["logger"] == logger]


def test_each_request_has_a_line(lines, style):
    """With its id, route, status and source, whichever door answers."""
    said = [re.sub(r"[\d.]+ms", "ms", line["message"]) for line in of(lines, "dibs.request")]
    if style == "off":
        assert said == []
        return
    here = "source=127.0.0.1"
    check = f"GET /usernames/<dibs_any:name> {{}} ms {here}"
    expected = [
        f"POST /register 201 ms {here}",
        f"POST /register 201 ms {here}",
        f"POST /login 200 ms {here}",
        "POST /login 401 ms source=192.0.2.7",
        f"POST /recover/link 401 ms {here}",
        f"GET /new-password/<token> 200 ms {here}",
        f"GET - 404 ms {here}",
        *(check.format(status) for status in (200, 200, 429)),
    ]
    assert said == expected
    if style == "json":
        login = next(one for one in of(lines, "dibs.request") if one["status"] == 401)
        assert (login["request_id"], login["route"]) == ("mine-1", "/login")
        assert (login["source"], login["ms"] > 0) == ("192.0.2.7", True)


def test_what_is_suspicious_has_one(lines):
    """Also where requests have none; fail2ban finds the source as docs/install.md says."""
    said = [(line["request_id"], line["message"]) for line in of(lines, "dibs.security")]
    assert [message for _, message in said] == [
        "login_failed source=192.0.2.7",
        "recovery_failed source=127.0.0.1",
        "rate_limited source=127.0.0.1",
    ]
    assert said[0][0] == "mine-1"


def test_fail2ban_finds_the_source(lines, style):
    (pattern,) = re.findall(r"failregex = (.*)", INSTALL.read_text())
    finds = re.compile(pattern.replace("<HOST>", r"(?P<host>[\w.:]+)"))
    if style == "json":
        return
    texts = [" ".join(line.values()) for line in lines]
    # fail2ban cuts the time off first.
    found = [match["host"] for text in texts if (match := finds.search(text.partition(" ")[2]))]
    assert found == ["192.0.2.7", "127.0.0.1"]
