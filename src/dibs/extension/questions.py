"""What an app can ask of its names: which are free, whose one is, what happened to it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dibs.errors import InvalidName, Reason
from dibs.extension.base import HostNames
from dibs.names import Username, meant
from dibs.names.suggest import Suggestion, candidates
from dibs.names.username import Asked
from dibs.registry.names import found_against
from dibs.store.host import session as host
from dibs.store.host.owners import identify, instance_state
from dibs.store.names.history import PastChange, read_history
from dibs.store.records import NameRow

CANDIDATES = 12


@dataclass(frozen=True, slots=True)
class Availability:
    """Advice about a name, never a promise: only a claim decides.

    Attributes:
        name: As it was asked for.
        canonical: Its canonical form; None when it is not valid.
        available: Whether a claim would have won at that moment.
        reason: Why not: the `code` of the error a claim would have raised.
        reasons: Every rule that an invalid name breaks.
    """

    name: str
    canonical: str | None
    available: bool
    reason: str | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class NameOwner:
    """Who has a name.

    Attributes:
        kind: The table of a mapped owner, or what was said of a plain id.
        id: Their primary key, or the plain id, as text.
        name: What they are called now.
        was: The name that was asked for, if it is an old one of theirs; else None.
    """

    kind: str
    id: str
    name: str
    was: str | None = None


class Questions(HostNames):
    """Reads names as the app's current transaction sees them.

    Each method raises `TransactionMustRestart` where the transaction lost, so that only a
    rollback is accepted, `StoreUnavailable` where the database cannot answer, and `SchemaError`
    where it is not set up for dibs.
    """

    def check(self, name: str, *, owner: object = None, kind: Any = None) -> Availability:
        """Whether the name could be claimed now.

        Args:
            name: As somebody typed it.
            owner: For whom, if it is not for a stranger: they can have what is theirs already,
                and what they gave up a short time ago. Somebody who is not stored yet has nothing.
            kind: What a plain id is of; see `claim`.
        """
        state = instance_state(owner)
        if owner is None or (state is not None and not state.has_identity):
            return self.check_many([name])[0]
        who, table = identify(owner, self._kind(owner, kind)), self._name_table(writes=False)
        theirs = host.owned_in_session(self._session(), who, table=table, or_had=True)
        is_it = (row for row in theirs if row.display == name and row.state == "owned")
        if row := next(is_it, None):
            return Availability(name, row.canonical, available=True)  # whatever the rules say now
        asked = self._asked(name, [row.display for row in theirs])
        rows = self._rows([asked.username.key] if asked.username else [])
        return _advice(name, asked, {k: row for k, row in rows.items() if not row.is_of(*who)})

    def check_many(self, names: Sequence[str]) -> list[Availability]:
        """Whether each of these names could be claimed now, in their order, with one query."""
        asked = [self._asked(name) for name in names]
        keys = list(dict.fromkeys(one.username.key for one in asked if one.username))
        rows = self._rows(keys)
        return [_advice(name, one, rows) for name, one in zip(names, asked, strict=True)]

    def owner_of(self, name: str) -> NameOwner | None:
        """Who has this name, in any spelling of it; who has one that looks like it, has not.

        An old name leads to who gave it up, while it is kept for them.

        Args:
            name: As somebody typed it.

        Returns:
            None if it is nobody's, or can be no name.
        """
        try:
            username = self.parser.existing(name)
        except InvalidName:
            return None
        rows = self._holders(username, self.parser.keys(username))
        row = meant(username, [row for row in rows if row.owner is not None])
        if row is None or row.owner is None:
            return None
        if row.state == "owned":
            return NameOwner(str(row.owner_kind), row.owner, row.display)
        if row.state != "quarantined":
            return None
        now = self.names_of(row.owner, kind=row.owner_kind)
        # An owner with several names has none that took this one's place.
        if len(now) != 1:
            return None
        return NameOwner(str(row.owner_kind), row.owner, now[0], was=row.display)

    def names_of(self, owner: object, *, kind: Any = None) -> list[str]:
        """The names that an owner has in this namespace, as they wrote them.

        Args:
            owner: A mapped instance, or a plain id.
            kind: What a plain id is of; see `claim`.

        Raises:
            OwnerWithoutIdentity: They have no identity.
        """
        who, table = identify(owner, self._kind(owner, kind)), self._name_table(writes=False)
        return [row.display for row in host.owned_in_session(self._session(), who, table=table)]

    def suggest(self, name: str, *, count: int = 5) -> list[str]:
        """Names like this one that are free now: at most so many, none if it leaves no room."""
        try:
            made = self._like(self.parser.with_reserved(()).parse(name), max(CANDIDATES, 2 * count))
        except InvalidName:
            return []
        rows = self._rows([one.key for one in made])
        free = [one.name for one in made if (row := rows.get(one.key)) is None or row.free]
        return free[:count]

    def history(self, name: str, *, limit: int = 50) -> list[PastChange]:
        """The newest changes of a name and of those that look like it, newest first.

        Raises:
            InvalidName: There can be no such name.
        """
        key, table = self.parser.existing(name).key, self._name_table(writes=False)
        with host.reading(self._session(), table) as run:
            return read_history(run, table.namespace, key, limit=limit)

    def _own(self, owner: object, kind: Any) -> list[str]:
        """What an owner is called, or may be again."""
        state, table = instance_state(owner), self._name_table(writes=False)
        if state is not None and not state.has_identity:
            return []
        who = identify(owner, kind)
        rows = host.owned_in_session(self._session(), who, table=table, or_had=True)
        return [row.display for row in rows]

    def _like(self, username: Username, count: int = CANDIDATES) -> Sequence[Suggestion]:
        """Names like this one, which may be taken."""
        minute = int(time.time() // 60)
        return candidates(username, parser=self.parser, seed_minute=minute, count=count)

    def _asked(self, name: str, own: Sequence[str] = ()) -> Asked:
        """A name that is asked about, which may be no text, by who has these or had them."""
        try:
            return Asked(self.parser.parse_own(name, lambda: own))
        except InvalidName as error:
            return Asked(None, error)

    def _holder(self, username: Username) -> NameRow | None:
        return next(iter(self._holders(username, [username.key])), None)

    def _holders(self, username: Username, keys: Sequence[str]) -> list[NameRow]:
        table = self._name_table(writes=False)
        with host.reading(self._session(), table) as run:
            return host.held_by(run, username, keys, table)

    def _rows(self, keys: Sequence[str]) -> Mapping[str, NameRow]:
        if not keys:
            return {}
        table = self._name_table(writes=False)
        with host.reading(self._session(), table) as run:
            return host.find_rows(run, keys, table)


def _advice(name: str, asked: Asked, rows: Mapping[str, NameRow]) -> Availability:
    why = found_against(asked, rows)
    reasons = why.reasons if isinstance(why, InvalidName) else ()
    return Availability(name, asked.canonical, why is None, why.code if why else None, reasons)
