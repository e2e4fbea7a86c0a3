"""Looks for names that look the same and have two keys: every letter and short cluster, drawn.

    python -m benchmarks.renderings [FONT...]

Draws with Debian's Noto fonts (fonts-noto-core, fonts-noto-cjk), shaped by HarfBuzz, what the rules
let into a name: each character by itself, and where a script has marks, a letter with one of them
and with two. Says which drawings are the same, pixel by pixel, though their keys differ.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from dibs.names.canonical import normalise
from dibs.names.skeleton import key_of
from dibs.names.tables import character

FONTS = Path("/usr/share/fonts")
SIZE = 40
LEFT, WIDTH, HEIGHT = 60, 240, 160
"""Of a picture, in pixels: marks may stand left of their letter."""


def usable(font: Path, number: int) -> dict[str, list[str]]:
    """The characters of a font that a name may have, by script."""
    found: dict[str, list[str]] = defaultdict(list)
    for point in sorted(TTFont(font, fontNumber=number, lazy=True).getBestCmap()):
        char = chr(point)
        known = character(char)
        if known.kind == "ok" and normalise(char) == char:
            found[known.script].append(char)
    return found


def clusters(chars: Iterable[str]) -> Iterator[str]:
    """Each letter; and the first letter with a mark and with two of them, in either order."""
    marks = [char for char in chars if character(char).mark]
    letters = [char for char in chars if not character(char).mark and character(char).zero is None]
    yield from letters
    if marks and letters and len(marks) < 80:
        for base in letters[:: max(1, len(letters) // 3)][:3]:
            yield from (base + mark for mark in marks)
            yield from (base + one + other for one, other in product(marks, marks) if one != other)


def drawn(text: str, font: ImageFont.FreeTypeFont) -> bytes:
    """The picture of a text; empty if there is nothing to see."""
    picture = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(picture).text((LEFT, HEIGHT // 2), text, fill=255, font=font, anchor="ls")
    return picture.tobytes() if picture.getbbox() else b""


def twins(path: Path, number: int = 0) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The scripts of a font, with texts that look the same and have several keys."""
    font = ImageFont.truetype(str(path), SIZE, index=number, layout_engine=ImageFont.Layout.RAQM)
    for script, chars in usable(path, number).items():
        if script in ("Common", "Inherited"):
            continue
        seen: dict[bytes, dict[str, str]] = defaultdict(dict)
        for text in clusters(chars):
            canonical = normalise(text)
            if picture := drawn(text, font):
                seen[picture].setdefault(key_of(canonical), text)
        yield from ((script, tuple(one.values())) for one in seen.values() if len(one) > 1)


def main() -> None:
    paths = [Path(one) for one in sys.argv[1:]] or sorted(FONTS.rglob("Noto*-Regular.tt?"))
    for path in paths:
        for script, texts in twins(path):
            print(
                path.stem,
                script,
                *(f"{text} ({' '.join(f'{ord(c):04X}' for c in text)})" for text in texts),
                sep="\t",
            )


if __name__ == "__main__":
    main()
