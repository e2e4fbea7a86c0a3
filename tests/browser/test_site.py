"""The documentation site in a browser: on a phone and at a desk, by day and by night."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewPage
from tests.conftest import missing
from tests.docs.blocks import ROOT
from tests.services import ServiceMissing

SITE = ROOT / "build" / "site"
PAGES = sorted(
    page.parent.relative_to(SITE).as_posix()
    for page in SITE.rglob("index.html")
    if "source" not in page.parts
)

NO_SEARCH = "window.Worker = class extends EventTarget { postMessage() {} terminate() {} }"
"""Each page reads the whole site anew, to be ready for a search: other tests search."""


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Be silent."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = partial(Silent, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    if not PAGES:
        missing(ServiceMissing("build/site is missing: run make docs"))
    with served(SITE) as address:
        yield address


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1280, "light")])
def test_every_page(new_page: NewPage, address: str, width: int, theme: str):
    """Asks no other host, complains of nothing (`Watch` sees to both), and is not too wide."""
    page = new_page(viewport={"width": width, "height": 800}, color_scheme=theme)
    page.add_init_script(NO_SEARCH)
    if theme == "light":  # the scripts take most of the time; once is enough
        page.route("**/bundle.*.js", lambda route: route.fulfill(content_type="text/javascript"))
    wide = []
    for path in PAGES:
        page.goto(f"{address}/{path}/", wait_until="load")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    assert wide == []
    scheme = page.locator("body").get_attribute("data-md-color-scheme")
    assert scheme == {"dark": "slate", "light": "default"}[theme]


@pytest.mark.parametrize(
    ("words", "found"),
    [("quarantine", "life/"), ("保护期", "extension.zh/"), ("过滤器", "strategies.zh/")],
)
def test_search(new_page: NewPage, address: str, words: str, found: str):
    """In English, and for a word inside of a Chinese sentence."""
    page = new_page(viewport={"width": 1280, "height": 800})
    field = page.locator("input.md-search__input")
    link = page.locator(f".md-search-result__link[href*='{found}']").first
    page.goto(address)
    for _ in range(8):  # what is typed before the page listens is lost
        field.fill(words)
        field.press("End")  # the page looks when a key is let go
        with suppress(AssertionError):
            expect(link).to_be_visible(timeout=10_000)
            break
    expect(link).to_be_visible()


def test_a_chinese_page_is_one(new_page: NewPage, address: str):
    """For what reads pages aloud, and in the words around it."""
    page = new_page()
    for path, language in (("first-steps", "en"), ("first-steps.zh", "zh"), ("install", "en")):
        page.goto(f"{address}/{path}/")
        assert page.locator("html").get_attribute("lang") == language
