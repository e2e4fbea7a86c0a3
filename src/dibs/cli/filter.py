"""`dibs filter`: what the strategy `membership_filter` knows."""

from __future__ import annotations

import secrets
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dibs.cli.target import ready_parts

if TYPE_CHECKING:
    from dibs.cache.filter.bloom import BloomFilter, FilterKey
    from dibs.cache.filter.follower import FilterFile
    from dibs.store.names.reading import Listing

PROBES = 100_000
PAGE = 10_000


@click.group(name="filter")
def filter_() -> None:
    """The filter that lets `membership_filter` recognise most free names without a query."""


@filter_.command()
def rebuild() -> None:
    """Rebuild the filter from the table; servers start to use it within a second.

    Nothing is locked, so names can be claimed meanwhile.
    """
    click.echo(rebuild_filter())


def rebuild_filter() -> str:
    """Rebuild it; says what is in it.

    Raises:
        ClickException: It cannot be kept, or another process is making it.
    """
    feed, recipe, shelf, clock = _open()
    try:
        if (unlock := shelf.lock()) is None:
            raise click.ClickException("another process is making the filter at this moment")
        try:
            began = time.perf_counter()
            known = _build(feed, recipe, clock)
            shelf.write(known)
            seconds = time.perf_counter() - began
        finally:
            unlock()
    except OSError as error:
        raise click.ClickException(f"the filter cannot be kept: {error}") from error
    wrong = sum(secrets.token_hex(16) in known for _ in range(PROBES)) / PROBES
    return (
        f"{_contents(known)}, {seconds:.1f} s,"
        f" {100 * wrong:.2f} % false positives among {PROBES:,} random names"
    )


@filter_.command()
def status() -> None:
    """Describe the filter on disk: how many names it holds and how old it is."""
    _, recipe, shelf, clock = _open()
    known = shelf.read_new(recipe)
    if known is None:
        raise click.ClickException(
            f"there is no filter of this database's names at {shelf.path}: a server whose"
            " strategy is membership_filter makes one, and so does `dibs filter rebuild`"
        )
    made = datetime.fromtimestamp(known.as_of / 1000, UTC)
    click.echo(f"{_contents(known)}, room for {known.capacity:,}")
    click.echo(f"as of {made:%Y-%m-%d %H:%M:%S} UTC, {(clock - known.as_of) / 1000:.0f} s ago")
    click.echo(f"{shelf.path}, {known.size / 2**20:.1f} MiB")


def _open() -> tuple[Listing, FilterKey, FilterFile, int]:
    from dibs.wiring import filter_parts

    parts = ready_parts()
    feed, make_recipe, shelf = filter_parts(parts.settings, parts.store, parts.budget)
    clock, secret = feed.moment()
    return feed, make_recipe(secret), shelf, clock


def _build(feed: Listing, recipe: FilterKey, clock: int) -> BloomFilter:
    from dibs.cache.filter.bloom import Build  # an extra; without it a sentence was said before

    build = Build(feed, recipe, as_of=clock, page=PAGE)
    while build.count_some():
        pass
    with click.progressbar(length=build.total, label="names", file=sys.stderr) as bar:
        while count := build.read_some():
            bar.update(count)
    return build.known


def _contents(known: BloomFilter) -> str:
    bits = f", {8 * known.size / known.count:.1f} bits each" if known.count else ""
    return f"{known.count:,} names{bits}"
