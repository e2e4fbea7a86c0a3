"""From what somebody typed to a username that can be compared. Pure: no I/O, no Flask."""

from dibs.names.canonical import RULES_VERSION
from dibs.names.policy import DEFAULT_POLICY, NamePolicy
from dibs.names.username import Username, parse

__all__ = ["DEFAULT_POLICY", "RULES_VERSION", "NamePolicy", "Username", "parse"]
