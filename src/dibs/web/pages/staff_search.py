"""What staff see of a name: its owner, similar names, its history, and that of the account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dibs.accounts.profile import Account
from dibs.errors import InvalidName, NameTaken
from dibs.names import Username
from dibs.names.suggest import near_keys
from dibs.store import NameRow
from dibs.store.accounts.recoveries import EventKind
from dibs.store.names.history import PastChange
from dibs.web.http.current import deadline, parts
from dibs.web.i18n import say
from dibs.web.words import reason_items

FREE, BUILT_IN = "Free", "Reserved word"
STATES = {
    "owned": "In use",
    "held": "Held for a sign-up",
    "quarantined": "Given up, not free yet",
    "reserved": "Reserved by staff",
    "group": "Shared by people who had it before",
    "companion": "Kept while the rules for names change",
}
ACTIONS = {
    "claimed": "Registered",
    "held": "Held for a sign-up",
    "unheld": "Hold ended",
    "renamed": "Taken by a rename",
    "left": "Given up by a rename",
    "respelled": "Spelling changed",
    "released": "Given up",
    "forgotten": "Last owner's data removed",
    "reserved": "Reserved by staff",
    "unreserved": "No longer reserved",
    "transferred": "Transferred by staff",
    "adopted": "Was theirs before",
    "grouped": "Shared by people who had it before",
    "promoted": "The only one left who has it",
    "rekeyed": "Moved when the rules for names changed",
}
KINDS: dict[EventKind, str] = {
    "password_changed": "Password changed",
    "password_set": "Password set by staff",
    "recovered": "New password by a recovery code or link",
    "recovery_link": "Recovery link made",
    "recovery_codes": "Recovery codes made",
    "disabled": "Account disabled",
    "enabled": "Account enabled",
    "staff_granted": "Staff role given",
    "staff_revoked": "Staff role taken away",
    "signed_out": "Signed out everywhere by staff",
    "renamed": "Renamed by staff",
    "deleted": "Account deleted",
    "invited": "Registered by an invitation",
}
"""What was done to an account."""

MESSAGES = (FREE, BUILT_IN, *STATES.values(), *ACTIONS.values(), *KINDS.values())

NEAR = 20
"""How many neighbours are shown."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to a name.

    Attributes:
        asked: As it was typed.
        broken: Why there can be no such name.
        group: Of a reserved word that is built in, and nobody's: on which list it is.
        row: Of this name or of a look-alike; None if there is neither.
        is_other: Whether the row is that of a look-alike.
        near: Rows of names that differ by one typing slip.
        past: What happened, the newest first.
        more: Whether there is more of that.
        people: What users are called now, by id.
        disabled: When users were disabled, by id; only of those who are.
        account: That of the user who has the name; None of one of a host app.
    """

    asked: str
    broken: Sequence[str] = ()
    group: str = ""
    row: NameRow | None = None
    is_other: bool = False
    near: Sequence[NameRow] = ()
    past: Sequence[PastChange] = ()
    more: bool = False
    people: Mapping[str, str] = field(default_factory=dict)
    disabled: Mapping[str, int] = field(default_factory=dict)
    account: Account | None = None

    @property
    def name(self) -> str:
        """The name that staff act on: that of the row, where there is one."""
        return self.row.display if self.row else self.asked


def look(name: str, *, limit: int) -> Found:
    """Find a name, in any spelling, and at most so much of what happened."""
    try:
        username = parts().parser.typed(name)
    except InvalidName as error:
        said = reason_items(say, [("name", reason) for reason in error.reasons])
        return Found(name, [one["detail"] for one in said])
    rows = _rows(username)
    row = rows.pop(username.key, None)
    rules, group = _against(name) if row is None else ([], "")
    if rules:
        return Found(name, rules)
    near = sorted(rows.values(), key=lambda one: (len(one.canonical), one.canonical))[:NEAR]
    past = parts().history.of_name(username, limit=limit + 1, deadline=deadline())
    account = None
    if row and row.state == "owned" and row.owner_kind == "user" and row.owner:
        account = parts().accounts.staff.account(row.owner, deadline=deadline())
    users = _users([*near, row] if row else near, past[:limit])
    users += [one.actor for one in account.events if one.actor] if account else []
    return Found(
        name,
        group=group,
        row=row,
        account=account,
        is_other=row is not None and row.canonical != username.canonical,
        near=near,
        past=past[:limit],
        more=len(past) > limit,
        people=parts().history.names_now(users, deadline=deadline()),
        disabled=parts().accounts.users.disabled(users, deadline=deadline()),
    )


def _against(name: str) -> tuple[list[str], str]:
    """Why a name without an owner cannot be had, and on which list of reserved words it is.

    A reserved word that is nothing worse can be given away.
    """
    try:
        parts().registry.admit(name, deadline=deadline())
    except InvalidName as error:
        if error.only_reserved:
            return [], str(error.reasons[0].params.get("group", "reserved"))
        said = reason_items(say, [("name", reason) for reason in error.reasons])
        return [one["detail"] for one in said], ""
    except NameTaken as error:
        return [say(error.message)], ""
    return [], ""


def _rows(username: Username) -> dict[str, NameRow]:
    """The name's row and those of its neighbours that are not free, in one query."""
    keys = [username.key, *near_keys(username.canonical, parts().parser)]
    found = parts().store.find(keys, namespace=parts().settings.namespace, deadline=deadline())
    return {key: row for key, row in found.items() if not row.free}


def _users(rows: Sequence[NameRow], past: Sequence[PastChange]) -> list[str]:
    """The ids of users in these."""
    ids = {row.owner for row in rows if row.owner_kind == "user"}
    ids |= {one.change.actor for one in past}
    ids |= {one.change.owner for one in past if one.change.owner_kind == "user"}
    return [one for one in ids if one]
