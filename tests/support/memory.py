"""The store in one process's memory: for tests, and to see the contract at a glance."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dibs.context import Deadline
from dibs.errors import RenamedTooOften, UserNotFound
from dibs.store.names.claims import Place, owned, place
from dibs.store.names.releases import FREE, Quarantine
from dibs.store.names.renames import Pace, Rename, Transfer
from dibs.store.records import (
    DEFAULT_NAMESPACE,
    Claim,
    Failed,
    Lost,
    NameRow,
    NewUser,
    Outcome,
    State,
    UserRow,
    Won,
)


class MemoryStore:
    """A dict behind one lock. Nothing outlives the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[Place, NameRow] = {}
        self._made: dict[Place, int] = {}
        self._users: dict[str, tuple[NewUser, int]] = {}
        self._roles: dict[str, str | None] = {}
        self._renamed: list[tuple[str, str, int]] = []
        self._secret = secrets.token_hex(32)

    def claim(self, claim: Claim, *, deadline: Deadline) -> Outcome:
        """See `dibs.store.Store.claim`."""
        (outcome,) = self.claim_many([claim], deadline=deadline)
        assert not isinstance(outcome, Failed)
        return outcome

    def claim_many(self, claims: Sequence[Claim], *, deadline: Deadline) -> list[Outcome | Failed]:
        """See `dibs.store.Store.claim_many`."""
        del deadline
        with self._lock:
            return [self._claim(claim) for claim in claims]

    def _claim(self, claim: Claim) -> Outcome:
        row = self._seen(place(claim))
        if row is not None and row.won_by(claim.token):
            return Won(row)
        if row is not None and not row.open_to(claim):
            return Lost(row)
        won = owned(claim, version=row.version + 1 if row else 1)
        if claim.lasts is not None:
            ends = _now() + claim.lasts
            won = replace(won, expires_at=ends, expires_in=claim.lasts, free=claim.lasts <= 0)
        self._names[place(claim)] = won
        self._made.setdefault(place(claim), _now())
        if claim.user is not None:
            self._users[claim.user.id] = (claim.user, _now())
        return Won(won)

    def _seen(self, at: Place) -> NameRow | None:
        row = self._names.get(at)
        if row is None or row.expires_at is None or row.state not in ("held", "quarantined"):
            return row
        left = row.expires_at - _now()
        return replace(row, free=left <= 0, expires_in=left)

    def find(
        self, keys: Sequence[str], *, namespace: str = DEFAULT_NAMESPACE, deadline: Deadline
    ) -> Mapping[str, NameRow]:
        """See `dibs.store.Store.find`."""
        del deadline
        with self._lock:
            rows = {key: self._seen((namespace, key)) for key in keys}
        return {key: row for key, row in rows.items() if row is not None}

    def release(
        self,
        key: str,
        *,
        owner: str,
        version: int | None = None,
        rest: Quarantine = FREE,
        namespace: str = DEFAULT_NAMESPACE,
        deadline: Deadline,
    ) -> bool:
        """See `dibs.store.names.store.Changing.release`."""
        del deadline
        with self._lock:
            row = self._names.get((namespace, key))
            if row is None or row.state != "owned" or row.owner != owner:
                return False
            if version not in (None, row.version):
                return False
            self._let_go(row, rest)
            return True

    def _let_go(self, row: NameRow, rest: Quarantine) -> None:
        timed = not rest.none and rest.lasts is not None
        self._names[row.namespace, row.key] = replace(
            row,
            state="free" if rest.none else "quarantined",
            owner_kind=row.owner_kind if rest.remembered else None,
            owner=row.owner if rest.remembered else None,
            claim_token=None,
            expires_at=_now() + (rest.lasts or 0) if timed else None,
            version=row.version + 1,
            free=rest.none,
        )

    def free(
        self,
        key: str,
        *,
        state: State,
        version: int | None = None,
        token: str | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        deadline: Deadline,
    ) -> bool:
        """See `dibs.store.names.store.Changing.free`."""
        del deadline
        with self._lock:
            row = self._names.get((namespace, key))
            if row is None or row.state != state or version not in (None, row.version):
                return False
            if token not in (None, row.claim_token):
                return False
            self._let_go(row, FREE)
            return True

    def rename(self, wish: Rename, *, deadline: Deadline) -> Outcome | None:
        """See `dibs.store.names.store.Changing.rename`."""
        del deadline
        claim, old = wish.claim, wish.old
        with self._lock:
            if wish.user and claim.owner not in self._users:
                raise UserNotFound
            if (new := self._seen(place(claim))) and new.won_by(claim.token):
                return Won(new)
            if self._seen((old.namespace, old.key)) != old:
                return None
            if not wish.is_spelling:
                self._refuse_haste(claim, wish.pace)
            if wish.in_place:
                if not wish.is_spelling:
                    self._renamed.append((claim.owner_kind, claim.owner, _now()))
                row = owned(claim, version=old.version + 1)
                self._names[place(claim)] = row
                return Won(row)
            outcome = self._claim(claim)
            if isinstance(outcome, Won):
                self._let_go(old, wish.rest)
                self._renamed.append((claim.owner_kind, claim.owner, _now()))
            return outcome

    def transfer(self, wish: Transfer, *, deadline: Deadline) -> Outcome | None:
        """See `dibs.store.names.store.Changing.transfer`."""
        del deadline
        name, theirs = wish.name, wish.theirs
        with self._lock:
            if not {name.owner, theirs.owner} <= self._users.keys():
                raise UserNotFound
            if (new := self._seen(place(wish.instead))) and new.won_by(wish.instead.token):
                return Won(new)
            if any(self._seen((row.namespace, row.key)) != row for row in (name, theirs)):
                return None
            outcome = self._claim(wish.instead)
            if isinstance(outcome, Won):
                passed = replace(
                    name, owner=theirs.owner, claim_token=None, version=name.version + 1
                )
                self._names[name.namespace, name.key] = passed
                self._let_go(theirs, wish.rest)
            return outcome

    def _refuse_haste(self, claim: Claim, pace: Pace | None) -> None:
        who = claim.owner_kind, claim.owner
        ages = [_now() - at for *whose, at in reversed(self._renamed) if tuple(whose) == who]
        if pace and (wait := pace.wait(ages)) > 0:
            raise RenamedTooOften(retry_after=-(-wait // 1000))

    def names_of(
        self,
        owner_kind: str,
        owner: str,
        *,
        state: State = "owned",
        namespace: str | None = None,
        deadline: Deadline,
    ) -> list[NameRow]:
        """See `dibs.store.names.store.Changing.names_of`."""
        del deadline
        with self._lock:
            rows = [row for at in sorted(self._names) if (row := self._seen(at))]
        return [
            row
            for row in rows
            if row.is_of(owner_kind, owner) and row.state == state and not row.free
            if namespace in (None, row.namespace)
        ]

    def reserved(self, *, namespace: str = DEFAULT_NAMESPACE, deadline: Deadline) -> list[NameRow]:
        """See `dibs.store.Store.reserved`."""
        del deadline
        with self._lock:
            rows = [row for at, row in self._names.items() if at[0] == namespace]
        return sorted((r for r in rows if r.state == "reserved"), key=lambda row: row.key)

    def set_role(self, user_id: str, role: str | None, *, deadline: Deadline) -> bool:
        """See `dibs.store.Store.set_role`."""
        del deadline
        if user_id not in self._users:
            return False
        self._roles[user_id] = role
        return True

    def user(
        self, user_id: str, *, namespace: str = DEFAULT_NAMESPACE, deadline: Deadline
    ) -> UserRow | None:
        """See `dibs.store.Store.user`."""
        del deadline
        return next((u for u in self._listed(namespace) if u.id == user_id), None)

    def users(
        self,
        *,
        limit: int,
        after: str | None,
        namespace: str = DEFAULT_NAMESPACE,
        deadline: Deadline,
    ) -> list[UserRow]:
        """See `dibs.store.Store.users`."""
        del deadline
        return [user for user in self._listed(namespace) if user.id > (after or "")][:limit]

    def _listed(self, namespace: str) -> list[UserRow]:
        with self._lock:
            owned_by = {
                row.owner: row.display
                for row in self._names.values()
                if row.state == "owned" and row.owner_kind == "user"
                if row.namespace == namespace
            }
            return [
                UserRow(user_id, owned_by[user_id], created_at, self._roles.get(user_id))
                for user_id, (_, created_at) in sorted(self._users.items())
                if user_id in owned_by
            ]

    def verify(self, *, deadline: Deadline) -> None:
        """Always as needed."""

    def secret(self, *, deadline: Deadline) -> str:
        """See `dibs.store.Store.secret`."""
        del deadline
        return self._secret

    def moment(self, *, deadline: Deadline) -> tuple[int, str]:
        """See `dibs.store.names.listing.Listing.moment`."""
        del deadline
        return _now(), self._secret

    def keys(self, *, after: str, limit: int, namespace: str, deadline: Deadline) -> list[str]:
        """See `dibs.store.names.listing.Listing.keys`."""
        del deadline
        with self._lock:
            keys = sorted(key for where, key in self._names if where == namespace and key > after)
        return keys[:limit]

    def count_keys(
        self, *, after: str, limit: int, namespace: str, deadline: Deadline
    ) -> tuple[int, str]:
        """See `dibs.store.names.listing.Listing.count_keys`."""
        keys = self.keys(after=after, limit=limit, namespace=namespace, deadline=deadline)
        return len(keys), keys[-1] if keys else after

    def new_keys(
        self,
        *,
        since: int,
        after: str,
        limit: int,
        namespace: str,
        deadline: Deadline,
    ) -> list[tuple[int, str]]:
        """See `dibs.store.names.listing.Listing.new_keys`."""
        del deadline
        with self._lock:
            made = [(self._made.get(at, 0), at[1]) for at in self._names if at[0] == namespace]
        return sorted(one for one in made if one > (since, after))[:limit]

    def close(self) -> None:
        """Nothing to give back."""


def _now() -> int:
    return time.time_ns() // 1_000_000
