"""What becomes of a name that is given up, in words that fit the settings."""

from __future__ import annotations

from datetime import timedelta
from math import inf
from typing import Any

from babel.dates import format_timedelta
from flask_babel import get_locale

from dibs.web.here import parts
from dibs.web.words import flowing, say

UNITS = {"day": 86_400_000, "hour": 3_600_000}

# For so many days, at once, for ever.
SENTENCES = {
    "renamed": (
        "Nobody else can have your old name for %(time)s, and you may take it back meanwhile.",
        "Anybody can have your old name at once.",
        "Nobody else will ever have your old name, and you may take it back.",
    ),
    "deleted": (
        "Nobody can have your name for %(time)s, not even you; then it is free.",
        "Your name is free at once, and somebody else may have it.",
        "Nobody will ever have your name again, not even you.",
    ),
    "ended": (
        "Nobody can have its name for %(time)s; then it is free.",
        "Its name is free at once, and somebody else may have it.",
        "Nobody will ever have its name again.",
    ),
    "given_up": (
        "Nobody else can have the name that is given up for %(time)s.",
        "Anybody can have the name that is given up at once.",
        "Nobody else will ever have the name that is given up.",
    ),
}
LEADS_HERE = "Until somebody else has it, links to it lead here."
MESSAGES = (*(one for three in SENTENCES.values() for one in three), LEADS_HERE)


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
    if case == "renamed" and settings.redirects == "on":
        return flowing((said, say(LEADS_HERE)))
    return said


def _exactly(milliseconds: int) -> str:
    """In the largest unit that says it without rounding: 90 days, and not 3 months.

    `babel.units.format_unit` has no words for it in Chinese and Japanese.
    """
    whole = (unit for unit, size in UNITS.items() if milliseconds % size == 0)
    unit: Any = next(whole, "minute")
    lasts = timedelta(milliseconds=milliseconds)
    return format_timedelta(lasts, unit, threshold=inf, locale=get_locale() or "en")
