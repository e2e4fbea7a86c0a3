"""The store in one process's memory: for tests, and to see the contract at a glance."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dibs.context import Budget, Deadline
from dibs.errors import RenamedTooOften, UserNotFound
from dibs.store import NameStore
from dibs.store.names.moves import Pace, Rename, Transfer
from dibs.store.names.quarantine import FREE, Quarantine
from dibs.store.names.reading import Listing, Place
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
    owned,
)


class MemoryStore(NameStore):
    """A dict behind one lock. Nothing outlives the process.

    All that a `NameStore` does is done anew here; a test sees to it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[Place, NameRow] = {}
        self._made: dict[Place, int] = {}
        self._users: dict[str, tuple[NewUser, int]] = {}
        self._roles: dict[str, str | None] = {}
        self._renamed: list[tuple[str, str, int]] = []
        self._secret = secrets.token_hex(32)

    def claim(self, claim: Claim, *, deadline: Deadline) -> Outcome:
        """See `dibs.store.NameStore.claim`."""
        (outcome,) = self.claim_many([claim], deadline=deadline)
        assert not isinstance(outcome, Failed)
        return outcome

    def claim_many(self, claims: Sequence[Claim], *, deadline: Deadline) -> list[Outcome | Failed]:
        """See `dibs.store.NameStore.claim_many`."""
        del deadline
        with self._lock:
            return [self._claim(claim) for claim in claims]

    def _claim(self, claim: Claim) -> Outcome:
        row = self._seen(claim.place)
        if row is not None and row.won_by(claim.token):
            return Won(row)
        if row is not None and not row.open_to(claim):
            return Lost(row)
        won = owned(claim, version=row.version + 1 if row else 1)
        if claim.lasts is not None:
            ends = _now() + claim.lasts
            won = replace(won, expires_at=ends, expires_in=claim.lasts, free=claim.lasts <= 0)
        self._names[claim.place] = won
        self._made.setdefault(claim.place, _now())
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
        """See `dibs.store.NameStore.find`."""
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
        """See `dibs.store.NameStore.release`."""
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
        """See `dibs.store.NameStore.free`."""
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
        """See `dibs.store.NameStore.rename`."""
        del deadline
        claim, old = wish.claim, wish.old
        with self._lock:
            if wish.user and claim.owner not in self._users:
                raise UserNotFound
            if (new := self._seen(claim.place)) and new.won_by(claim.token):
                return Won(new)
            if self._seen((old.namespace, old.key)) != old:
                return None
            if not wish.is_spelling:
                self._refuse_haste(claim, wish.pace)
            if wish.in_place:
                if not wish.is_spelling:
                    self._renamed.append((claim.owner_kind, claim.owner, _now()))
                row = owned(claim, version=old.version + 1)
                self._names[claim.place] = row
                return Won(row)
            outcome = self._claim(claim)
            if isinstance(outcome, Won):
                self._let_go(old, wish.rest)
                self._renamed.append((claim.owner_kind, claim.owner, _now()))
            return outcome

    def transfer(self, wish: Transfer, *, deadline: Deadline) -> Outcome | None:
        """See `dibs.store.NameStore.transfer`."""
        del deadline
        name, theirs = wish.name, wish.theirs
        with self._lock:
            if not {name.owner, theirs.owner} <= self._users.keys():
                raise UserNotFound
            if (new := self._seen(wish.instead.place)) and new.won_by(wish.instead.token):
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
        """See `dibs.store.NameStore.names_of`."""
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
        """See `dibs.store.NameStore.reserved`."""
        del deadline
        with self._lock:
            rows = [row for at, row in self._names.items() if at[0] == namespace]
        return sorted((r for r in rows if r.state == "reserved"), key=lambda row: row.key)

    def held(
        self,
        *,
        within: int,
        limit: int,
        namespace: str = DEFAULT_NAMESPACE,
        deadline: Deadline,
    ) -> list[NameRow]:
        """See `dibs.store.NameStore.held`; here none is too old."""
        del within, deadline
        with self._lock:
            rows = [self._seen(at) for at in self._names if at[0] == namespace]
        held = [row for row in rows if row and row.state == "held" and not row.free]
        return sorted(held, key=lambda row: row.expires_in or 0, reverse=True)[:limit]

    def set_role(
        self, user_id: str, role: str | None, *, keeps_staff: bool = False, deadline: Deadline
    ) -> bool:
        """See `dibs.store.NameStore.set_role`."""
        del keeps_staff, deadline
        if user_id not in self._users:
            return False
        self._roles[user_id] = role
        return True

    def user(
        self, user_id: str, *, namespace: str = DEFAULT_NAMESPACE, deadline: Deadline
    ) -> UserRow | None:
        """See `dibs.store.NameStore.user`."""
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
        """See `dibs.store.NameStore.users`."""
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

    def verify_once(self, deadline: Deadline) -> None:
        """Always as needed."""

    def verify_writable(self, *, deadline: Deadline) -> None:
        """Always."""

    def verify_rights(self, *, deadline: Deadline) -> None:
        """Always."""

    def secret(self, *, deadline: Deadline) -> str:
        """See `dibs.store.NameStore.secret`."""
        del deadline
        return self._secret

    def clock(self, *, deadline: Deadline) -> int:
        """See `dibs.store.NameStore.clock`."""
        del deadline
        return _now()

    def close(self) -> None:
        """Nothing to give back."""

    def is_empty(self, *, deadline: Deadline) -> bool:
        """There is nothing to create."""
        del deadline
        return False


class MemoryListing(Listing):
    """The keys of a store in memory."""

    def __init__(self, store: MemoryStore, namespace: str = DEFAULT_NAMESPACE) -> None:
        self.store = store
        self._namespace = namespace

    def moment(self) -> tuple[int, str]:
        return _now(), self.store._secret

    def keys(self, *, after: str, limit: int) -> list[str]:
        return self._past(after)[:limit]

    def count(self, *, after: str, limit: int) -> tuple[int, str]:
        keys = self._past(after)[:limit]
        return len(keys), keys[-1] if keys else after

    def _past(self, after: str) -> list[str]:
        with self.store._lock:
            rows = sorted(self.store._names)
        return [key for where, key in rows if where == self._namespace and key > after]

    def new_keys(self, *, since: int, after: str, limit: int) -> list[tuple[int, str]]:
        with self.store._lock:
            places = [at for at in self.store._names if at[0] == self._namespace]
            made = [(self.store._made.get(at, 0), at[1]) for at in places]
        return sorted(one for one in made if one > (since, after))[:limit]


def a_feed(store: NameStore, namespace: str = DEFAULT_NAMESPACE) -> Listing:
    """The keys of any store."""
    if isinstance(store, MemoryStore):
        return MemoryListing(store, namespace)
    return Listing(store.transactions, namespace, Budget())


def _now() -> int:
    return time.time_ns() // 1_000_000
