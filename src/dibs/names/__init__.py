"""Turns typed text into usernames that can be compared. Pure: no I/O, no Flask."""

from dibs.names.phase import Phase
from dibs.names.policy import DEFAULT_POLICY, NamePolicy, Rule
from dibs.names.reading import latin_reading
from dibs.names.reserved import RESERVED, Reserved, is_reserved
from dibs.names.sign_in import meant, sign_in_form, ways
from dibs.names.skeleton import MAX_KEY_BYTES, RULES_VERSION, Lookalikes, rules_version
from dibs.names.username import Parser, Username, Verdicts, parse, parse_existing, verdicts

__all__ = [
    "DEFAULT_POLICY",
    "MAX_KEY_BYTES",
    "RESERVED",
    "RULES_VERSION",
    "Lookalikes",
    "NamePolicy",
    "Parser",
    "Phase",
    "Reserved",
    "Rule",
    "Username",
    "Verdicts",
    "is_reserved",
    "latin_reading",
    "meant",
    "parse",
    "parse_existing",
    "rules_version",
    "sign_in_form",
    "verdicts",
    "ways",
]
