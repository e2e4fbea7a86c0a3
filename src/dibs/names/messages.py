"""What a `Reason` about a name can say: the rule, and how to mend the name.

Each sentence stands here once and is the key of its translations.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

from dibs.errors import EmptyName, NameReserved
from dibs.names.graphemes import hidden
from dibs.names.tables import table

NOT_TEXT = "%(field)s must be a string."
ENCODING = "A username must be valid UTF-8. Please type it again or save it as UTF-8."
TOO_SHORT = (
    "A username needs at least %(min)s characters, or %(dense)s in Chinese, Japanese, Korean,"
    " Arabic, Hebrew or an Indic script."
)
TOO_LONG = "A username can have at most %(max)s characters. Please shorten it."
TOO_BIG = (
    "A username can take up at most %(max_code_points)s code points and %(max_bytes)s bytes, "
    "and accents and joined signs count too. Please use fewer of them."
)
SPACES = "A username cannot contain spaces. Please remove them."
WHITE_SPACE = "A username cannot contain white space. Please remove %(characters)s."
CONTROL = "A username cannot contain invisible or control characters. Please remove %(characters)s."
TOO_NEW = (
    "A username cannot contain characters that Unicode %(unicode)s does not have. Please "
    "remove %(characters)s."
)
AT_SIGN = "A username cannot contain @. It is not your e-mail address."
CHARACTER = (
    "Only letters, numbers and %(separators)s can be used in a username. Please remove "
    '"%(characters)s".'
)
CHARACTER_NO_SEPARATORS = (
    'Only letters and numbers can be used in a username. Please remove "%(characters)s".'
)
NOT_IN_NAMES = (
    "%(characters)s cannot be used in a username. Please leave it out or write it with other "
    "letters or numbers."
)
UNUSUAL = (
    "A username can only contain characters in common use today. Please replace %(characters)s."
)
UNUSUAL_MARK = "A username is written without %(characters)s. Please leave it out."
MISLEADING = (
    "In a username, a letter must look like the letter it stands for. Please write %(plain)s "
    "instead of %(characters)s."
)
LOOSE_MARK = (
    "In a username, a combining mark must follow a letter or number. Please remove "
    "%(characters)s or put a letter before it."
)
MARKS = (
    "In a username, a letter can have at most %(max)s combining marks, and no mark twice in a"
    " row. Please remove some of %(characters)s."
)
SEPARATOR_AT_END = (
    "A username cannot have %(separators)s at the beginning or end. "
    "Please put a letter or number there."
)
SEPARATOR_DOUBLED = "A username cannot have two of %(separators)s in a row. Please keep only one."
SUFFIX = "A username cannot end like a file name, in %(suffix)s. Please replace the dot."
NUMERIC_ONLY = "A username cannot be just a number. Please add a letter."
DNS_LABEL = (
    "Here a username becomes part of an internet address. Please write it with the letters a to z,"
    " numbers and hyphens."
)
MIXED_SCRIPTS = (
    "A username can use one script, or Latin letters together with Chinese, Japanese or "
    "Korean. Please do not mix %(scripts)s."
)
MIXED_DIGITS = "A username cannot mix two kinds of digits. Please use one kind."
CAPITALS = (
    "In capital letters, this username looks like %(latin)s in Latin letters. Please use "
    "lower case."
)
BIDI = (
    "A username with right-to-left letters must begin with a letter, end with a letter or "
    "number, and not mix directions or kinds of digits. Please write it in one direction."
)
UNSTABLE = "This username has no single fixed spelling. Please use simpler letters."
RESERVED = NameReserved.message

MESSAGES: tuple[str, ...] = (
    EmptyName.message,
    *(said for name, said in tuple(vars().items()) if name.isupper()),
)
"""Every message a `Reason` about a name can have, for the translators."""

MAX_SHOWN = 5


def show(characters: Collection[str]) -> str:
    """List characters, at most five: one that is seen by itself, one that is not by its name."""
    shown = list(map(_shown, list(dict.fromkeys(characters))[: MAX_SHOWN + 1]))
    return " ".join(shown[:MAX_SHOWN] + ["..."] * (len(shown) > MAX_SHOWN))


def _shown(char: str) -> str:
    if "!" <= char <= "~":
        return char
    code, category = f"U+{ord(char):04X}", unicodedata.category(char)
    if category[0] not in "LMNPS" or hidden(char) or char == "\u2800":
        name = unicodedata.name(char, "")
        return f"{name} ({code})" if name else code
    seen = f"\u25cc{char}" if category[0] == "M" else char
    # Of a hyphen that looks like the one that is allowed it is said which it is.
    alike = table().prototypes.get(ord(char), "")
    return f"{seen} ({code})" if _is_usual(alike) else seen


def _is_usual(text: str) -> bool:
    return text.isascii() and (text.isalnum() or text in {".", "_", "-"})
