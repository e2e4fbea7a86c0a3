"""The names that nobody may have, read from `data/reserved.txt`."""

from __future__ import annotations

from importlib import resources

from dibs.names.canonical import key_of, normalise


def load() -> frozenset[str]:
    """Return the keys of the built-in reserved names.

    They are kept as keys, not as words, so that no other spelling of a
    reserved name slips through.
    """
    text = resources.files("dibs.names").joinpath("data/reserved.txt").read_text("utf-8")
    lines = (line.partition("#")[0] for line in text.splitlines())
    return frozenset(key_of(normalise(word)) for line in lines for word in line.split())


RESERVED_KEYS = load()
