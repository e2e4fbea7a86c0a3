"""Names that people had before dibs: put into their hands, and taken back, many at a time."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sqlalchemy import Engine

from dibs.names import Username
from dibs.store.database.rows import ADOPTED, listed, name_row, plain
from dibs.store.database.runs import Run
from dibs.store.host.connection import HostRun, translated_errors
from dibs.store.names.claims import insert_users
from dibs.store.names.groups import join, lock_all, taken_over, write
from dibs.store.names.history import Step, append, changed
from dibs.store.names.moves import Move, OldName, apply_moves
from dibs.store.names.quarantine import FREE, end_groups, end_rows
from dibs.store.names.reading import NEXT_NAMESPACE, Place, change_at, read, require_rules
from dibs.store.records import BEHIND, Claim, NameRow, NewUser, Won, owned

ACTOR = "adopt"
COLUMNS = (
    *("namespace", "name_key", "canonical", "display", "rules_version", "state"),
    *("owner_kind", "owner", "version", "created_at", "actor", "registered"),
)


SLOTS = 2**25
"""Of a million keys three in a hundred share one, of ten million a quarter. A byte each."""


class Entry(NamedTuple):
    """Somebody and the name that they have."""

    username: Username
    owner: str
    namespace: str

    @property
    def place(self) -> Place:
        """What the database makes unique."""
        return self.namespace, self.username.key


@dataclass(slots=True)
class Adopted:
    """What became of some people.

    Attributes:
        grouped: How many of both are in a group now.
        taken: Whose name somebody else writes exactly like that, or has under no key of a group.
    """

    new: int = 0
    already: int = 0
    grouped: int = 0
    taken: list[Entry] = field(default_factory=list)


class Written:
    """Which keys may have a row, in a table that had none when an import began.

    It says yes of some that have none, which costs a look-up, and no of those that somebody else
    writes meanwhile: the constraint refuses these, and the import looks for all from then on.
    """

    def __init__(self) -> None:
        self._slots = bytearray(SLOTS)

    def among(self, keys: Iterable[str]) -> list[str]:
        """Those of these keys that may have one; from now on all of them."""
        slots, found = self._slots, []
        for key in keys:
            slot = hash(key) % SLOTS
            if slots[slot]:
                found.append(key)
            slots[slot] = 1
        return found


def is_empty(run: Run) -> bool:
    """Whether no name has a row."""
    return not run.rows("SELECT 1 FROM dibs_names LIMIT 1", {})


def adopt(
    run: HostRun,
    entries: Sequence[Entry],
    kind: str,
    adopted: Adopted,
    written: Written | None = None,
) -> None:
    """Put these names into their owners' hands, in the caller's transaction.

    Args:
        written: Spares looking for the rows of keys that have none.

    Raises:
        RulesReplaced: The names were read by rules that are not in force.
        DBAPIError: Somebody claimed a name meanwhile; the same.
    """
    if not entries:
        return
    now, rules = run.rows(f"SELECT {run.dialect.clock}, {run.dialect.rules}", {})[0]
    require_rules(entries[0].username.rules_version, [rules])
    new: dict[str, dict[str, Entry]] = {}
    others: list[Entry] = []
    for one in entries:
        within = new.setdefault(one.namespace, {})
        if within.setdefault(one.username.key, one) is not one:
            others.append(one)
    for namespace, within in new.items():
        keys = list(within) if written is None else written.among(within)
        for row in run.dialect.read_many(run.connection, namespace, keys) if keys else ():
            key, state, owner_kind, owner = plain(row)
            one = within.pop(key)
            if state == "owned" and owner == one.owner and owner_kind == kind:
                adopted.already += 1
            else:
                others.append(one)
    ordered = [within[key] for within in new.values() for key in sorted(within)]
    _load(run, kind, ordered, now)
    adopted.new += len(ordered)
    if others:
        _adopt_others(run, kind, others, adopted)


def _load(run: HostRun, kind: str, entries: Iterable[Entry], now: int) -> None:
    rows = []
    for name, owner, namespace in entries:
        canonical = None if name.canonical == name.key else name.canonical
        written = (namespace, name.key, canonical, name.display, name.rules_version)
        rows.append((*written, "owned", kind, owner, 1, now, ACTOR, ADOPTED))
    if rows:
        run.dialect.load(run.connection, "dibs_names", COLUMNS, rows)


def _adopt_others(run: Run, kind: str, entries: Sequence[Entry], adopted: Adopted) -> None:
    """Those whose name's row is there: nobody's by now, or one that others have too."""
    rows = read(run, {one.place for one in entries})
    steps: list[Step] = []
    claims: list[tuple[Entry, Claim]] = []
    for one in entries:
        token = secrets.token_hex(8)
        claim = Claim(one.username, kind, one.owner, token, one.namespace, by_staff=True)
        row = rows.get(one.place)
        if row is None or not row.open_to(claim):
            claims.append((one, claim))
            continue
        after = replace(owned(claim, version=row.version + 1), claim_token=None)
        write(run, after)
        rows[one.place] = after
        steps.append(Step(row, changed(after, "adopted", became=after.display)))
        adopted.new += 1
    append(run, steps)
    joined = join(run, [claim for _, claim in claims], adopted=True)
    adopted.grouped += len(joined.moved)
    for one, claim in claims:
        if joined.rows[claim.token] is None:
            adopted.taken.append(one)
        elif claim.token in joined.new:
            adopted.new += 1
            adopted.grouped += 1
        else:
            adopted.already += 1


def renamed_by_plan(run: Run, kind: str) -> dict[Place, str]:
    """Who has another name than before because a plan says so, by namespace and id, and which."""
    sql = (
        "SELECT n.namespace, n.owner, n.display FROM dibs_history h JOIN dibs_names n ON"
        " n.namespace = h.namespace AND n.name_key = h.name_key AND n.version = h.version"
        " WHERE h.actor = :actor AND h.action = 'renamed' AND n.state = 'owned'"
        " AND n.owner_kind = :kind"
    )
    rows = run.rows(sql, {"actor": ACTOR, "kind": kind})
    return {(namespace, owner): name for namespace, owner, name in rows}


def rename(run: Run, old: Entry, new: Username, kind: str) -> bool:
    """Give somebody another name instead of theirs, and say whether it was to be had."""
    claim = Claim(new, kind, old.owner, secrets.token_hex(8), old.namespace)
    name = old.username
    theirs = OldName(old.namespace, name.key, name.canonical, kind, old.owner, name.display)
    outcome = apply_moves(run, [Move(claim, theirs)], FREE).outcomes[claim.token]
    return isinstance(outcome, Won)


def read_members(run: Run, namespace: str, after: str, limit: int) -> tuple[list[NameRow], str]:
    """Some members of groups, in the order of their keys.

    Args:
        namespace: That of the last one; empty at the beginning.
        after: The key of the last one; empty at the beginning of a namespace.

    Returns:
        Members of one namespace, and which it is; of the next one where there are no more in
        this one, and empty where there is none.
    """
    where = "namespace = :namespace AND name_key > :after AND name_key < :behind"
    sql = f"{run.dialect.select_where(where)} AND state = 'owned' ORDER BY name_key LIMIT {limit}"
    params = {"namespace": namespace, "after": after, "behind": BEHIND}
    if namespace and (found := [name_row(row) for row in run.rows(sql, params)]):
        return found, namespace
    return [], run.value(NEXT_NAMESPACE, {"namespace": namespace}) or ""


class Undone(NamedTuple):
    """What was taken back: of how many people, and names that are nobody's or somebody's alone."""

    names: int
    rows: list[NameRow]


def take_back(
    run: Run, kind: str, after: str, limit: int, *, users: bool = False
) -> tuple[Undone, str]:
    """Take back what was adopted of some owners and nobody has changed since.

    Of a group all are taken back at once, or the last one would be promoted in between.

    Args:
        after: The id of the last owner that was looked at.
        users: Whether these are users of the service, who go with their names, but for those
            who have used their account.

    Returns:
        What was taken back, and the last owner that was looked at; empty at the end.
    """
    where = "owner_kind = :kind AND owner > :after AND state = 'owned'"
    sql = f"{run.dialect.select_where(where)} ORDER BY owner LIMIT {limit}"
    rows = [name_row(row) for row in run.rows(sql, {"kind": kind, "after": after})]
    if not rows:
        return Undone(0, []), ""
    if len(rows) == limit and rows[0].owner != rows[-1].owner:  # who may have more of them
        rows = [row for row in rows if row.owner != rows[-1].owner]
    groups = lock_all(run, rows)
    wanted = {row.place: row for row in rows if not row.is_member}
    wanted |= {
        row.place: row for group in groups.values() for row in group.owned if row.owner_kind == kind
    }
    if users:
        stay = they_came_in(run, [str(row.owner) for row in wanted.values()])
        wanted = {at: row for at, row in wanted.items() if row.owner not in stay}
    mine = [row for row in wanted.values() if row.first is not None and row.first.adopted]
    later = taken_over(run, wanted.values())
    is_new = f"updated_at IS NULL AND registered = {ADOPTED}"
    change_at(run, (row.place for row in mine), "DELETE FROM dibs_names", also=f" AND {is_new}")
    ended = end_rows(run, later, action="released")
    rest = end_groups(run, [*mine, *later], FREE)
    if users and (mine or later):
        delete_adopted(run, [str(row.owner) for row in [*mine, *later]])
    gone = [replace(row, version=row.version + 1) for row in mine]
    return Undone(len(mine) + len(later), [*gone, *ended, *rest]), str(rows[-1].owner)


@dataclass(frozen=True, slots=True)
class AdoptedUser:
    """A user from elsewhere, with the hash as it was stored there."""

    id: str
    password_hash: str | None
    is_active: bool = True


OWN = "$argon2id$"
"""How hashes of ours begin: who has come in since, or chosen a password, has one."""

NEVER_IN = "NOT EXISTS (SELECT 1 FROM dibs_sessions WHERE user_id = dibs_users.id)"
"""Somebody of whom nothing says that they use their account, where they have no role either."""


def insert_adopted(engine: Engine, users: Sequence[AdoptedUser]) -> tuple[set[str], int]:
    """Write the rows of those who own a name and have no row yet, or one with another hash.

    Returns:
        The ids of the new ones, and how many hashes of others, who never came in, were corrected.

    Raises:
        StoreUnavailable: The database cannot answer; nothing was changed.
        TransactionMustRestart: It lost against another one; nothing was changed.
    """
    ids, params = listed([user.id for user in users])
    with engine.begin() as connection, translated_errors(connection):
        run = HostRun(connection)
        sql = "SELECT DISTINCT owner FROM dibs_names WHERE owner_kind = 'user' AND state = 'owned'"
        own = {row[0] for row in run.rows(f"{sql} AND owner IN ({ids})", params)}
        sql = f"SELECT id, password_hash FROM dibs_users WHERE id IN ({ids})"
        there: dict[str, str | None] = dict(run.rows(sql, params))
        corrected = sum(
            _correct(run, user, there[user.id]) for user in users if user.id in own & there.keys()
        )
        new = {user.id: user for user in users if user.id in own - there.keys()}
        if not new:
            return set(), corrected
        insert_users(run, [NewUser(user.id, user.password_hash) for user in new.values()])
        if out := [user.id for user in new.values() if not user.is_active]:
            among, params = listed(out)
            since = f"disabled_at = {run.dialect.clock}"
            run.change(f"UPDATE dibs_users SET {since} WHERE id IN ({among})", params)
    return set(new), corrected


def _correct(run: HostRun, user: AdoptedUser, stored: str | None) -> bool:
    if user.password_hash in (None, stored) or (stored or "").startswith(OWN):
        return False
    sql = f"UPDATE dibs_users SET password_hash = :now WHERE id = :id AND {NEVER_IN}"
    sql += " AND password_hash IS NULL" if stored is None else " AND password_hash = :stored"
    params = {"id": user.id, "now": user.password_hash} | ({"stored": stored} if stored else {})
    return run.change(sql, params) == 1


def they_came_in(run: Run, owners: Sequence[str]) -> set[str]:
    """Those of these users who have used the account that an import made of them."""
    ids, params = listed(owners)
    sql = f"SELECT id FROM dibs_users WHERE id IN ({ids}) AND NOT (role IS NULL AND {NEVER_IN})"
    return {row[0] for row in run.rows(sql, params)}


def delete_adopted(run: Run, owners: Sequence[str]) -> None:
    """Delete the rows of those of these users who have no name left."""
    ids, params = listed(owners)
    mine = "owner = dibs_users.id AND owner_kind = 'user' AND state = 'owned'"
    named = f"EXISTS (SELECT 1 FROM dibs_names WHERE {mine})"
    run.change(f"DELETE FROM dibs_users WHERE id IN ({ids}) AND NOT {named}", params)
