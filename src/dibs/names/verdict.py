"""Two answers to "is this a username?": for somebody new, and for somebody who has it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from dibs.errors import InvalidName, Reason
from dibs.names.limits import DEFAULT_POLICY, NamePolicy
from dibs.names.reserved import RESERVED
from dibs.names.username import parse, parse_existing


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Two answers to "is this a username?".

    Attributes:
        valid_for_new: Whether somebody may take it today.
        valid_for_existing: Whether somebody may have it from earlier times.
        reasons: Why it is not valid for new ones.
    """

    valid_for_new: bool
    valid_for_existing: bool
    reasons: tuple[Reason, ...] = ()


def verdicts(
    raw: str | bytes,
    *,
    policy: NamePolicy = DEFAULT_POLICY,
    reserved: Container[str] = RESERVED,
) -> Verdicts:
    """Say whether a name is valid for a new user, and whether for an existing one."""
    try:
        parse(raw, policy=policy, reserved=reserved)
    except InvalidName as refused:
        reasons = refused.reasons
    else:
        return Verdicts(valid_for_new=True, valid_for_existing=True)
    try:
        parse_existing(raw)
    except InvalidName:
        return Verdicts(valid_for_new=False, valid_for_existing=False, reasons=reasons)
    return Verdicts(valid_for_new=False, valid_for_existing=True, reasons=reasons)
