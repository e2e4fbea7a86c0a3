"""Looks for names that look the same and have two keys: every letter and short cluster, drawn.

    python -m benchmarks.renderings [FONT[#NUMBER]...]

Draws with Debian's Noto fonts (fonts-noto-core, fonts-noto-cjk), shaped by HarfBuzz, what the rules
let into a name: each character by itself, every two of a small script, a letter with a mark and
with two, and one below another. Says which drawings are the same, pixel by pixel, though their
keys differ. Han, kana, Bopomofo and Hangul are one script here, as one name may have them all; of
these it also says what nearly covers a kana or a Bopomofo letter.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import product
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from dibs.names.canonical import normalise
from dibs.names.skeleton import key_of
from dibs.names.tables import character, table

FONTS = Path("/usr/share/fonts")
SIZE = 40
LEFT, WIDTH, HEIGHT = 60, 240, 160
"""Of a picture, in pixels: marks may stand left of their letter."""

MOST = 60_000
"""Clusters of one sort that are drawn of a script."""

EAST = {"Han", "Hiragana", "Katakana", "Bopomofo", "Hangul"}
SMALL = EAST - {"Han", "Hangul"}
SIDE, REACH = 48, 1
"""Pixels of a square in which letters are laid over each other, and by which lines may differ."""

CHUNK = 4096
APART = 0.05
"""The share of its ink that may lie outside of the other letter's."""

Font = ImageFont.FreeTypeFont


def usable(font: Path, number: int) -> dict[str, list[str]]:
    """The characters of a font that a name may have, by script."""
    found: dict[str, list[str]] = defaultdict(list)
    for point in sorted(TTFont(font, fontNumber=number, lazy=True).getBestCmap()):
        char = chr(point)
        known = character(char)
        if known.kind == "ok" and normalise(char) == char:
            found["East" if known.script in EAST or char == "\u30fc" else known.script].append(char)
    return found


def clusters(chars: Sequence[str]) -> Iterator[str]:
    """Each letter; two of them; with a mark, or two in either order; one below another."""
    marks = [char for char in chars if character(char).mark]
    letters = [char for char in chars if not character(char).mark and character(char).zero is None]
    yield from letters
    few = letters[:: max(1, len(letters) // 3)][:3]
    sorts: list[tuple[Sequence[str], ...]] = [(letters, letters), (letters, marks)]
    sorts += [(few, marks, marks), (letters, [*table().stackers & {*chars}], letters)]
    for sort in sorts:
        if np.prod([len(one) for one in sort]) <= MOST:
            yield from map("".join, product(*sort))


def drawn(text: str, font: Font) -> bytes:
    """What tells the picture of a text from others; empty if there is nothing to see."""
    picture = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(picture).text((LEFT, HEIGHT // 2), text, fill=255, font=font, anchor="ls")
    box = picture.getbbox()
    if not box:
        return b""
    seen = picture.crop((box[0], 0, box[2], HEIGHT))
    return sha256(seen.tobytes() + seen.width.to_bytes(2)).digest()


def twins(chars: Sequence[str], font: Font) -> Iterator[tuple[str, ...]]:
    """Texts of these characters that look the same and have several keys."""
    seen: dict[bytes, dict[str, str]] = defaultdict(dict)
    for text in clusters(chars):
        canonical = normalise(text)
        if picture := drawn(text, font):
            seen[picture].setdefault(key_of(canonical), text)
    yield from (tuple(one.values()) for one in seen.values() if len(one) > 1)


def laid(chars: Sequence[str], font: Font) -> tuple[np.ndarray, np.ndarray]:
    """Where each letter has ink, where it stands in a text; and the same with wider lines."""
    pictures = [Image.new("L", (SIDE, SIDE)) for _ in chars]
    for char, picture in zip(chars, pictures, strict=True):
        ImageDraw.Draw(picture).text((4, SIDE - 8), char, fill=255, font=font, anchor="ls")
    wide = [picture.filter(ImageFilter.MaxFilter(2 * REACH + 1)) for picture in pictures]
    ink, more = (np.array([*map(np.asarray, those)]) > 127 for those in (pictures, wide))
    return tuple(one.reshape(len(chars), -1).astype(np.float32) for one in (ink, more))


def near(chars: Sequence[str], font: Font) -> Iterator[tuple[str, str]]:
    """Small letters, each with what nearly covers it and is covered by it, and has another key."""
    small = [char for char in chars if character(char).script in SMALL or char == "\u30fc"]
    ink, wide = laid(small, font)
    for begin in range(0, len(chars), CHUNK):
        others = [one for one in chars[begin : begin + CHUNK] if character(one).script != "Hangul"]
        if not others:
            continue
        theirs, wider = laid(others, font)
        outside = 1 - wider @ ink.T / np.maximum(ink.sum(1), 1)
        beyond = 1 - (theirs @ wide.T) / np.maximum(theirs.sum(1), 1)[:, None]
        for at, which in np.argwhere((outside <= APART) & (beyond <= APART)):
            if key_of(others[at]) != key_of(small[which]):
                yield small[which], others[at]


def found(name: str) -> Iterator[tuple[str, Iterable[str]]]:
    """The scripts of a file of fonts, or of one font in it, with what looks the same there."""
    path, _, one = name.partition("#")
    # Japan, Korea and China draw characters each in their own way.
    for number in [int(one)] if one else range(4) if path.endswith(".ttc") else [0]:
        for script, chars in usable(Path(path), number).items():
            if script in ("Common", "Inherited"):
                continue
            raqm = ImageFont.Layout.RAQM
            font = ImageFont.truetype(path, SIZE, index=number, layout_engine=raqm)
            yield from ((script, one) for one in twins(chars, font))
            if script == "East":
                yield from ((f"{script}, nearly", one) for one in near(chars, font))


def main() -> None:
    paths = sys.argv[1:] or sorted(map(str, FONTS.rglob("Noto*-Regular.tt?")))
    told: set[tuple[str, ...]] = set()
    for path in paths:
        for script, texts in found(path):
            if (one := tuple(sorted(texts))) not in told:
                told.add(one)
                shown = (f"{text} ({' '.join(f'{ord(c):04X}' for c in text)})" for text in texts)
                print(Path(path).stem, script, *shown, sep="\t", flush=True)


if __name__ == "__main__":
    main()
