"""The policy: what may differ from one service to another, as data."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dibs.errors import Reason
from dibs.names.canonical import normalise
from dibs.names.skeleton import MAX_KEY_BYTES, ODD_ASCII

LABEL = 63
"""Most characters of a label of the DNS (RFC 1035, 2.3.4)."""

SUFFIXES = (
    ".asp", ".aspx", ".atom", ".bmp", ".bz2", ".cgi", ".cmd", ".css", ".csv", ".exe",
    ".gif", ".git", ".gz", ".htm", ".html", ".ico", ".jpeg", ".jpg", ".js", ".json", ".jsp",
    ".mjs", ".pdf", ".phar", ".php", ".phtml", ".png", ".rss",
    ".svg", ".tgz", ".txt", ".wasm", ".webp", ".xml", ".xz", ".yaml", ".yml", ".zip",
)  # fmt: skip
"""Endings that a web server or a browser takes for a format: /ada.json would be their data.

None is a word or a surname: Sam.Lock and Alicia.Keys are people.
"""


# Two policies are compared by identity, which makes one a cheap key of the cache.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NamePolicy:
    """What a new username may look like. Existing ones stay valid: see `parse_existing`.

    Attributes:
        min_length: Fewest characters, in graphemes (UAX #29), of the canonical form. A letter
            of an alphabet counts one; others say more and count two, and one more for each
            sign written on them.
        max_length: Most characters, in graphemes, of display and canonical form.
        max_code_points: Most code points of either form. Four for each grapheme, which
            Devanagari and decomposed Vietnamese stay below, and stacks of marks do not.
        max_bytes: Most bytes of either form in UTF-8; sizes the database's columns.
        max_marks: Most combining marks after one letter (UTS #39, 5.4).
        separators: ASCII punctuation allowed between letters and numbers.
        suffixes: Endings of file names that no username may have, in small letters.
        numeric: Whether a username may be only a number, like an id or a telephone number.
        dns_labels: Whether a username must be a label of the DNS, so that `ada` can have
            `ada.example.com`: letters of ASCII, numbers and single hyphens between them.
        extra_rules: Rules of the host, asked after ours. Each takes the display form, the
            canonical form and the policy, and yields a `Reason` for what it finds wrong;
            they are asked every time, so they may look at what changes.
        has_plain: Whether some names need not be asked by the rules; see `is_plain`.

    Raises:
        ValueError: The limits contradict each other, a separator is not ASCII punctuation or is
            `@`, no label of the DNS could be as they allow, a suffix could never match or always
            would, or a rule is no function.
    """

    min_length: int = 3
    max_length: int = 30
    max_code_points: int = 120
    max_bytes: int = 480
    max_marks: int = 4
    separators: str = "._-"
    suffixes: tuple[str, ...] = SUFFIXES
    numeric: bool = False
    dns_labels: bool = False
    extra_rules: tuple[Rule, ...] = ()
    _plain: Callable[[str], object] = field(init=False, repr=False)
    _longest: int = field(init=False, repr=False)
    has_plain: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        limits = (1, self.min_length, self.max_length, self.max_code_points, self.max_bytes)
        if list(limits) != sorted(limits):
            raise ValueError(
                "limits must grow: 1, min_length, max_length, max_code_points, max_bytes"
            )
        if self.max_bytes > MAX_KEY_BYTES:
            raise ValueError(f"max_bytes must be at most {MAX_KEY_BYTES}, the database's limit")
        if not set(self.separators) <= set(string.punctuation) - {"@"}:
            raise ValueError("separators must be ASCII punctuation other than @")
        if self.dns_labels and (self.separators not in ("", "-") or self.max_length > LABEL):
            raise ValueError(
                f"a DNS label must have no separator but -, nor more than {LABEL} characters"
            )
        self._check_suffixes()
        if type(self.extra_rules) is not tuple or not all(map(callable, self.extra_rules)):
            raise ValueError("extra_rules must be a tuple of functions")
        # Nearly every ASCII name is answered by these alone.
        object.__setattr__(self, "_plain", _plain(self.separators, numeric=self.numeric))
        object.__setattr__(self, "_longest", max(map(len, self.suffixes), default=1))
        # An ending without a point could end any name: then the rules are always asked.
        has_plain = all(ending.startswith(".") for ending in self.suffixes)
        object.__setattr__(self, "has_plain", has_plain)

    def _check_suffixes(self) -> None:
        # A list fails at the first name that is asked, a capital matches none, "" matches all.
        endings = self.suffixes
        if type(endings) is not tuple or not all(
            type(ending) is str and ending and normalise(ending) == ending for ending in endings
        ):
            raise ValueError(
                "suffixes must be a tuple of endings in small letters, none of them empty"
            )

    def is_plain(self, text: str) -> bool:
        """Tell whether `text` is ASCII and breaks no rule of ours, without asking the rules.

        Most names are; for them the canonical form is the lower case and
        PRECIS, five times as slow at the least, has nothing to add (RFC 8264, 9.11).
        """
        if not self.has_plain:
            return False
        if text.isalnum() and text.isascii():
            if text.isdigit() and not self.numeric:
                return False
            return self.min_length <= len(text) <= self.max_length
        if self._plain(text) is None or not self.min_length <= len(text) <= self.max_length:
            return False
        return "." not in text[-self._longest :] or not text.lower().endswith(self.suffixes)


Rule = Callable[[str, str, NamePolicy], Iterator[Reason]]


def _plain(separators: str, *, numeric: bool) -> Callable[[str], object]:
    """Return what tells whether an ASCII text is letters, digits and single separators."""
    # A separator that looks like something else is left to the rules.
    signs = re.escape("".join(set(separators) - ODD_ASCII))
    inner = f"(?:[{signs}][A-Za-z0-9]+)*" if signs else ""
    letter = "" if numeric else "(?=[^A-Za-z]*[A-Za-z])"
    return re.compile(rf"{letter}[A-Za-z0-9]+{inner}").fullmatch


DEFAULT_POLICY = NamePolicy()
