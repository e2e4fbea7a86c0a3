"""Which other sites' pages may ask: DIBS_CORS_ORIGINS."""

from __future__ import annotations

import re

from dibs.errors import ConfigError

EVERY = "*"
KEY = "DIBS_CORS_ORIGINS"
# As browsers send it (RFC 6454, 6.2): in small letters, in ASCII, without what goes without saying.
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
USUAL_PORT = re.compile(r"(?<=^http):(.*):80$|(?<=^https):(.*):443$")


def parse(text: str) -> frozenset[str]:
    """The origins, or `EVERY` alone.

    Args:
        text: Origins with commas between them, `*`, or nothing.

    Raises:
        ConfigError: One of them is not as browsers send it, and would never be let in.
    """
    found = [one.strip() for one in text.split(",")] if text.strip() else []
    if EVERY in found and len(found) > 1:
        raise ConfigError(f"{KEY} is {text!r}; give either * or origins")
    for one in found:
        if one != EVERY and (not ORIGIN.fullmatch(one) or USUAL_PORT.search(one)):
            raise ConfigError(f"{KEY}: {one!r} is no origin as browsers send it{_meant(one)}")
    return frozenset(found)


def _meant(one: str) -> str:
    """The origin that may be meant, in words."""
    near = re.match(r"[^/]+://[^/?#]+", one.lower())
    plain = USUAL_PORT.sub(lambda found: f":{found[1] or found[2]}", near[0]) if near else ""
    return f"; do you mean {plain}?" if ORIGIN.fullmatch(plain) else ", such as https://app.example"
