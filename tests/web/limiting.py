"""What tests of limits share: requests from somewhere, tries of passwords, a clock."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

from dibs.state import state_of
from dibs.web.http.limits import Limits
from tests.web.site import PASSWORD, Site

HOME, AWAY = "192.0.2.1", "198.51.100.7"


def ask(site: Site, method: str, path: str, source: str = HOME, **options: Any) -> TestResponse:
    return site.client.open(
        path, method=method, environ_overrides={"REMOTE_ADDR": source}, **options
    )


def check(site: Site, source: str = HOME, **headers: str) -> int:
    return ask(site, "GET", "/usernames/ada", source, headers=headers).status_code


def login(
    site: Site, name: object = "ada", password: str = PASSWORD, source: str = HOME
) -> TestResponse:
    body = {"username": name, "password": password}
    return ask(site, "POST", "/login", source, json=body)


def tries(
    site: Site, number: int, name: object = "ada", source: str = HOME, password: str = "wrong one"
) -> list[int]:
    return [login(site, name, password, source).status_code for _ in range(number)]


def limits_of(site: Site) -> Limits:
    """Those of a site that has limits."""
    found = state_of(site.app).limits
    assert found
    return found


class Clock:
    def __init__(self, site: Site) -> None:
        self.now = 1000.0
        limits_of(site).tally.local.clock = lambda: self.now
