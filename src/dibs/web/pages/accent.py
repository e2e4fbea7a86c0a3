"""An accent colour as a stylesheet, in which all text can be read.

Links have the accent's colour, and buttons are filled with it. WCAG 2.2 asks for a contrast of
4.5 to 1 (1.4.3, AA): where a colour has less, it is darkened on light pages and lightened on dark
ones, just as far as that takes.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

Colour = tuple[float, float, float]
"""Red, green and blue, 0 to 255."""

CONTRAST = 4.5
HOVER = 1.08
"""How much brighter dibs.css makes a button under the pointer."""

STEPS = 100


class Theme(NamedTuple):
    """What an accent stands on, what stands on it, and towards what it is mixed."""

    pages: tuple[Colour, ...]
    ink: Colour
    towards: Colour


# The colours of dibs.css: --dibs-page and --dibs-raised.
LIGHT = Theme(((250, 249, 246), (255, 255, 255)), (255, 255, 255), (0, 0, 0))
DARK = Theme(((21, 24, 23), (29, 33, 31)), (21, 24, 23), (255, 255, 255))


@cache
def stylesheet(accent: str) -> bytes:
    """The custom properties of dibs.css for this accent, such as `#00aa66`."""
    light, dark = (_rules(readable(colour(accent), one), one) for one in (LIGHT, DARK))
    in_dark = f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"
    return f":root {{ {light} }}\n{in_dark}\n".encode()


def _rules(accent: Colour, theme: Theme) -> str:
    return f"--dibs-accent: {written(accent)}; --dibs-on-accent: {written(theme.ink)};"


def readable(accent: Colour, theme: Theme) -> Colour:
    """The colour, mixed with black or white until text can be read in it and on it."""
    found = accent
    for step in range(1, STEPS + 1):
        red, green, blue = (min(255, one * HOVER) for one in found)
        beside = [contrast(found, page) for page in theme.pages]
        on_it = [contrast(one, theme.ink) for one in (found, (red, green, blue))]
        if min(*beside, *on_it) >= CONTRAST:
            break
        pairs = zip(accent, theme.towards, strict=True)
        red, green, blue = (round(a + (b - a) * step / STEPS) for a, b in pairs)
        found = (red, green, blue)
    return found


def contrast(one: Colour, other: Colour) -> float:
    """Of two colours, 1 to 21 (WCAG 2.2, contrast ratio)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Colour) -> float:
    parts = [one / 255 for one in colour]
    red, green, blue = (
        one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def colour(text: str) -> Colour:
    """What `#00aa66` says."""
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def written(colour: Colour) -> str:
    """As CSS has it."""
    return "#" + "".join(f"{round(one):02x}" for one in colour)
