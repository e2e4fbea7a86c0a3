"""Live figures for staff: registrations from the database, and what the workers have counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import time

from dibs.web.counting import REFUSED
from dibs.web.here import deadline, parts
from dibs.web.pages.charts import (
    HOUR_MS,
    Chart,
    Share,
    by_day,
    by_hour,
    first_day,
    moment,
    shares,
)
from dibs.web.words import say

HIT, MISS = "cache_hit", "cache_miss"
ALL_WORKERS = "What follows is what all workers together have counted since %(since)s."
REDIS_AWAY = (
    "What follows is what the worker that shows this page has counted since %(since)s: Redis does"
    " not answer, in which all of them add up theirs."
)
THIS_WORKER = (
    "What follows is counted by one worker alone, the one that shows this page, since %(since)s:"
    " without Redis (DIBS_REDIS_URL) each counts for itself."
)
MESSAGES = (ALL_WORKERS, REDIS_AWAY, THIS_WORKER)
STARTED = int(time() * 1000)
"""About when this process began to count."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is going on.

    Attributes:
        at: When, by the database's clock.
        hours: Registrations of the last 24 hours.
        days: Registrations of the last 30 days.
        refused: Names that were refused to somebody, by the reason's code.
        asked: How often the caches were asked.
        hits: How many percent of these they could answer; None if they were not asked.
        scope: Who has counted the last three, and since when.
    """

    at: str
    hours: Chart
    days: Chart
    refused: list[Share]
    asked: int
    hits: float | None
    scope: str


def figures() -> Figures:
    """All of it.

    Raises:
        StoreUnavailable: The database cannot answer.
    """
    now, _ = parts().store.moment(deadline=deadline())
    since = first_day(now)
    counts = parts().history.registrations(since=since, width=HOUR_MS, deadline=deadline())
    counted, scope = _counted()
    refused = {
        name.removeprefix(REFUSED): number
        for name, number in counted.items()
        if name.startswith(REFUSED)
    }
    hits, asked = counted.get(HIT, 0), counted.get(HIT, 0) + counted.get(MISS, 0)
    return Figures(
        moment(now),
        by_hour(counts, now),
        by_day(counts, now),
        shares(refused),
        asked,
        round(100 * hits / asked, 1) if asked else None,
        scope,
    )


def _counted() -> tuple[Mapping[str, int], str]:
    """By all workers, if Redis can tell; else by this one."""
    if (shared := parts().counts) is not None:
        shared.share(deadline(), now=True)
        if (found := shared.read(deadline())) is not None:
            counts, since = found
            return counts, say(ALL_WORKERS, {"since": moment(int(since.timestamp() * 1000))})
    alone = THIS_WORKER if shared is None else REDIS_AWAY
    return parts().cache.counters.read(), say(alone, {"since": moment(STARTED)})
