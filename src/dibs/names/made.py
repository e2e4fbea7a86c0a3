"""Usernames made of other texts: of a full name, an e-mail address, or what a directory says."""

from __future__ import annotations

import unicodedata

from dibs.errors import InvalidName
from dibs.names.graphemes import graphemes
from dibs.names.policy import NamePolicy
from dibs.names.username import Parser, Username


def made_of(text: str, parser: Parser) -> Username | None:
    """A username that is near this text: `Ada.Lovelace` of `Ada Lovelace`, `ada` of an address.

    Args:
        text: Whatever somebody is called elsewhere.
        parser: The rules that the username keeps.

    Returns:
        None if the text leaves nothing that could be one.
    """
    try:
        return parser.parse(_near(text, parser.policy))
    except InvalidName:
        return None


def _near(text: str, policy: NamePolicy) -> str:
    # `CORP\ada` and `ada+news@example.org`: what is the person's is in between.
    kept = text.rpartition("\\")[2].strip()
    if "@" in kept.strip("@"):
        kept = kept.rpartition("@")[0].partition("+")[0]
    words = "".join(_kept(char, policy) for char in unicodedata.normalize("NFKC", kept)).split()
    joined = policy.separators[:1].join(words)
    short = "".join(graphemes(joined)[: policy.max_length])
    return short.strip(policy.separators)


def _kept(char: str, policy: NamePolicy) -> str:
    """A letter, a mark, a number or a separator as it is; nothing of O'Neil's apostrophe."""
    if char in f"{policy.separators}\u200c\u200d" or unicodedata.category(char)[0] in "LMN":
        return char
    return "" if char in "'\u2019\u02bc`" else " "
