"""A real browser, the real service on PostgreSQL with Redis, and a site of another origin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.backends import POSTGRESQL
from tests.browser.foreign import Foreign
from tests.browser.watch import Watch
from tests.caches import REDIS
from tests.conftest import missing
from tests.service import Service
from tests.services import ServiceMissing, chromium

NewPage = Callable[..., Page]

PATIENCE_MS = 20_000  # machines are busy
expect.set_options(timeout=PATIENCE_MS)

# Nothing beyond this machine is asked, whatever the browser itself would like to know.
ARGUMENTS = [
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--renderer-process-limit=1",
]


@pytest.fixture(scope="session", autouse=True)
def close_redis() -> Iterator[None]:
    yield
    REDIS.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, started for each module.

    While Playwright is there its thread has an event loop that runs, and no test of another
    folder shall find that.
    """
    try:
        path = chromium()
    except ServiceMissing as error:
        missing(error)
        raise
    with sync_playwright() as playwright:
        # Without its sandbox, which Chromium refuses to make for root: these pages are ours.
        browser = playwright.chromium.launch(
            executable_path=path, args=ARGUMENTS, chromium_sandbox=False
        )
        yield browser
        browser.close()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """What the pages of a test complain about; the test fails in the end if they did."""
    watch = Watch()
    yield watch
    watch.verify()


@pytest.fixture
def new_context(browser: Browser, watch: Watch) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browsers without memory, one for each user; options are Playwright's."""
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**{"locale": "en-GB", **options})
        context.set_default_timeout(PATIENCE_MS)
        context.on("page", watch.on)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def new_page(new_context: Callable[..., BrowserContext]) -> NewPage:
    """Makes pages, each in a browser without memory; options are Playwright's."""
    return lambda **options: new_context(**options).new_page()


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A page in an English browser."""
    return new_page()


@pytest.fixture(scope="module")
def make_service() -> Iterator[Callable[..., Service]]:
    """Starts services on PostgreSQL with Redis; settings are keywords."""
    started: list[tuple[Service, str]] = []

    def make(**settings: Any) -> Service:
        try:
            url, redis_url = POSTGRESQL.migrated(), REDIS.empty()
        except ServiceMissing as error:
            missing(error)
            raise
        usual = {"redis_url": redis_url, "argon2_memory_kib": 64}
        started.append((Service(url, **{**usual, **settings}), url))
        return started[-1][0].start()

    yield make
    for service, url in started:
        service.stop()
        POSTGRESQL.drop(url)


@pytest.fixture(scope="module")
def foreign() -> Iterator[Foreign]:
    """A site of another origin than the service's."""
    with Foreign() as site:
        yield site
