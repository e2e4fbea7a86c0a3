"""The canonical form: the one spelling of a name that rules are checked on.

Two names are one name when their keys are equal, so everything that decides
a key is here and carries one version number.
"""

from __future__ import annotations

import unicodedata

from precis_i18n.bidi import bidi_rule, has_rtl
from precis_i18n.context import context_rule_error
from precis_i18n.derived import CONTEXTJ, CONTEXTO, PVALID, derived_property
from precis_i18n.unicode import UnicodeData

RULES_VERSION = 1
"""Grows whenever one name could get another key, or a valid name becomes invalid."""

MAX_ROUNDS = 3

# Python's own Unicode data for now. Characters younger than the oldest supported Python's
# Unicode (3.11: 14.0) are to be refused, and tables of one stated version to be read instead,
# when the tables for the skeleton are generated; this is the one place to hand them in.
_UNICODE = UnicodeData()


def normalise(text: str) -> str:
    """Fold away the differences between spellings of one name.

    Compatibility forms become plain ones (NFKC, UAX #15) and case is folded in
    full (Unicode 3.13, D146), which PRECIS alone does not do: `straße` and
    `STRASSE` are one name, and so are a final and a medial sigma.

    Case folding can undo normalisation and the other way round, so both are
    repeated until nothing changes, at most three times; ask `is_settled`
    whether that was enough.
    """
    for _ in range(MAX_ROUNDS):
        before, text = text, _one_round(text)
        if before == text:
            break
    return text


def is_settled(text: str) -> bool:
    """Tell whether a further pass would leave `text` as it is."""
    return _one_round(text) == text


def _one_round(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)


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
    derived, _ = derived_property(ord(canonical[at]), _UNICODE)
    if derived in (CONTEXTJ, CONTEXTO):
        return not context_rule_error(canonical, at, _UNICODE)
    return derived == PVALID


def keeps_bidi_rule(canonical: str) -> bool:
    """Tell whether a name in a right-to-left script reads in one order only.

    The rule is RFC 5893, section 2; as RFC 8265, 3.3 says, it is applied to
    names that hold a right-to-left character and to no others.
    """
    return not has_rtl(canonical, _UNICODE) or bidi_rule(canonical, _UNICODE)


def key_of(canonical: str) -> str:
    """Return what the database makes unique.

    Today this is the canonical form. The place is kept for its UTS #39
    skeleton, under which names that look alike get one key.
    """
    return canonical
