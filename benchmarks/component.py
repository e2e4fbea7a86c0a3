"""How long after one has stopped typing the answer is on the screen, beside the bare request.

    python -m benchmarks.component --times 60

In Debian's Chromium, on a page of another origin: from the end of the debounce, which is when
`<dibs-username>` calls `fetch`, until the browser has drawn the answer; and the same `fetch` by
itself until its JSON is there. They take turns, on names that are free and taken, with
PostgreSQL and Redis that are started for the occasion.
"""

from __future__ import annotations

import gzip
from statistics import median
from typing import Any

import click
from playwright.sync_api import Page, sync_playwright

from tests.backends import POSTGRESQL
from tests.browser.conftest import ARGUMENTS
from tests.browser.field import Joining
from tests.browser.foreign import Foreign
from tests.caches import REDIS
from tests.load import register
from tests.service import Service
from tests.services import chromium

# `drawn` is after the frame in which the answer is: a task that follows the callback before it.
WATCH = """() => {
    const real = window.fetch
    window.fetch = (...sent) => { window.asked = performance.now(); return real(...sent) }
    window.bare = async url => {
        const before = performance.now()
        const reply = await real(url, {headers: {'Accept-Language': 'en'}})
        await reply.json()
        return performance.now() - before
    }
    window.shown = () => new Promise(done => addEventListener('dibs-check', () => {
        const there = performance.now() - window.asked
        requestAnimationFrame(() => {
            const channel = new MessageChannel()
            channel.port1.onmessage = () => done([there, performance.now() - window.asked])
            channel.port2.postMessage(null)
        })
    }, {once: true}))
}"""
TYPE = """async name => {
    const shown = window.shown()
    const input = document.querySelector('input')
    input.value = name
    input.dispatchEvent(new Event('input'))
    return await shown
}"""


def measure(page: Page, base: str, times: int) -> dict[str, list[float]]:
    """Milliseconds: of the bare request, until the answer is in the page, and until it is drawn."""
    found: dict[str, list[float]] = {"bare request": [], "in the page": [], "drawn": []}
    page.evaluate(WATCH)
    for number in range(-5, times):
        name = "ada" if number % 2 else f"lovelace{number}"
        # Either goes first as often as the other, lest one warms up what the other finds.
        url = f"{base}/usernames/{name}"
        bare: Any = page.evaluate("url => bare(url)", url) if number % 4 < 2 else None
        there, drawn = page.evaluate(TYPE, name)
        bare = bare or page.evaluate("url => bare(url)", url)
        if number >= 0:
            for times_, value in zip(found.values(), (bare, there, drawn), strict=True):
                times_.append(value)
    return found


@click.command()
@click.option("--times", default=60, show_default=True, help="Names that are typed.")
def main(times: int) -> None:
    """Print medians, what they are in bare requests, and the size of the module."""
    url, redis_url = POSTGRESQL.migrated(), REDIS.empty()
    with (
        Foreign() as foreign,
        Service(url, redis_url=redis_url, cors_origins=foreign.origin) as service,
        sync_playwright() as playwright,
    ):
        service.one(register("ada"))
        joining = Joining(service, foreign)
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=ARGUMENTS, chromium_sandbox=False
        )
        page = browser.new_page(locale="en-GB")
        module = page.request.get(f"{joining.base}/dibs-username.js").body()
        joining.open(page)
        found = measure(page, joining.base, times)
        browser.close()
    REDIS.close()
    POSTGRESQL.close()
    click.echo(f"module: {len(module)} bytes, {len(gzip.compress(module, 6))} with gzip")
    for what, values in found.items():
        ratio = median(values) / median(found["bare request"])
        click.echo(f"{what:13} {median(values):7.2f} ms  x {ratio:.2f}")


if __name__ == "__main__":
    main()
