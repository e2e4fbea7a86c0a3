"""`<dibs-username>` on a page of another site, and what is there to be seen of it."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.foreign import Foreign
from tests.service import Service

HEAD = """<!doctype html><html{attributes}><meta charset="utf-8"><title>Join</title>
<style>:root {{ color-scheme: light dark; background: Canvas; color: CanvasText }}</style>
<script type="module" src="{service}/dibs-username.js"></script>"""
FORM = """<main><h1>Join</h1><form method="post" action="/sent">
<label for="name">Username</label>
<dibs-username><input id="name" name="username" required></dibs-username>
<button>Join</button></form></main>"""


@dataclass(frozen=True, slots=True)
class Field:
    """One element on a page.

    Attributes:
        host: The element itself.
        input: Where one types.
        answer: The live region: message and suggestions.
        message: What is said.
    """

    page: Page
    host: Locator
    input: Locator
    answer: Locator
    message: Locator

    @property
    def suggestions(self) -> Locator:
        """The names that are offered."""
        return self.answer.get_by_role("button")

    def shows(self, state: str) -> None:
        """Wait until it is in this state."""
        expect(self.page.locator(f"dibs-username:state({state})")).to_have_count(1)

    def type(self, text: str) -> None:
        """Type all of it at once: on a busy machine a part of it might be asked about."""
        self.input.fill(text)


@dataclass(frozen=True, slots=True)
class Joining:
    """Opens pages of another site that have the element.

    Attributes:
        service: The one that is asked.
        foreign: The site.
    """

    service: Service
    foreign: Foreign

    @property
    def base(self) -> str:
        """The address of the service."""
        return f"http://127.0.0.1:{self.service.port}"

    def html(self, body: str = FORM, attributes: str = ' lang="en"') -> str:
        """A page with the module and this body."""
        return HEAD.format(attributes=attributes, service=self.base) + body

    def address(self, body: str = FORM, attributes: str = ' lang="en"') -> str:
        """Where such a page is."""
        return self.foreign.page(self.html(body, attributes))

    def open(self, page: Page, body: str = FORM, attributes: str = ' lang="en"') -> Field:
        """Open such a page, and find the one element of it."""
        page.goto(self.address(body, attributes))
        return field(page)


def field(page: Page) -> Field:
    """The one element of a page, which is ready."""
    host = page.locator("dibs-username")
    expect(host).to_have_count(1)
    answer = host.locator(".dibs-answer")
    answer.wait_for(state="attached")
    message = answer.locator(".dibs-message")
    return Field(page, host, host.locator("input"), answer, message)


class Held:
    """Requests of a page to the service that are kept waiting until a test lets them go."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._routes: dict[str, Route] = {}
        page.route("**/usernames/*", self._hold)

    def wait_for(self, name: str) -> Route:
        """The request about this name, once it is there."""
        for _ in range(500):
            if name in self._routes:
                return self._routes.pop(name)
            self._page.wait_for_timeout(20)
        raise AssertionError(f"nothing was asked about {name}")

    def _hold(self, route: Route) -> None:
        self._routes[route.request.url.rpartition("/")[2]] = route
