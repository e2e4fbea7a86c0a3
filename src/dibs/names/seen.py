"""What a reader sees of a text: its characters counted, and those shown that are named to them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import Any

MAX_SHOWN = 5


@cache
def _find(pattern: str) -> Callable[[str], list[Any]]:
    # Loading it takes as long as everything else together, and ASCII names never need it.
    import regex

    return regex.compile(pattern).findall


def graphemes(text: str) -> list[str]:
    """Return the characters a reader sees: extended grapheme clusters (UAX #29)."""
    return _find(r"\X")(text)


def hidden(text: str) -> list[str]:
    """Return the characters that a reader does not see, or that are half of one."""
    # Cc holds NUL, CR and LF, Cs the lone surrogates; the zero-width characters, the bidi
    # controls and fillers that look like nothing are default-ignorable (Unicode 5.21).
    return _find(r"[\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}]")(text)


def count(text: str) -> int:
    """Count the characters a reader sees."""
    return len(text) if text.isascii() else len(graphemes(text))


def show(characters: Collection[str]) -> str:
    """List characters in printable ASCII, at most five: `! U+200B`."""
    shown = [
        char if "!" <= char <= "~" else f"U+{ord(char):04X}"
        for char in list(dict.fromkeys(characters))[: MAX_SHOWN + 1]
    ]
    return " ".join(shown[:MAX_SHOWN] + ["..."] * (len(shown) > MAX_SHOWN))
