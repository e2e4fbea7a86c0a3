"""How many requests are let through, by what is asked for: DIBS_RATE_LIMITS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from dibs.errors import ConfigError

DEFAULTS = {
    "register": "30/minute,150/hour",
    "login": "30/minute,300/hour",
    "refresh": "300/minute",
    "check": "300/minute",
    "rest": "600/minute",
    "account": "50/day",
    "account_source": "10/15minutes,30/day",
}
"""By group; docs/limits.md has the reasons."""

FAILURES = ("account", "account_source")
"""Groups that count wrong passwords for one account, from everywhere or from one source."""

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
RATE = re.compile(r"\s*([1-9]\d{0,8})\s*/\s*([1-9]\d{0,3})?\s*(second|minute|hour|day)s?\s*")
EXAMPLE = "login=10/minute,100/hour; check=60/minute"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many within so many seconds; they begin with the first of them."""

    number: int
    seconds: int


Rates = dict[str, tuple[Rate, ...]]


def parse(text: str) -> Rates:
    """The rates of each group that has any.

    Args:
        text: `on`, or nothing, for those built in; `off` for none; or groups that differ from
            what is built in, as in `EXAMPLE`. One group may be `off`.

    Raises:
        ConfigError: It cannot be read; the message says which part.
    """
    if text.strip() == "off":
        return {}
    said = dict(DEFAULTS)
    if text.strip() not in ("", "on"):
        said |= _groups(text)
    return {group: _rates(group, rates) for group, rates in said.items() if rates != "off"}


def _groups(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(str.strip, text.split(";")):
        group, equals, rates = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise _wrong(f"`{part.strip()}` is not on, off or a group with its rates")
        if group not in DEFAULTS:
            near = get_close_matches(group, DEFAULTS, n=1)
            raise _wrong(
                f"`{group}` is no group; "
                + (f"do you mean {near[0]}?" if near else f"there are {', '.join(DEFAULTS)}")
            )
        if group in found:
            raise _wrong(f"the group {group} stands twice")
        found[group] = rates
    return found


def _rates(group: str, text: str) -> tuple[Rate, ...]:
    rates: dict[int, Rate] = {}
    for part in text.split(","):
        found = RATE.fullmatch(part)
        if found is None:
            raise _wrong(f"`{part.strip()}` of {group} is no rate such as 10/minute or 5/10seconds")
        number, times, unit = found.groups()
        rate = Rate(int(number), int(times or 1) * SECONDS[unit])
        if rate.seconds in rates:
            raise _wrong(f"{group} has two rates for the same time")
        rates[rate.seconds] = rate
    return tuple(rates.values())


def _wrong(what: str) -> ConfigError:
    return ConfigError(f"DIBS_RATE_LIMITS cannot be used: {what}; an example is `{EXAMPLE}`")
