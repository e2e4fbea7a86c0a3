"""What happens to names, for apps that want to be told after it is committed.

Receivers get one `NameChange` as the sender. What must not be missed, a receiver reads
from the history, which is written in the same transaction: a process that dies right
after its COMMIT sends nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from blinker import NamedSignal, Namespace

log = logging.getLogger(__name__)

Action = Literal[
    "claimed",
    "held",
    "unheld",
    "renamed",
    "left",
    "respelled",
    "released",
    "forgotten",
    "reserved",
    "unreserved",
    "transferred",
    "adopted",
    "grouped",
    "promoted",
    "rekeyed",
]


@dataclass(frozen=True, slots=True)
class NameChange:
    """One change of one name.

    Attributes:
        namespace: Where the name is unique.
        key: What the database makes unique.
        version: Of the name's row after the change: with its place, which change this was.
        action: What happened. A rename is two changes: `renamed` of the new name and `left`
            of the old one.
        was: The name before, as it was written; None if there was none.
        became: The name afterwards; None if there is none.
        owner_kind: What has, or had, the name.
        owner: Which one.
        actor: Who did it, as far as is known.
        request_id: By which request.
    """

    namespace: str
    key: str
    version: int
    action: Action
    was: str | None
    became: str | None
    owner_kind: str | None
    owner: str | None
    actor: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """Somebody has lost a password and asks for a link, which the app may send them.

    Attributes:
        user_id: Whose account it is.
        username: What they are called.
        token: What stands after `/recover/` in the link. Build the link from an address that
            the app knows, never from a request's: whoever asks chooses its Host.
        expires_in: Seconds for which it is good, once.
    """

    user_id: str
    username: str
    token: str
    expires_in: int


_namespace = Namespace()
reset_requested = _namespace.signal("reset-requested")
"""Sent with a `ResetRequest`, in a thread of its own within the app's context."""
name_claimed = _namespace.signal("name-claimed")
name_held = _namespace.signal("name-held")
name_unheld = _namespace.signal("name-unheld")
name_renamed = _namespace.signal("name-renamed")
name_released = _namespace.signal("name-released")
name_reserved = _namespace.signal("name-reserved")
name_unreserved = _namespace.signal("name-unreserved")
name_transferred = _namespace.signal("name-transferred")

SIGNALS = {
    "claimed": name_claimed,
    "held": name_held,
    "unheld": name_unheld,
    "renamed": name_renamed,
    "respelled": name_renamed,
    "released": name_released,
    "reserved": name_reserved,
    "unreserved": name_unreserved,
    "transferred": name_transferred,
}


def announce(changes: Sequence[NameChange]) -> None:
    """Tell who listens; what a receiver raises is logged, since the change is committed."""
    for change in changes:
        signal = SIGNALS.get(change.action)
        if signal is not None:  # else half of a rename, or of a deletion
            tell(signal, change)


def tell(signal: NamedSignal, news: object) -> None:
    """Call every receiver; what one raises is logged, since what it is told of is done."""
    for receiver in list(signal.receivers_for(news)):
        try:
            receiver(news)
        except Exception:  # it decides nothing
            log.exception("a receiver of %s failed", signal.name)
