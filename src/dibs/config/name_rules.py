"""What a new name may look like where DIBS_NAME_RULES says it, which has a grammar of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from dibs.errors import ConfigError

MIN_LENGTH, MAX_LENGTH = 3, 30
LONGEST = 63
"""Most characters that a name may be allowed; a label of the DNS has no more (RFC 1035)."""

# No letter, number or separator is one of these, and other programs give some a meaning.
NOT_IN_PATTERNS = re.compile(r"[?\[\]{}()|\\^$+,=]")


@dataclass(frozen=True, slots=True)
class NameRules:
    """What the setting says.

    Attributes:
        limits: Arguments of a `NamePolicy`.
        reserved: Words that nobody may have; `*` stands for any characters.
        free: Exceptions from these, written alike.
    """

    limits: dict[str, Any] = field(default_factory=dict)
    reserved: tuple[str, ...] = ()
    free: tuple[str, ...] = ()


NO_RULES = NameRules()


def parse(text: str) -> NameRules:
    """Read the setting: `max_length=20; numbers=on; reserved=acme *-bot; free=good-bot`.

    Raises:
        ConfigError: A part cannot be used; the message says which.
    """
    said: dict[str, Any] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, _, value = (side.strip() for side in part.partition("="))
        if name in said:
            raise ConfigError(f"DIBS_NAME_RULES cannot be used: `{name}` stands twice")
        said[name] = _value(name, value)
        if said[name] is None:
            raise ConfigError(
                f"DIBS_NAME_RULES cannot be used: `{part}` is none of `min_length=` and"
                f" `max_length=` with a number up to {LONGEST}, `numbers=on`, `dns=on`, and"
                " `reserved=` and `free=` with words in which `*` stands for any characters; an"
                " example is `min_length=2; numbers=on`"
            )
    shortest, longest = said.get("min_length", MIN_LENGTH), said.get("max_length", MAX_LENGTH)
    if shortest > longest:
        raise ConfigError(
            f"DIBS_NAME_RULES cannot be used: min_length is {shortest} and max_length {longest}, so"
            " there would be no name"
        )
    limits = {"min_length": shortest, "max_length": longest, "numeric": said.get("numbers", False)}
    if said.get("dns"):
        limits |= {"dns_labels": True, "separators": "-"}
    return NameRules(limits, said.get("reserved", ()), said.get("free", ()))


def _value(name: str, value: str) -> Any:
    """What is meant by it; None for nothing that can be."""
    if name in ("numbers", "dns"):
        return {"on": True, "off": False}.get(value)
    if name in ("min_length", "max_length"):
        is_length = value.isdecimal() and len(value) < 3 and 1 <= int(value) <= LONGEST
        return int(value) if is_length else None
    if name in ("reserved", "free"):
        words = tuple(value.split())
        are_words = words and not NOT_IN_PATTERNS.search(value) and all(w.strip("*") for w in words)
        return words if are_words else None
    return None
