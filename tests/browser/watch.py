"""A page of a real browser, and whatever goes wrong in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Error, Page, Request

# The browser looks by itself for an icon that no page mentions, and only sometimes.
ICON = r"status of 404 .*/favicon\.ico\)$"


# Playwright puts attributes of its own on what it calls.
@dataclass(eq=False)
class Watch:
    """What a page complains about, and what it asks for elsewhere.

    Attributes:
        expected: Patterns of complaints that a test provokes on purpose, such as `503`.
    """

    expected: list[str] = field(default_factory=lambda: [ICON])
    _complaints: list[str] = field(default_factory=list)
    _elsewhere: list[str] = field(default_factory=list)

    def on(self, page: Page) -> None:
        """Watch one more page."""
        page.on("console", self._console)
        page.on("pageerror", self._error)
        page.on("request", self._request)

    def expect(self, *patterns: str) -> None:
        """Let a page complain of this."""
        self.expected += patterns

    def verify(self) -> None:
        """See that no page complained of anything else, nor asked another machine."""
        patterns = self.expected
        surprising = [
            one for one in self._complaints if not any(re.search(p, one) for p in patterns)
        ]
        assert surprising == [], surprising
        assert self._elsewhere == [], self._elsewhere

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _error(self, error: Error) -> None:
        self._complaints.append(str(error))

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https") and address.hostname not in (
            "127.0.0.1",
            "localhost",
        ):
            self._elsewhere.append(request.url)


def violations(page: Page) -> list[str]:
    """Every rule of axe-core that the page breaks, and where."""
    return _found(page)


def violations_in_both_themes(page: Page) -> list[str]:
    """The same by day; and by night, when nothing is different but the colours."""
    by_day = _found(page)
    page.emulate_media(color_scheme="dark")
    by_night = _found(page, runOnly=["color-contrast", "link-in-text-block"])
    page.emulate_media(color_scheme="light")
    return by_day + by_night


def _found(page: Page, **options: object) -> list[str]:
    wanted = {"resultTypes": ["violations"], **options}
    found = Axe().run(page, options=wanted).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes']]}" for one in found
    ]
