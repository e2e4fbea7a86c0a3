"""What names do, in sixty lines: the model that every store is compared with."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from dibs.store import Claim
from dibs.store.names.releases import Quarantine
from dibs.store.names.renames import Rename
from dibs.store.records import State
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
            wish.state, wish.owner, wish.token, name.version + 1, over=False, ends=bool(wish.lasts)
        )
        self.users |= {wish.owner} if wish.user else set()
        return True

    def let_go(self, key: str, rest: Quarantine) -> None:
        name = self.names[key]
        state: State = "free" if rest.none else "quarantined"
        owner = name.owner if rest.remembered else None
        timed = not rest.none and rest.lasts is not None
        self.names[key] = Name(state, owner, None, name.version + 1, rest.lasts == 0, timed)

    def release(self, key: str, owner: str, rest: Quarantine) -> bool:
        name = self.names[key]
        if is_hers := name.state == "owned" and name.owner == owner:
            self.let_go(key, rest)
        return is_hers

    def unhold(self, key: str, token: str) -> bool:
        name = self.names[key]
        if is_held := name.state == "held" and name.token == token:
            self.let_go(key, Quarantine())
        return is_held

    def rename(self, wish: Rename) -> bool | None:
        new, old = wish.claim.username.key, self.names[wish.old.key]
        if self.names[new].won_by(wish.claim.token):
            return True
        if old.version != wish.old.version:
            return None
        if wish.in_place:
            self.names[new] = replace(old, token=wish.claim.token, version=old.version + 1)
            return True
        if is_won := self.claim(wish.claim):
            self.let_go(wish.old.key, wish.rest)
        return is_won

    def delete(self, owner: str) -> bool:
        if was_there := owner in self.users:
            for key, name in list(self.names.items()):
                if name.owner == owner and name.state == "owned":
                    self.let_go(key, Quarantine(AN_HOUR_MS))
                elif name.owner == owner and name.state == "quarantined":
                    self.names[key] = replace(name, owner=None, version=name.version + 1)
        self.users.discard(owner)
        return was_there

    def expire(self, key: str) -> None:
        self.names[key] = replace(
            self.names[key], over=self.names[key].over or self.names[key].ends
        )
