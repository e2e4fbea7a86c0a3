"""Groups: people whose names are one, and who all keep theirs.

They had them before dibs, or before the rules that make their names one. The key's row is in the
state `group` and is granted to nobody. Each member has a row of their own under a marked key,
which no name can have: a control character, the key, the same again, and the name exactly as
they wrote it. So all members of a group lie side by side. Within a group only the exact
spelling is somebody; other spellings are nobody, or the one who was made the group's first.

Whoever changes a group locks the key's row before anything else of it. A member who leaves drops
out; the last one is promoted: their name moves to the key, as if there had been nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from dibs.names import Username
from dibs.names.skeleton import is_too_long
from dibs.signals import Action, NameChange
from dibs.store.accounts.rows import make_row
from dibs.store.database.rows import key_params, name_row, row_params
from dibs.store.database.runs import Run
from dibs.store.database.transactions import RowVanished
from dibs.store.names.companions import point
from dibs.store.names.history import Step, append, changed
from dibs.store.names.reading import MAX_BATCH, Place, change_at, parts, read
from dibs.store.records import Claim, FirstClaim, NameRow, member_bounds, member_key, owned

Find = Callable[[Sequence[str]], Mapping[str, NameRow]]
"""The rows of keys, by key."""


def holders(find: Find, username: Username, keys: Sequence[str]) -> list[NameRow]:
    """The rows of these keys; for that of a group the one of the member who is meant, if one is."""
    rows = find(keys).values()
    return [row if row.state != "group" else _meant(find, row, username) for row in rows]


def _meant(find: Find, group: NameRow, username: Username) -> NameRow:
    """The row of who writes the name exactly like this; else of the group's first, if any."""
    key, mine = group.key, member_key(group.key, username.display)
    theirs = member_key(key, group.display)
    found = find([key, mine, theirs])  # the key again: the last member may just be promoted
    row = found.get(key, group)
    if row.state != "group":
        return row
    for member in (found.get(mine), found.get(theirs)):
        is_first = member is not None and row.owner is not None and member.is_of(*_owner(row))
        if member is not None and member.state == "owned" and (member.key == mine or is_first):
            return member
    return row


def who_has(run: Run, row: NameRow, claim: Claim) -> NameRow:
    """Who has a name that is refused: in a group the member who writes it like this."""
    if row.state != "group":
        return row
    key = member_key(row.key, claim.username.display)
    member = read(run, {(row.namespace, key)}).get((row.namespace, key))
    return member if member is not None and member.state == "owned" else row


def within(claim: Claim, leaving: Iterable[NameRow]) -> Claim:
    """The claim of one's own name in a group, in another spelling, or as its next owner.

    Any other claim is as it was.

    Args:
        leaving: What is given up in the same transaction.
    """
    name = claim.username
    key = member_key(name.key, name.display)
    for row in leaving:
        if row.is_member and row.group == claim.place:
            is_theirs = row.key == key or row.is_of(claim.owner_kind, claim.owner)
            if is_theirs and not is_too_long(key):
                return replace(claim, username=name._replace(key=key))
    return claim


class Members(NamedTuple):
    """A group that nobody else can change any more.

    Attributes:
        row: The key's; None if there is none.
    """

    row: NameRow | None
    owned: list[NameRow]

    def find(self, is_it: Callable[[NameRow], bool], display: str) -> NameRow | None:
        """The row of a member, or of the one who was promoted; of several that of this name."""
        rows = [row for row in [*self.owned, self.row] if row is not None and is_it(row)]
        return min(rows, key=lambda row: row.display != display, default=None)


def lock(run: Run, group: Place) -> Members:
    """A group as it is, and stays until the end of this transaction."""
    namespace, key = group
    params: dict[str, object] = {"namespace": namespace, "key": key}
    sql = run.dialect.lock_rows("namespace = :namespace AND name_key = :key")
    row = next(map(name_row, run.rows(sql, params)), None)
    where = "namespace = :namespace AND name_key > :first AND name_key < :last"
    params = {"namespace": namespace} | member_bounds(key)
    found = map(name_row, run.rows(run.dialect.lock_rows(where), params))
    return Members(row, [member for member in found if member.state == "owned"])


def lock_all(run: Run, rows: Iterable[NameRow]) -> dict[Place, Members]:
    """The groups that these rows are of, in the order in which everybody locks them."""
    places = {row.group for row in rows if row.is_member or row.state == "group"}
    return {group: lock(run, group) for group in sorted(places)}


def hold(run: Run, rows: Sequence[NameRow]) -> list[NameRow]:
    """These rows as they are once nobody else can change their groups.

    A member promoted meanwhile is found by the key's row; rows without an owner are left out.
    """
    groups = lock_all(run, rows)
    kept = {row.place: row for row in rows if row.group not in groups}
    for row in rows:
        if row.group in groups:
            now = groups[row.group].find(_same_owner(row), row.display)
            if now is not None:
                kept[now.place] = now
    return [kept[at] for at in sorted(kept)]


class Joined(NamedTuple):
    """What became of people whose names are others' too.

    Attributes:
        rows: Theirs, by their claims' tokens; None where somebody else writes it exactly like
            that, or where no key could hold it.
        moved: Those of people who had the key's row until now, by its place.
        new: The tokens of those whose rows were not there before.
    """

    rows: dict[str, NameRow | None]
    moved: dict[Place, NameRow]
    new: set[str]


def join(run: Run, claims: Sequence[Claim], *, adopted: bool = False) -> Joined:
    """Have people keep their names beside those who have the keys' rows.

    Args:
        adopted: Whether they had them before dibs was there.
    """
    rows = locked_at(run, {one.place for one in claims})
    first = FirstClaim(0, None, None, registered=False, adopted=True) if adopted else None
    wanted = [replace(owned(one, version=1), first=first) for one in claims]
    seats = Seats(read(run, {_seat(row) for row in [*rows.values(), *wanted]}))
    again = {row.place for row in taken_over(run, rows.values())} if adopted else set()
    joined, turned = Joined({}, {}, set()), dict[Place, NameRow]()
    for claim, mine in zip(claims, wanted, strict=True):
        row = rows.get(mine.group)
        if row is None or row.state not in ("owned", "group"):
            raise RowVanished(mine.key)
        if _same_owner(mine)(row):
            joined.rows[claim.token] = row
            continue
        if row.state == "owned" and _seat(row) != _seat(mine) and _fits(row) and _fits(mine):
            moving = replace(row, first=first) if row.place in again else row
            joined.moved[mine.group] = seats.take(moving) or row
            turned[mine.group] = row
            row = rows[mine.group] = replace(row, state="group", owner_kind=None, owner=None)
        is_in = row.state == "group" and _fits(mine)
        others = len(seats.new)
        joined.rows[claim.token] = seats.take(mine) if is_in else None
        if len(seats.new) > others:
            joined.new.add(claim.token)
    _write_seats(run, seats, joined.moved)
    _write_turned(run, turned)
    return joined


def taken_over(run: Run, rows: Iterable[NameRow]) -> list[NameRow]:
    """Those that were there before, and whose last change was that they were adopted."""
    sql = (
        "SELECT action FROM dibs_history"
        " WHERE namespace = :namespace AND name_key = :key AND version = :version"
    )
    return [
        row
        for row in rows
        if row.first is None and row.state == "owned"
        if run.value(sql, {"namespace": row.namespace, "key": row.key, "version": row.version})
        == "adopted"
    ]


@dataclass(slots=True)
class Seats:
    """Rows of members: those that are there, and those that are to be."""

    there: dict[Place, NameRow]
    new: dict[Place, NameRow] = field(default_factory=dict)

    def take(self, row: NameRow) -> NameRow | None:
        """Make this name's owner a member; None if another one spells it exactly the same."""
        at = _seat(row)
        now = self.new.get(at) or self.there.get(at)
        if now is not None and now.state == "owned":
            return now if _same_owner(row)(now) else None
        version = now.version + 1 if now else 1
        seat = self.new[at] = replace(row, key=at[1], claim_token=None, version=version)
        return seat


def _seat(row: NameRow) -> Place:
    return row.namespace, member_key(row.key, row.display)


def _fits(row: NameRow) -> bool:
    return not is_too_long(_seat(row)[1])


def locked_at(run: Run, places: set[Place]) -> dict[Place, NameRow]:
    """The rows at these places, locked as they were committed last."""
    found: dict[Place, NameRow] = {}
    for namespace, keys in parts(places):
        sql = run.dialect.lock_rows(run.dialect.among(len(keys)))
        rows = map(name_row, run.rows(sql, key_params(namespace, keys)))
        found |= {(namespace, row.key): row for row in rows}
    return found


def _write_seats(run: Run, seats: Seats, moved: Mapping[Place, NameRow]) -> None:
    steps: list[Step] = []
    were = {row.place for row in moved.values()}
    new: dict[bool, list[tuple[NameRow, NameChange]]] = {True: [], False: []}
    for at, row in sorted(seats.new.items()):
        is_adopted = row.first is not None and row.first.adopted
        is_moved = at in were
        action: Action = "adopted" if is_adopted else "grouped" if is_moved else "claimed"
        change = changed(row, action, was=row.display if is_moved else None, became=row.display)
        before = seats.there.get(at)
        steps.append(Step(before, change, told=is_moved and not is_adopted))
        if before is None:
            new[steps[-1].told].append((row, change))
        else:
            write(run, row)
    for told, rows in new.items():
        for start in range(0, len(rows), MAX_BATCH):
            part = rows[start : start + MAX_BATCH]
            news = None if told else [change for _, change in part]
            run.change(*run.dialect.insert_rows([row for row, _ in part], news))
    append(run, steps)


def _write_turned(run: Run, turned: Mapping[Place, NameRow]) -> None:
    """Have these keys be groups', whose rows were people's."""
    steps: list[Step] = []
    for row in turned.values():
        if row.first is not None and row.first.registered:
            make_row(run, str(row.owner))  # their name's first claim has said that they exist
        group = replace(row, state="group", owner_kind=None, owner=None, version=row.version + 1)
        steps.append(Step(row, changed(group, "grouped", was=row.display)))
    change = (
        "UPDATE dibs_names SET state = 'group', owner_kind = NULL, owner = NULL,"
        f" claim_token = NULL, version = version + 1, updated_at = {run.dialect.clock}"
    )
    for version in {row.version for row in turned.values()}:
        places = [at for at, row in turned.items() if row.version == version]
        also = " AND version = :version"
        if change_at(run, places, change, also=also, version=version) != len(places):
            raise RowVanished(places[0][1])
    append(run, steps)


class Settled(NamedTuple):
    """What became of groups that somebody has left.

    Attributes:
        empty: The keys' rows of those in which nobody is left.
    """

    steps: list[Step]
    empty: list[NameRow]


def settle(run: Run, gone: Iterable[NameRow]) -> Settled:
    """Look who is left in groups, of which these rows were, and promote the last one."""
    settled = Settled([], [])
    for members in lock_all(run, (row for row in gone if row.is_member)).values():
        row, owned = members
        if row is None or row.state != "group":
            continue
        point(run, row.group, {row.key: owned[0]} if len(owned) == 1 else {o.key: o for o in owned})
        if not owned:
            settled.empty.append(row)
        elif len(owned) == 1:
            settled.steps.extend(_promote(run, row, owned[0]))
        elif row.owner is not None:
            settled.steps.extend(_keep_first(run, row, members))
    return settled


def _promote(run: Run, row: NameRow, last: NameRow) -> list[Step]:
    moved = replace(last, key=row.key, claim_token=None, version=row.version + 1, first=None)
    left = replace(last, claim_token=None, version=last.version + 1, first=None)
    write(run, moved)
    write(run, replace(left, state="free", owner_kind=None, owner=None))
    name = last.display
    return [
        Step(before, changed(after, "promoted", was=name, became=name))
        for before, after in ((row, moved), (last, left))
    ]


def _keep_first(run: Run, row: NameRow, members: Members) -> list[Step]:
    """Have the key's row say how its first spells their name now, or that there is none."""
    first = members.find(_same_owner(row), row.display)
    if first is not None and first.key != row.key:
        return [] if first.display == row.display else [name_first(run, row, first)]
    return [name_first(run, row, None)]


def name_first(run: Run, row: NameRow, first: NameRow | None) -> Step:
    """Have this member be found by their other spellings too, or nobody."""
    shown = first or row
    after = replace(
        row,
        canonical=shown.canonical,
        display=shown.display,
        owner_kind=first.owner_kind if first else None,
        owner=first.owner if first else None,
        version=row.version + 1,
        first=None,
    )
    write(run, after)
    became = first.display if first else None
    return Step(row, changed(after, "grouped", was=row.display, became=became))


def write(run: Run, after: NameRow, lasts: int | None = None) -> None:
    """Write this as the row's next version, to end after so many milliseconds, if it is to."""
    params = row_params([after]) | {"version": after.version - 1, "lasts_0": lasts}
    if run.change(run.dialect.take_over(when_free=False), params) != 1:
        raise RowVanished(after.key)


def _owner(row: NameRow) -> tuple[str, str]:
    return str(row.owner_kind), str(row.owner)


def _same_owner(row: NameRow) -> Callable[[NameRow], bool]:
    return lambda other: other.is_owned_by(*_owner(row))
