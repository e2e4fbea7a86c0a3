"""What a new username may look like: every rule as a small function.

A rule takes the display form, the canonical form and the policy, and yields a
`Reason` for what it finds wrong.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby, pairwise
from unicodedata import category, normalize

from dibs.errors import Reason
from dibs.names import messages
from dibs.names.canonical import (
    is_settled,
    keeps_bidi_rule,
    normalise,
    refused_by_precis,
)
from dibs.names.canonical import (
    too_new as young,
)
from dibs.names.graphemes import count, graphemes, hidden
from dibs.names.messages import show
from dibs.names.policy import NamePolicy, Rule
from dibs.names.reading import capitals, misleading
from dibs.names.screening import Suspicion, doubts
from dibs.names.scripts import is_dense, mixed_scripts, number_systems
from dibs.names.tables import OLDEST, character

# --- how long ----------------------------------------------------------------


def too_long(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """Neither form is longer than the policy allows.

    Only the head of a form is counted, so a megabyte costs what a name costs.
    """
    heads = [form[: policy.max_code_points + 1] for form in (display, canonical)]
    if any(count(head) > policy.max_length for head in heads):
        yield Reason("too_long", messages.TOO_LONG, {"max": policy.max_length})
    elif any(
        len(head) > policy.max_code_points
        or len(head.encode("utf-8", "surrogatepass")) > policy.max_bytes
        for head in heads
    ):
        yield too_big(policy)


def too_big(policy: NamePolicy) -> Reason:
    """Return the reason for a name that is short for the eye and long for the database."""
    limits = {"max_code_points": policy.max_code_points, "max_bytes": policy.max_bytes}
    return Reason("too_long", messages.TOO_BIG, limits)


def too_short(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """The canonical form, which all spellings share, has enough characters."""
    length = count(canonical)
    if length < policy.min_length and not canonical.isascii():
        # In a script without an alphabet even one sign can be a name: Khmer Ly, Hindi Mo.
        length = sum(1 + len(sign) if is_dense(sign[0]) else 1 for sign in graphemes(canonical))
    if length < policy.min_length:
        shortest = {"min": policy.min_length, "dense": -(-policy.min_length // 2)}
        yield Reason("too_short", messages.TOO_SHORT, shortest)


# --- which characters --------------------------------------------------------

# Where a joiner is seen and names need it: Persian and Urdu between two letters that would join; in
# India behind a virama that stays, in Hindi and Nepali for half a letter; Bengali before the
# hasanta of a ya-phala, Sinhala at an al-lakuna. Narrower than RFC 5892, A.1 and A.2, under which
# a Bengali ta and virama with a joiner is allowed and looks like another letter.
_JOINED = re.compile(
    "(?<=[\u0626\u0628\u062a-\u062e\u0633-\u063f\u0641-\u0647\u0649\u064a\u066e\u066f"
    "\u0678-\u0687\u069a-\u06bf\u06c1\u06c2\u06cc\u06ce\u06d0\u06d1\u06fa-\u06fc])\u200c"
    "(?=[\u0620-\u063f\u0641-\u064a\u066e-\u06d3\u06d5\u06fa-\u06fc])"
    "|(?<=[\u094d\u09cd\u0acd\u0b4d\u0c4d\u0ccd\u0d4d])\u200c(?=[\u0904-\u0d7f])"
    "|(?<=\u094d)\u200d(?=[\u0915-\u0939\u0958-\u095f])"
    "|(?<=[\u09b0\u09f0])\u200d(?=\u09cd\u09af)"
    "|(?<=\u0dca)\u200d(?=[\u0d9a-\u0dc6])|(?<=[\u0d9a-\u0dc6])\u200d(?=\u0dca)"
)


def white_space(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """No white space anywhere; it is refused, not stripped, so that nobody is surprised."""
    if set(found := [char for char in display if char.isspace()]) == {" "}:
        yield Reason("white_space", messages.SPACES)
    elif found:
        yield Reason("white_space", messages.WHITE_SPACE, {"characters": show(found)})


def control(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """No character that cannot be seen, turns the text around, or is half of one.

    But a joiner where it changes what is seen, and names are spelt with it.
    """
    if found := hidden(_JOINED.sub("", display)):
        yield Reason("control", messages.CONTROL, {"characters": show(found)})


def too_new(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """No character that some supported Python does not know, or a key would depend on it."""
    if found := young(display):
        yield Reason("too_new", messages.TOO_NEW, {"characters": show(found), "unicode": OLDEST})


def at_sign(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """No `@`: a login form must be able to tell a name from an email address."""
    if "@" in canonical:
        yield Reason("at_sign", messages.AT_SIGN)


def allowed_character(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """Only letters, marks, decimal numbers (PRECIS, RFC 8264) and the separators."""
    allowed = {*string.ascii_letters, *string.digits, *policy.separators}
    ascii_refused = {char for char in canonical if char <= "\x7f" and char not in allowed}
    refused = ascii_refused - {"@"} | refused_by_precis(canonical)
    found = _as_written(display, refused)
    if signs := [char for char in found if category(char)[0] not in "LMN"]:
        message = messages.CHARACTER if policy.separators else messages.CHARACTER_NO_SEPARATORS
        separators = " ".join(policy.separators)
        yield Reason("character", message, {"characters": show(signs), "separators": separators})
    if others := [char for char in found if char not in signs]:  # Only decimal numbers, say.
        yield Reason("character", messages.NOT_IN_NAMES, {"characters": show(others)})


def _as_written(display: str, refused: set[str]) -> list[str]:
    """Return the characters of `display` that became one of `refused`.

    The canonical form of the sign U+2100 holds a slash, which its writer would
    look for in vain. White space and hidden characters have their own rules.
    """
    if not refused:
        return []
    written = [char for char in display if not refused.isdisjoint(normalise(char))]
    return [char for char in written or sorted(refused) if not (char.isspace() or hidden(char))]


def unusual(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """No character that only scholars, or nobody, write (UTS #39, 3.1, with its rarer letters)."""
    found = {char for char in canonical if char > "\x7f" and character(char).kind == "unusual"}
    written = sorted(set(_as_written(display, found)))
    if points := [char for char in written if category(char)[0] == "M"]:
        yield Reason("unusual", messages.UNUSUAL_MARK, {"characters": show(points)})
    if others := [char for char in written if char not in points]:
        yield Reason("unusual", messages.UNUSUAL, {"characters": show(others)})


def loose_mark(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """No mark without a letter, or it would sit on whatever is printed before the name."""
    # The first character follows "", which is in every string, so in the separators too.
    if found := [
        char
        for before, char in pairwise(("", *canonical))
        if before in policy.separators and character(char).mark
    ]:
        yield Reason("character", messages.LOOSE_MARK, {"characters": show(found)})


def marks(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """No heap of marks, and none twice: the second of two cannot be seen (UTS #39, 5.4)."""
    if canonical.isascii():
        return
    text = normalize("NFD", canonical)  # or the first of two would be in its letter
    runs = ["".join(run) for mark, run in groupby(text, lambda c: character(c).mark) if mark]
    for run in runs:
        if len(run) > policy.max_marks or any(one == other for one, other in pairwise(run)):
            limits = {"max": policy.max_marks, "characters": show(run)}
            yield Reason("marks", messages.MARKS, limits)
            return


# --- how they stand together -------------------------------------------------

JOINERS = "\u0f0b\u30fb"
"""What separates syllables in Tibetan and names in Japanese, and PRECIS allows anywhere."""


def separator_at_end(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """A separator separates: `ada.` at the end of a sentence would not be told from `ada`."""
    ours = policy.separators + JOINERS
    if found := [char for char in (canonical[0], canonical[-1]) if char in ours]:
        yield Reason("separator_at_end", messages.SEPARATOR_AT_END, _separators(policy, found))


def separator_doubled(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """Nobody counts the lines in `a__b`, and `..` is a folder."""
    ours = policy.separators + JOINERS
    pairs = [pair for pair in pairwise(canonical) if set(pair) <= set(ours)]
    if found := [char for pair in pairs for char in pair]:
        yield Reason("separator_doubled", messages.SEPARATOR_DOUBLED, _separators(policy, found))


def _separators(policy: NamePolicy, found: list[str]) -> dict[str, object]:
    joiners = [show([char]) for char in dict.fromkeys(found) if char not in policy.separators]
    return {"separators": " ".join([*policy.separators, *joiners])}


def suffix(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """/ada.json is the data of `ada`, not the page of somebody else."""
    if canonical.endswith(policy.suffixes):
        found = next(ending for ending in policy.suffixes if canonical.endswith(ending))
        yield Reason("suffix", messages.SUFFIX, {"suffix": found})


def numeric_only(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """/users/1234 is one by its id, and most long numbers are somebody's telephone."""
    others = [char for char in canonical if char not in policy.separators]
    if not policy.numeric and others and all(character(c).zero is not None for c in others):
        yield Reason("numeric_only", messages.NUMERIC_ONLY)


def dns_label(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """Every name can be the first part of a host's, in any program (RFC 1123, 2.1)."""
    if policy.dns_labels and not canonical.isascii():
        yield Reason("dns_label", messages.DNS_LABEL)


def one_script(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """A Cyrillic letter among Latin ones deceives; nobody's name needs it (UTS #39, 5.2)."""
    if not canonical.isascii() and (found := mixed_scripts(canonical)):
        yield Reason("mixed_scripts", messages.MIXED_SCRIPTS, {"scripts": ", ".join(found)})


def one_kind_of_digits(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """A Bengali four looks like an 8 (UTS #39, 5.3)."""
    if not canonical.isascii() and len(number_systems(canonical)) > 1:
        yield Reason("mixed_digits", messages.MIXED_DIGITS)


def bidi(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """A right-to-left name is read in one order by everybody (RFC 5893)."""
    # Of a character that is refused the direction does not matter.
    known = all(character(char).bidi for char in canonical)
    if known and not keeps_bidi_rule(canonical):
        yield Reason("bidi", messages.BIDI)


def unstable(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """A second pass over the canonical form changes nothing, or a name had two keys."""
    if not is_settled(canonical):
        yield Reason("unstable", messages.UNSTABLE)


_WHEN: dict[Rule, Suspicion] = {
    too_short: Suspicion.SHORT,
    too_long: Suspicion.ANYTHING,
    white_space: Suspicion.ANYTHING,
    control: Suspicion.ANYTHING,
    too_new: Suspicion.ANYTHING,
    at_sign: Suspicion.ANYTHING,
    allowed_character: Suspicion.SIGN,
    unusual: Suspicion.ANYTHING,
    misleading: Suspicion.ANYTHING,
    loose_mark: Suspicion.MARK,
    marks: Suspicion.MARK,
    separator_at_end: Suspicion.SIGN,
    separator_doubled: Suspicion.SIGN,
    suffix: Suspicion.SIGN,
    numeric_only: Suspicion.NUMBER,
    dns_label: Suspicion.LABEL,
    one_script: Suspicion.SCRIPTS,
    one_kind_of_digits: Suspicion.DIGIT,
    capitals: Suspicion.CAPITALS,
    bidi: Suspicion.RIGHT_TO_LEFT,
    unstable: Suspicion.ANYTHING,
}
"""Every rule for new names, in the order in which reasons are given, and the doubt it settles.

A new rule that an ordinary ASCII name can break must be known to `Parser.parse` too, which asks
most of them nothing; tests/unit/test_names_properties.py fails while it is not.
"""

RULES = tuple(_WHEN)


@lru_cache(maxsize=1024)
def _rules_for(found: int) -> tuple[Rule, ...]:
    if found & Suspicion.ANYTHING:
        return RULES
    return tuple(rule for rule, when in _WHEN.items() if found & when)


def ask(rule: Rule, display: str, canonical: str, policy: NamePolicy) -> tuple[Reason, ...]:
    """Ask a rule of the host.

    Raises:
        TypeError: It answers with something else than reasons; the message names it.
    """
    found: object = rule(display, canonical, policy)
    reasons = tuple(found) if isinstance(found, Iterable) else (found,)
    if wrong := [one for one in reasons if not isinstance(one, Reason)]:
        name = getattr(rule, "__qualname__", repr(rule))
        raise TypeError(f"the rule {name} must yield Reasons, and gave {wrong[0]!r}")
    return reasons


def broken_rules(
    display: str, canonical: str, policy: NamePolicy, *, settled: bool = False
) -> tuple[Reason, ...]:
    """Return a reason for every rule that the name breaks, not only the first.

    Args:
        display: The name as it was written, not empty.
        canonical: Its canonical form, not empty.
        policy: The limits.
        settled: Whether the canonical form is known to be stable.
    """
    rules = _rules_for(doubts(display, canonical, policy)) if settled else RULES
    return tuple(reason for rule in rules for reason in rule(display, canonical, policy))
