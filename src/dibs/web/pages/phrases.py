"""Short phrases that several pages say: what becomes of a name, browsers."""

from __future__ import annotations

from datetime import timedelta
from math import inf
from typing import Any

from babel.dates import format_timedelta

from dibs.web.http.current import parts
from dibs.web.i18n import flowing, locale, say

BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Marks of browsers, and their names. Each browser also has the marks of those below it."""

SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def described(device: str) -> str:
    """Browser and system, or the first word of whatever it calls itself; empty if it does not."""
    browser = _first(BROWSERS, device)
    if browser is None:
        return device.partition(" ")[0][:64]
    system = _first(SYSTEMS, device)
    return f"{browser} · {system}" if system else browser


def _first(known: tuple[tuple[str, str], ...], device: str) -> str | None:
    return next((name for mark, name in known if mark in device), None)


UNITS = {"day": 86_400_000, "hour": 3_600_000}

# For so many days, at once, for ever.
SENTENCES = {
    "renamed": (
        "For %(time)s nobody else can register your old username, and you can change back to it.",
        "Anybody can register your old username at once.",
        "Nobody else can ever register your old username, and you can change back to it at "
        "any time.",
    ),
    "team_renamed": (
        "For %(time)s nobody else can register the old team name, and the team can change back"
        " to it.",
        "Anybody can register the old team name at once.",
        "Nobody else can ever register the old team name, and the team can change back to it at"
        " any time.",
    ),
    "deleted": (
        "For %(time)s nobody can register your username, not even you. After that it is free.",
        "Your username is free at once, and somebody else may register it.",
        "Nobody can ever register your username again, not even you.",
    ),
    "ended": (
        "For %(time)s nobody can register the team name. After that it is free.",
        "The team name is free at once, and somebody else may register it.",
        "Nobody can ever register the team name again.",
    ),
    "taken_along": (
        "For %(time)s nobody can register the username.",
        "The username is free at once, and somebody else may register it.",
        "Nobody can ever register the username again.",
    ),
    "given_up": (
        "For %(time)s nobody else can register the name that the user gives up.",
        "Anybody can register the name that the user gives up at once.",
        "Nobody else can ever register the name that the user gives up.",
    ),
}
LEADS_HERE = "Until somebody else registers it, links to it lead here."
MESSAGES = (
    *(one for three in SENTENCES.values() for one in three),
    LEADS_HERE,
)


def rest(case: str) -> str:
    """What this service does with a name when that happens.

    Args:
        case: One of `SENTENCES`.
    """
    settings = parts().settings
    quarantine = settings.quarantine_ms
    some, none, ever = SENTENCES[case]
    if quarantine:
        said = say(some, {"time": _exactly(quarantine)})
    else:
        said = say(ever if quarantine is None else none)
    if case in ("renamed", "team_renamed") and settings.redirects == "on":
        return flowing((said, say(LEADS_HERE)))
    return said


def _exactly(milliseconds: int) -> str:
    """In the largest unit that says it without rounding: 90 days, and not 3 months.

    `babel.units.format_unit` has no words for it in Chinese and Japanese.
    """
    whole = (unit for unit, size in UNITS.items() if milliseconds % size == 0)
    unit: Any = next(whole, "minute")
    lasts = timedelta(milliseconds=milliseconds)
    return format_timedelta(lasts, unit, threshold=inf, locale=locale())
