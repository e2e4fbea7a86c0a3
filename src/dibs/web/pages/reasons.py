"""Why names were refused, in a few words each: the sentences are for who was refused one."""

from __future__ import annotations

from dibs.web.words import say

WORDS = {
    "taken": "Somebody has it",
    "lookalike": "Looks like one that somebody has",
    "held": "Somebody is signing up with it",
    "quarantined": "Given up, not free yet",
    "reserved": "Kept back",
    "empty": "Nothing was typed",
    "too_short": "Too short",
    "too_long": "Too long",
    "white_space": "White space in it",
    "control": "A character that cannot be seen",
    "at_sign": "An @ in it",
    "character": "A sign that names do not have",
    "too_new": "A character that is too new",
    "unusual": "A letter that nobody writes today",
    "marks": "Too many marks on one letter",
    "separator_at_end": "A separator first or last",
    "separator_doubled": "Two separators in a row",
    "suffix": "Ends like a file name",
    "numeric_only": "Only a number",
    "mixed_scripts": "Mixed scripts",
    "mixed_digits": "Mixed kinds of digits",
    "capitals": "Capitals like Latin letters",
    "bidi": "Mixed directions of writing",
    "unstable": "No settled spelling",
    "encoding": "Not UTF-8",
}
"""By the reason's code."""

MESSAGES = tuple(WORDS.values())


def words(code: str) -> str:
    """The reason in the reader's language; empty for one of an app's own rules."""
    return say(WORDS[code]) if code in WORDS else ""
