"""What a username may look like: limits as data, and every rule as a small function.

A rule takes the display form, the canonical form and the policy, and yields a
`Reason` for what it finds wrong. Every message stands here once, says the rule
and how to mend the name, and is the key of its translations.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from unicodedata import category

import regex

from dibs.errors import EmptyName, Reason
from dibs.names.canonical import is_settled, keeps_bidi_rule, normalise, refused_by_precis

ENCODING = "A username must be valid UTF-8: please type it again or save it as UTF-8."
TOO_SHORT = "A username needs at least %(min)s characters: please make it longer."
TOO_LONG = "A username can have at most %(max)s characters: please shorten it."
TOO_BIG = (
    "A username can take up at most %(max_code_points)s code points and %(max_bytes)s bytes, "
    "every accent and joined sign counted: please use fewer of them."
)
WHITE_SPACE = "A username cannot contain white space: please remove %(characters)s from it."
CONTROL = (
    "A username cannot contain invisible or control characters: "
    "please remove %(characters)s from it."
)
AT_SIGN = "A username cannot contain @, so that it is no email address: please leave it out."
CHARACTER = (
    "A username can contain letters, numbers and %(separators)s: "
    "please remove %(characters)s from it."
)
CHARACTER_NO_SEPARATORS = (
    "A username can contain letters and numbers only: please remove %(characters)s from it."
)
LOOSE_MARK = (
    "In a username a combining mark must follow a letter or a number: "
    "please remove %(characters)s or put a letter before it."
)
SEPARATOR_AT_END = (
    "A username cannot begin or end with %(separators)s: please put a letter or a number there."
)
BIDI = (
    "A username with right-to-left letters must begin with a letter, end with a letter or a "
    "number, and mix neither two directions nor two kinds of digits: "
    "please write it in one direction."
)
UNSTABLE = "A username must have one settled spelling: please use plainer letters."
RESERVED = "This username is reserved: please choose another one."

MESSAGES = (
    EmptyName.message, ENCODING, TOO_SHORT, TOO_LONG, TOO_BIG, WHITE_SPACE, CONTROL, AT_SIGN,
    CHARACTER, CHARACTER_NO_SEPARATORS, LOOSE_MARK, SEPARATOR_AT_END, BIDI, UNSTABLE, RESERVED,
)  # fmt: skip
"""Every message a `Reason` about a name can have, for the translators."""

MAX_SHOWN = 5
_graphemes = regex.compile(r"\X").findall
# Cc holds NUL, CR and LF, Cs the lone surrogates; the zero-width characters, the bidi controls
# and the fillers that look like nothing are default-ignorable (Unicode 5.21).
_hidden = regex.compile(r"[\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}]").findall


@dataclass(frozen=True, slots=True, kw_only=True)
class NamePolicy:
    """The limits of a username.

    Attributes:
        min_length: Fewest characters, in graphemes (UAX #29), of the canonical form.
        max_length: Most characters, in graphemes, of display and canonical form.
        max_code_points: Most code points of either form. Four for each grapheme, which
            Devanagari and decomposed Vietnamese stay below, and stacks of marks do not.
        max_bytes: Most bytes of either form in UTF-8; sizes the database's columns.
        separators: ASCII punctuation allowed between letters and numbers.

    Raises:
        ValueError: The limits contradict each other, or a separator is not
            ASCII punctuation, or it is `@`.
    """

    min_length: int = 3
    max_length: int = 30
    max_code_points: int = 120
    max_bytes: int = 480
    separators: str = "._-"

    def __post_init__(self) -> None:
        limits = (1, self.min_length, self.max_length, self.max_code_points, self.max_bytes)
        if list(limits) != sorted(limits):
            raise ValueError(
                "limits must grow: 1, min_length, max_length, max_code_points, max_bytes"
            )
        if not set(self.separators) <= set(string.punctuation) - {"@"}:
            raise ValueError("separators must be ASCII punctuation other than @")

    def is_plain(self, text: str) -> bool:
        """Tell whether `text` is ASCII and breaks no rule, without asking the rules.

        Most names are; for them the canonical form is the lower case and
        PRECIS, five times as slow at the least, has nothing to add (RFC 8264, 9.11).
        """
        if not self.min_length <= len(text) <= self.max_length:
            return False
        return _plain(self.separators)(text) is not None


DEFAULT_POLICY = NamePolicy()


@lru_cache(maxsize=16)
def _plain(separators: str) -> Callable[[str], re.Match[str] | None]:
    inner = re.escape(separators)
    return re.compile(rf"[A-Za-z0-9](?:[A-Za-z0-9{inner}]*[A-Za-z0-9])?").fullmatch


def count(text: str) -> int:
    """Count the characters a reader sees (extended grapheme clusters, UAX #29)."""
    return len(text) if text.isascii() else len(_graphemes(text))


def show(characters: Collection[str]) -> str:
    """List characters in printable ASCII, at most five: `! U+200B`."""
    shown = [
        char if "!" <= char <= "~" else f"U+{ord(char):04X}"
        for char in list(dict.fromkeys(characters))[: MAX_SHOWN + 1]
    ]
    return " ".join(shown[:MAX_SHOWN] + ["..."] * (len(shown) > MAX_SHOWN))


# --- the rules ---------------------------------------------------------------

Rule = Callable[[str, str, NamePolicy], Iterator[Reason]]


def too_long(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """Neither form is longer than the policy allows.

    Only the head of a form is counted, so a megabyte costs what a name costs.
    """
    heads = [form[: policy.max_code_points + 1] for form in (display, canonical)]
    if any(count(head) > policy.max_length for head in heads):
        yield Reason("too_long", TOO_LONG, {"max": policy.max_length})
    elif any(
        len(head) > policy.max_code_points
        or len(head.encode("utf-8", "surrogatepass")) > policy.max_bytes
        for head in heads
    ):
        limits = {"max_code_points": policy.max_code_points, "max_bytes": policy.max_bytes}
        yield Reason("too_long", TOO_BIG, limits)


def too_short(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """The canonical form, which all spellings share, has enough characters."""
    if count(canonical) < policy.min_length:
        yield Reason("too_short", TOO_SHORT, {"min": policy.min_length})


def white_space(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """No white space anywhere; it is refused, not stripped, so that nobody is surprised."""
    if found := [char for char in display if char.isspace()]:
        yield Reason("white_space", WHITE_SPACE, {"characters": show(found)})


def control(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """No character that cannot be seen, turns the text around, or is half of one."""
    if found := _hidden(display):
        yield Reason("control", CONTROL, {"characters": show(found)})


def at_sign(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """No `@`: a login form must be able to tell a name from an email address."""
    if "@" in canonical:
        yield Reason("at_sign", AT_SIGN)


def character(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """Only letters, marks, decimal numbers (PRECIS, RFC 8264) and the separators."""
    allowed = {*string.ascii_letters, *string.digits, *policy.separators}
    ascii_refused = {char for char in canonical if char <= "\x7f" and char not in allowed}
    refused = ascii_refused - {"@"} | refused_by_precis(canonical)
    if found := _as_written(display, refused):
        message = CHARACTER if policy.separators else CHARACTER_NO_SEPARATORS
        separators = " ".join(policy.separators)
        yield Reason("character", message, {"characters": show(found), "separators": separators})


def _as_written(display: str, refused: set[str]) -> list[str]:
    """Return the characters of `display` that became one of `refused`.

    The canonical form of the sign U+2100 holds a slash, which its writer would
    look for in vain. White space and hidden characters have their own rules.
    """
    if not refused:
        return []
    written = [char for char in display if not refused.isdisjoint(normalise(char))]
    return [char for char in written or sorted(refused) if not (char.isspace() or _hidden(char))]


def loose_mark(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """No mark without a letter, or it would sit on whatever is printed before the name."""
    # The first character follows "", which is in every string, so in the separators too.
    if found := [
        char
        for before, char in pairwise(("", *canonical))
        if before in policy.separators and category(char).startswith("M")
    ]:
        yield Reason("character", LOOSE_MARK, {"characters": show(found)})


def separator_at_end(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """A separator separates: `ada.` at the end of a sentence would not be told from `ada`."""
    if canonical[0] in policy.separators or canonical[-1] in policy.separators:
        separators = " ".join(policy.separators)
        yield Reason("separator_at_end", SEPARATOR_AT_END, {"separators": separators})


def bidi(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """A right-to-left name is read in one order by everybody (RFC 5893)."""
    if not keeps_bidi_rule(canonical):
        yield Reason("bidi", BIDI)


def unstable(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """A second pass over the canonical form changes nothing, or a name had two keys."""
    if not is_settled(canonical):
        yield Reason("unstable", UNSTABLE)


RULES: tuple[Rule, ...] = (
    too_short, too_long, white_space, control, at_sign, character, loose_mark, separator_at_end,
    bidi, unstable,
)  # fmt: skip


def broken_rules(display: str, canonical: str, policy: NamePolicy) -> tuple[Reason, ...]:
    """Return a reason for every rule that the name breaks, not only the first.

    Args:
        display: The name as it was written, not empty.
        canonical: Its canonical form, not empty.
        policy: The limits.
    """
    return tuple(reason for rule in RULES for reason in rule(display, canonical, policy))
