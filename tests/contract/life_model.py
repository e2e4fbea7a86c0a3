"""What names do, in a hundred lines: the model that every store is compared with."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from dibs.store import Claim
from dibs.store.names.moves import Rename
from dibs.store.names.quarantine import Quarantine
from dibs.store.records import MARK, State, member_key
from tests.support.contract import AN_HOUR_MS


@dataclass(frozen=True)
class Name:
    """What is known of a name; `over` is true once its hold or rest has ended."""

    state: State = "free"
    owner: str | None = None
    token: str | None = None
    version: int = 0
    over: bool = True
    ends: bool = False
    display: str = ""

    @property
    def free(self) -> bool:
        return self.state == "free" or (self.state in ("held", "quarantined") and self.over)

    def won_by(self, token: str) -> bool:
        return self.state in ("owned", "held") and not self.free and self.token == token

    def open_to(self, claim: Claim) -> bool:
        mine = self.state == "quarantined" and self.owner == claim.owner
        return self.free or mine or (self.state == "held" and self.token == claim.hold)


class Model:
    """Names by their keys, and who is a user."""

    def __init__(self) -> None:
        self.names: defaultdict[str, Name] = defaultdict(Name)
        self.users: set[str] = set()

    def claim(self, wish: Claim) -> bool:
        key, name = wish.username.key, self.names[wish.username.key]
        if name.won_by(wish.token):
            return True
        if not name.open_to(wish):
            return False
        self.names[key] = Name(
            wish.state,
            wish.owner,
            wish.token,
            name.version + 1,
            over=False,
            ends=bool(wish.lasts),
            display=wish.username.display,
        )
        self.users |= {wish.owner} if wish.user else set()
        return True

    # --- groups: whose members have rows of their own, under marked keys

    def join(self, wish: Claim) -> bool:
        """Keep a name beside who has it; whether this is their name then."""
        key, display = wish.username.key, wish.username.display
        name, mine = self.names[key], self.names[member_key(key, display)]
        if name.state == "owned" and name.owner == wish.owner:
            return True
        if mine.state == "owned" or (name.state == "owned" and name.display == display):
            return mine.owner == wish.owner
        if name.state == "owned":
            self._seat(key, name.display, str(name.owner))
            self.names[key] = Name("group", version=name.version + 1, over=False)
        self._seat(key, display, wish.owner)
        return True

    def _seat(self, key: str, display: str, owner: str) -> None:
        at = member_key(key, display)
        version = self.names[at].version + 1
        self.names[at] = Name("owned", owner, version=version, over=False, display=display)

    def members(self, key: str = "") -> list[str]:
        """The keys of those of a group, or of all groups there ever were."""
        return [at for at in self.names if at.startswith(MARK + key)]

    def settle(self, gone: str, rest: Quarantine) -> None:
        """See to the group of a member who has left: of one alone it is none."""
        if not gone.startswith(MARK):
            return
        key = gone.split(MARK)[1]
        name = self.names[key]
        left = [at for at in self.members(key) if self.names[at].state == "owned"]
        if name.state != "group" or len(left) > 1:
            return
        if not left:
            self.let_go(key, replace(rest, remembered=False))
            return
        last = self.names[left[0]]
        self.names[key] = replace(last, version=name.version + 1, token=None)
        self.names[left[0]] = Name(version=last.version + 1)

    def let_go(self, key: str, rest: Quarantine) -> None:
        name = self.names[key]
        rest = Quarantine() if key.startswith(MARK) else rest
        state: State = "free" if rest.none else "quarantined"
        owner = name.owner if rest.remembered else None
        timed = not rest.none and rest.lasts is not None
        self.names[key] = Name(state, owner, None, name.version + 1, rest.lasts == 0, timed)

    def release(self, key: str, owner: str, rest: Quarantine) -> bool:
        name = self.names[key]
        if is_hers := name.state == "owned" and name.owner == owner:
            self.let_go(key, rest)
            self.settle(key, rest)
        return is_hers

    def unhold(self, key: str, token: str) -> bool:
        name = self.names[key]
        if is_held := name.state == "held" and name.token == token:
            self.let_go(key, Quarantine())
        return is_held

    def rename(self, wish: Rename) -> bool | None:
        claim, old = wish.claim, self.names[wish.old.key]
        if wish.in_place and wish.old.is_member:
            name = claim.username
            claim = replace(claim, username=name._replace(key=member_key(name.key, name.display)))
        new = claim.username.key
        if self.names[new].won_by(claim.token):
            return True
        if (old.version, old.state) != (wish.old.version, "owned"):
            return None
        if wish.in_place and not wish.old.is_member:
            self.names[new] = replace(
                old,
                token=claim.token,
                version=old.version + 1,
                display=claim.username.display,
            )
            return True
        if is_won := self.claim(claim):
            self.let_go(wish.old.key, wish.rest)
            self.settle(wish.old.key, wish.rest)
        return is_won

    def delete(self, owner: str) -> bool:
        if was_there := owner in self.users:
            gone = [at for at in self.members() if self.names[at].owner == owner]
            for key, name in list(self.names.items()):
                if name.owner == owner and name.state == "owned":
                    self.let_go(key, Quarantine(AN_HOUR_MS))
                elif name.owner == owner and name.state == "quarantined":
                    state = "free" if name.free else name.state  # what is over ends here
                    self.names[key] = replace(
                        name, state=state, owner=None, version=name.version + 1
                    )
            for key in gone:
                self.settle(key, Quarantine(AN_HOUR_MS))
        self.users.discard(owner)
        return was_there

    def expire(self, key: str) -> None:
        self.names[key] = replace(
            self.names[key], over=self.names[key].over or self.names[key].ends
        )
