"""Figures and charts for staff, of registrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from typing import Any

from babel import Locale
from babel.dates import format_skeleton, format_timedelta

from dibs.web.http.current import deadline, parts
from dibs.web.i18n import EPOCH, locale

WIDTH, HEIGHT = 600, 120
"""Size of the drawing in its own units; on a page it is as wide as there is room."""

GAP, LEAST = 2, 2
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
HOURS, DAYS = 24, 30


@dataclass(frozen=True, slots=True)
class Bar:
    """One number, and where it stands."""

    label: str
    number: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars side by side; of their numbers the sum, the highest, and the label of that.

    Attributes:
        top: What the upper edge stands for: a round number, at least the highest.
        marks: The labels below, some of those of the bars.
    """

    bars: Sequence[Bar]
    total: int
    most: int
    peak: str
    top: int
    marks: Sequence[str]


MARKS = 4
"""How many labels are below a chart: on a phone no more fit."""


def _round(most: int) -> int:
    """The least of 2, 4, 10, 20, 40, 100 and so on that is no less; half of it is whole, too."""
    tens = int("1" + "0" * (len(str(most)) - 1))
    return min(top for top in (max(2, tens), 2 * tens, 4 * tens, 10 * tens) if top >= most)


def chart(numbers: Sequence[tuple[str, int]]) -> Chart:
    """Bars for these, each with its label."""
    most = max((number for _, number in numbers), default=0)
    top = _round(most)
    step = WIDTH / max(1, len(numbers))
    bars = [
        Bar(label, number, round(i * step + GAP / 2, 1), HEIGHT - tall, round(step - GAP, 1), tall)
        for i, (label, number) in enumerate(numbers)
        # Whatever happened at all is seen.
        for tall in (max(LEAST, round(HEIGHT * number / top, 1)) if number else 0,)
    ]
    peak = next((label for label, number in numbers if number == most), "")
    marks = [numbers[i * (len(numbers) - 1) // (MARKS - 1)][0] for i in range(MARKS)]
    return Chart(bars, sum(number for _, number in numbers), most, peak, top, marks)


def first_day(now: int) -> int:
    """The beginning of the days that are shown."""
    return now - now % DAY_MS - (DAYS - 1) * DAY_MS


def by_hour(counts: Mapping[int, int], now: int) -> Chart:
    """The last day; its hours are those of UTC."""
    first = now - now % HOUR_MS - (HOURS - 1) * HOUR_MS
    starts = [first + i * HOUR_MS for i in range(HOURS)]
    return chart([(said(start, "Hm"), counts.get(start, 0)) for start in starts])


def by_day(counts: Mapping[int, int], now: int) -> Chart:
    """The last thirty days; they begin and end as in UTC."""
    days = {first_day(now) + i * DAY_MS: 0 for i in range(DAYS)}
    for start, number in counts.items():
        day = start - start % DAY_MS
        if day in days:
            days[day] += number
    return chart([(said(day, "MMMd"), number) for day, number in days.items()])


def said(milliseconds: int, skeleton: str) -> str:
    """A moment as the reader's language has it."""
    moment: datetime = EPOCH + timedelta(milliseconds=milliseconds)
    return format_skeleton(skeleton, moment, locale=locale())


def moment(milliseconds: int) -> str:
    """A moment in UTC, since no server knows the reader's own time of day."""
    at = EPOCH + timedelta(milliseconds=milliseconds)
    return f"{at:%Y-%m-%d %H:%M} UTC"


def when(milliseconds: int) -> str:
    """The same as the reader's language has it."""
    joined = str(Locale.parse(locale()).datetime_formats["medium"]).replace("'", "")
    return f"{joined.format(said(milliseconds, 'Hm'), said(milliseconds, 'yMMMd'))} UTC"


def lasting(milliseconds: int) -> str:
    """So long, about, as the reader's language has it: 89 days, and not 3 months."""
    unit: Any = "day" if milliseconds >= 2 * DAY_MS else "minute"
    lasts = timedelta(milliseconds=milliseconds)
    longest = inf if unit == "day" else 2
    return format_timedelta(lasts, unit, longest, locale=locale())


@dataclass(frozen=True, slots=True)
class Figures:
    """What is going on.

    Attributes:
        at: When, by the database's clock.
        hours: Registrations of the last 24 hours.
        days: Registrations of the last 30 days.
    """

    at: str
    hours: Chart
    days: Chart


def figures() -> Figures:
    """All of it."""
    now = parts().store.clock(deadline=deadline())
    counts = parts().history.registrations(since=first_day(now), now=now, deadline=deadline())
    return Figures(moment(now), by_hour(counts, now), by_day(counts, now))
