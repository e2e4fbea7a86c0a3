"""The canonical form: the one spelling of a name that rules are checked on.

Two names are one name when their keys are equal, so everything that decides
a key is here, in `skeleton` and in `tables`, and carries one version number.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, cast

from dibs.names.tables import character

if TYPE_CHECKING:
    from precis_i18n.unicode import UnicodeData

MAX_ROUNDS = 3


def normalise(text: str) -> str:
    """Fold away the differences between spellings of one name.

    Compatibility forms become plain ones (NFKC, UAX #15) and case is folded in
    full (Unicode 3.13, D146), which PRECIS alone does not do: `straße` and
    `STRASSE` are one name, and so are a final and a medial sigma.

    Case folding can undo normalisation and the other way round, so both are
    repeated until nothing changes, at most three times; ask `is_settled`
    whether that was enough.
    """
    return settle(text)[0]


def settle(text: str) -> tuple[str, bool]:
    """Return the canonical form, and whether a further pass would leave it as it is."""
    for _ in range(MAX_ROUNDS):
        before, text = text, _one_round(text)
        if before == text:
            return text, True
    return text, is_settled(text)


def is_settled(text: str) -> bool:
    """Tell whether a further pass would leave `text` as it is."""
    return _one_round(text) == text


def _one_round(text: str) -> str:
    # Decomposed before it is folded, for the sake of U+0345: folding `ᾼ͂` composed puts its
    # accent on the iota, and the title case of `ᾷ` gets another key (Unicode 3.13, D145).
    compatible = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text))
    return unicodedata.normalize("NFKC", compatible.casefold())


def too_new(text: str) -> list[str]:
    """Return the characters that Unicode 14.0 does not have.

    A younger Python would normalise and fold them otherwise than an older one
    (U+1CCD6 becomes a plain `a` from Python 3.14 on), and one name would have two keys.
    """
    return [char for char in text if char > "\x7f" and character(char).kind == "new"]


class _Facts:
    """Answers what precis_i18n asks of a character, from our table instead of Python's."""

    @staticmethod
    def bidirectional(char: str) -> str:
        return character(char).bidi

    @staticmethod
    def arabic_indic(point: int) -> bool:
        return character(chr(point)).zero == 0x660

    @staticmethod
    def extended_arabic_indic(point: int) -> bool:
        return character(chr(point)).zero == 0x6F0

    @staticmethod
    def greek_script(point: int) -> bool:
        return character(chr(point)).script == "Greek"

    @staticmethod
    def hebrew_script(point: int) -> bool:
        return character(chr(point)).script == "Hebrew"

    @staticmethod
    def hiragana_katakana_han_script(point: int) -> bool:
        return character(chr(point)).script in ("Hiragana", "Katakana", "Han")


_FACTS = cast("UnicodeData", _Facts())


def refused_by_precis(canonical: str) -> set[str]:
    """Return the non-ASCII characters that may not stand where they stand.

    These are the ones outside the IdentifierClass (RFC 8264, 4.2) and those
    whose context rule fails (RFC 5892, appendix A). The characters are asked
    one by one, not through a profile: a profile stops at the first bad one,
    and UsernameCaseMapped would lower what case folding has just folded to
    upper case (Cherokee), and then call the name unstable.
    """
    return {
        char
        for at, char in enumerate(canonical)
        if char > "\x7f" and not _is_valid_at(canonical, at)
    }


def _is_valid_at(canonical: str, at: int) -> bool:
    kind = character(canonical[at]).kind
    if kind != "context":
        return kind != "refused"  # `unusual` and `new` ones have rules of their own
    if canonical[at] == "\u00b7" and _is_between_han(canonical, at):
        return True
    # Loaded here because an ASCII name never needs it.
    from precis_i18n.context import context_rule_error

    return not context_rule_error(canonical, at, _FACTS)


def _is_between_han(canonical: str, at: int) -> bool:
    """Tell whether a middle dot joins the parts of a name in Chinese.

    RFC 5892, A.3 knows it between two l only; but China writes the names of its Uyghurs,
    Kazakhs and Tibetans with this very dot, as the RFC lets Japan do with U+30FB.
    """
    sides = canonical[at - 1 : at] + canonical[at + 1 : at + 2]
    return len(sides) == 2 and all(character(char).script == "Han" for char in sides)


def keeps_bidi_rule(canonical: str) -> bool:
    """Tell whether a name in a right-to-left script reads in one order only.

    The rule is RFC 5893, section 2; as RFC 8265, 3.3 says, it is applied to
    names that hold a right-to-left character and to no others.
    """
    if canonical.isascii():
        return True
    from precis_i18n.bidi import bidi_rule, has_rtl

    return not has_rtl(canonical, _FACTS) or bidi_rule(canonical, _FACTS)
