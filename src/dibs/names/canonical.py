"""The canonical form: the one spelling of a name that rules are checked on.

Two names are one name when their keys are equal, so everything that decides
a key is here, in `skeleton` and in `tables`, and carries one version number.
"""

from __future__ import annotations

import unicodedata

from dibs.names.tables import character

MAX_ROUNDS = 3

JOINERS = dict.fromkeys((0x200C, 0x200D))
"""The zero-width non-joiner and joiner, which names are spelt with and without."""


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
    if text.isascii():  # which NFKC leaves alone, and whose full case folding is its lower case
        return text.lower(), True
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
    char, before, after = canonical[at], canonical[at - 1 : at], canonical[at + 1 : at + 2]
    match char:
        case "\u00b7":
            # RFC 5892, A.3 knows it between two l only; but China writes the names of its Uyghurs,
            # Kazakhs and Tibetans with this very dot, as the RFC lets Japan do with U+30FB.
            return before == after == "l" or _script(before) == _script(after) == "Han"
        case "\u05f3" | "\u05f4":  # A.5, A.6
            return _script(before) == "Hebrew"
        case "\u30fb":  # A.7
            return any(_script(other) in ("Hiragana", "Katakana", "Han") for other in canonical)
    return False  # A.1 and A.2, the joiners, have a rule; nobody writes the numeral of A.4


def _script(char: str) -> str:
    return character(char).script if char else ""


# RFC 5893, section 2, rules 5 and 6: what a name that reads from left to right may hold, and end
# with; and rules 2 and 3, the same from right to left.
_LTR, _LTR_END = {"L", "EN", "ES", "CS", "ET", "ON", "BN", "NSM"}, {"L", "EN"}
_RTL, _RTL_END = (_LTR | {"R", "AL", "AN"}) - {"L"}, {"R", "AL", "EN", "AN"}
_RIGHT_TO_LEFT = {"R", "AL", "AN"}


def keeps_bidi_rule(canonical: str) -> bool:
    """Tell whether a name in a right-to-left script reads in one order only.

    The rule is RFC 5893, section 2; as RFC 8265, 3.3 says, it is applied to
    names that hold a right-to-left character and to no others.
    """
    if canonical.isascii():
        return True
    classes = [character(char).bidi for char in canonical]
    found = set(classes)
    if _RIGHT_TO_LEFT.isdisjoint(found):
        return True
    end = next((one for one in reversed(classes) if one != "NSM"), "")
    if classes[0] in ("R", "AL"):
        return found <= _RTL and end in _RTL_END and not found >= {"EN", "AN"}  # 4
    return classes[0] == "L" and found <= _LTR and end in _LTR_END
