"""The username as a value, and the one door by which it comes in."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from dibs.errors import EmptyName, InvalidName, Reason
from dibs.names.canonical import RULES_VERSION, key_of, normalise
from dibs.names.policy import (
    DEFAULT_POLICY,
    ENCODING,
    RESERVED,
    NamePolicy,
    broken_rules,
    too_long,
)
from dibs.names.reserved import RESERVED_KEYS


@dataclass(frozen=True, slots=True)
class Username:
    """A name that keeps every rule.

    Attributes:
        display: The name as its owner wrote it, character for character.
        canonical: The one spelling of it that rules are checked on.
        key: What the database makes unique. It answers "is it free?", never "who is it?".
        rules_version: The version of the rules that made `canonical` and `key`.
    """

    display: str
    canonical: str
    key: str
    rules_version: int

    def __str__(self) -> str:
        return self.display


def parse(
    raw: str | bytes,
    *,
    policy: NamePolicy = DEFAULT_POLICY,
    reserved: Container[str] = RESERVED_KEYS,
) -> Username:
    """Make a `Username` of what somebody sent.

    A common ASCII name costs one or two microseconds, and a hostile one less than
    a thousand: what is too long to be a name is not looked at further.

    Args:
        raw: The name; bytes are decoded as UTF-8.
        policy: The limits.
        reserved: The keys that nobody may have.

    Raises:
        EmptyName: There is no name, or only white space.
        InvalidName: The name breaks a rule; `reasons` holds all of them, or
            only `encoding` or `too_long` when that kept the others from being asked.
    """
    text = raw if type(raw) is str else _decoded(raw, policy)
    plain = policy.is_plain(text)
    # NFKC leaves ASCII alone, and its full case folding is its lower case.
    canonical = text.lower() if plain else _normalised(text, policy)
    reasons = () if plain else broken_rules(text, canonical, policy)
    key = key_of(canonical)
    if key in reserved:
        reasons = (*reasons, Reason("reserved", RESERVED))
    if reasons:
        raise InvalidName(reasons)
    return Username(text, canonical, key, RULES_VERSION)


def _decoded(raw: str | bytes, policy: NamePolicy) -> str:
    if not isinstance(raw, bytes):
        # A subclass of str may have its own lower() and its own adapter in a database driver.
        return str.__str__(raw)
    # One byte too many is still too long after decoding: U+FFFD takes three bytes and
    # replaces at most three (Unicode 3.9, maximal subparts).
    if len(raw) > policy.max_bytes:
        return raw[: policy.max_bytes + 1].decode("utf-8", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidName((Reason("encoding", ENCODING),)) from error


def _normalised(text: str, policy: NamePolicy) -> str:
    """Return the canonical form, unless there is nothing or far too much.

    Raises:
        EmptyName: There is no name, or only white space.
        InvalidName: It is so long that no rule with a cost per character is asked.
    """
    _refuse_huge(text, policy)
    if not text or text.isspace():
        raise EmptyName
    canonical = normalise(text)
    _refuse_huge(canonical, policy)  # U+FDFA alone becomes eighteen characters.
    return canonical


def _refuse_huge(form: str, policy: NamePolicy) -> None:
    # Only past one of these bounds can a form break a limit on code points or bytes.
    big = len(form) > policy.max_code_points or len(form) * 4 > policy.max_bytes
    if big and (reasons := tuple(too_long(form, form, policy))):
        raise InvalidName(reasons)
