"""Rows on their way to the keys of other rules; see `dibs.store.names.rekey`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Literal, NamedTuple

from dibs.errors import InvalidName
from dibs.names.username import READERS, Username
from dibs.signals import NameChange
from dibs.store.accounts.rows import ONLY_NAMED
from dibs.store.database.runs import Run
from dibs.store.names import groups
from dibs.store.names.companions import BEHIND, MARK, REKEY, companion_key, is_called
from dibs.store.names.history import Step, append, changed
from dibs.store.names.quarantine import FREE, end_groups, end_row
from dibs.store.names.reading import Place, change_at, read
from dibs.store.records import Claim, NameRow, State

Fate = Literal["moved", "ended", "kept"]
"""What became of one name: `kept` has no place to go to."""


class Wanted(NamedTuple):
    """A row, and what its name is by the new rules."""

    row: NameRow
    name: Username

    @property
    def place(self) -> Place:
        """Where the row is to be."""
        return self.row.namespace, self.name.key


def _mark(one: Wanted) -> Place:
    return one.row.namespace, companion_key(one.name.key)


def _companion(one: Wanted, key: str) -> NameRow:
    return replace(
        one.row,
        key=key,
        canonical=one.row.key,
        state="companion",
        owner_kind=REKEY,
        owner=REKEY,
        claim_token=None,
        version=1,
    )


def accompany(run: Run, wanted: Sequence[Wanted], rules: int, merged: list[Place]) -> None:
    """Write the companions of these rows, and find those that are one with others."""
    merged.clear()  # the transaction may be run again
    marks = {_mark(one): one for one in reversed(wanted)}
    rows = [_companion(marks[at], at[1]) for at in sorted(marks)]
    news = [changed(row, "claimed") for row in rows]
    run.change(*run.dialect.insert_rows(rows, news))
    there = read(run, {*marks, *(one.place for one in wanted)})
    theirs = read(run, {(at[0], there[at].canonical) for at in marks})
    for one in wanted:
        here, mark, met = one.row.place, there[_mark(one)], there.get(one.place)
        if met is not None and is_called(met, rules):
            merged.append(here)
        if mark.canonical != one.row.key:
            other = here[0], mark.canonical
            if other in theirs and _has(theirs[other], one.name.key, rules):
                merged += [other, here]
            else:  # of a name that is over
                groups.write(run, replace(mark, canonical=one.row.key, version=mark.version + 1))


def _has(row: NameRow, key: str, rules: int) -> bool:
    """Whether a row that is not free has a name with this key by these rules."""
    if row.free or row.state == "companion":
        return False
    try:
        return READERS[rules](row.display).key == key
    except InvalidName:
        return False


def _leave(run: Run, rows: Sequence[NameRow]) -> list[Step]:
    """Leave keys behind that nobody can have until the old ones are given up.

    The rows are locked.
    """
    _become(run, rows, "companion", REKEY)
    return [Step(row, _news(replace(row, version=row.version + 1))) for row in rows]


def _become(run: Run, rows: Iterable[NameRow], state: State, owner: str | None) -> None:
    change = (
        "UPDATE dibs_names SET state = :state, owner_kind = :owner, owner = :owner,"
        f" claim_token = NULL, expires_at = NULL, version = version + 1,"
        f" updated_at = {run.dialect.clock}"
    )
    change_at(run, (row.place for row in rows), change, state=state, owner=owner)


def _news(row: NameRow) -> NameChange:
    return changed(row, "rekeyed", was=row.display, became=row.display)


def _register(run: Run, rows: Iterable[NameRow]) -> None:
    """Make the rows of users of whom their name's first claim alone says that they exist."""
    only_named = [row.place for row in rows if row.first is not None and row.first.registered]
    sql = "INSERT INTO dibs_users (id, created_at) SELECT owner, created_at FROM dibs_names"
    also = f" AND {ONLY_NAMED.format('')} {run.dialect.pass_over('id')}"
    change_at(run, only_named, sql, also=also)


def move_alone(run: Run, wanted: Sequence[Wanted], moved: set[Place]) -> None:
    """Move the rows whose new places were never anybody's: nearly all, in a few statements."""
    moved.clear()
    alone = {one.row.place: one for one in wanted if not one.row.is_member}
    rows = groups.locked_at(run, set(alone))
    targets: dict[Place, Wanted] = {}
    for at, one in alone.items():
        if rows.get(at) == one.row and one.name.key != one.row.key:
            targets.setdefault(one.place, one._replace(row=rows[at]))
    there = read(run, set(targets))
    new = [one for at, one in sorted(targets.items()) if at not in there]
    if not new:
        return
    _register(run, (one.row for one in new))
    run.change(*run.dialect.insert_rows([_renamed(one, 1) for one in new]))
    arrived = read(run, {one.place for one in new})
    new = [one for one in new if _is_same(arrived.get(one.place), one.row)]  # or who was quicker
    steps = _leave(run, [one.row for one in new])
    steps += [Step(None, _news(arrived[one.place]), told=True) for one in new]
    append(run, steps)
    _point(run, new)
    run.noted.clear()  # whose name it is, and how it is written, is as before
    moved |= {one.row.place for one in new}


def _is_same(now: NameRow | None, row: NameRow) -> bool:
    what = attrgetter("display", "state", "owner_kind", "owner")
    return now is not None and now.version == 1 and what(now) == what(row)


def _point(run: Run, moved: Sequence[Wanted]) -> None:
    """Have companions say that the row of their name is at its new key."""
    # Behind the mark.
    sql = "UPDATE dibs_names SET canonical = SUBSTR(name_key, 2), version = version + 1"
    change_at(run, map(_mark, moved), sql)


def move_one(run: Run, one: Wanted, fates: list[Fate]) -> None:
    """Move one name, whatever is at its new place."""
    groups.lock_all(run, [one.row])
    rows = groups.locked_at(run, {one.row.place, one.place})
    row, met = rows.get(one.row.place), rows.get(one.place)
    if row is None or (row.display, row.state) != (one.row.display, one.row.state) or row.free:
        fates.append("moved")  # it is another name by now, whose claim has taken the new key
        return
    _register(run, [row])
    one = one._replace(row=row)
    if one.name.key == row.group[1]:  # only its canonical form is another
        after = replace(row, canonical=one.name.canonical, version=row.version + 1, first=None)
        groups.write(run, after, after.expires_in)
        append(run, [Step(row, _news(after))])
        fates.append("moved")
        return
    steps: list[Step] = []
    fates.append(_arrive(run, one, met, steps))
    if fates[-1] == "kept":
        return
    if row.is_member:
        steps.append(end_row(run, row, FREE, action="left", became=row.display).step)
    else:
        steps += _leave(run, [row])
    append(run, steps)
    if row.is_member:
        end_groups(run, [row], FREE)
    _point(run, [one])
    run.noted.clear()


def _arrive(run: Run, one: Wanted, met: NameRow | None, steps: list[Step]) -> Fate:
    """Write the name to its new place: somebody's own goes before what is nobody's."""
    row = one.row
    is_taken = met is not None and not met.free and met.state != "companion"
    if met is not None and is_taken and met.state in ("owned", "group") and row.state == "owned":
        claim = Claim(one.name, str(row.owner_kind), str(row.owner), REKEY, row.namespace)
        return "kept" if groups.join(run, [claim]).rows[claim.token] is None else "moved"
    if is_taken and row.state != "owned":
        return "ended"
    after = _renamed(one, 1 if met is None else met.version + 1)
    if met is None:
        run.change(*run.dialect.insert_rows([after]))
    else:
        groups.write(run, after, after.expires_in)
    steps.append(Step(met, _news(after), told=met is None))
    return "moved"


def _renamed(one: Wanted, version: int) -> NameRow:
    """The row at its new place."""
    name = one.name
    return replace(
        one.row,
        key=name.key,
        canonical=name.canonical,
        rules_version=name.rules_version,
        claim_token=None,
        version=version,
        first=None,
    )


def free_some(run: Run, rows: Sequence[NameRow]) -> None:
    """Delete companions, and let go of old keys that names have left behind."""
    marked = [row for row in rows if MARK <= row.key < BEHIND]
    change_at(run, (row.place for row in marked), "DELETE FROM dibs_names")
    left = groups.locked_at(run, {row.place for row in rows if row not in marked})
    gone = [row for row in left.values() if row.state == "companion"]
    _become(run, gone, "free", None)
    ended = [replace(row, version=row.version + 1) for row in gone]
    news = [changed(row, "released", was=row.display) for row in ended]
    append(run, list(map(Step, gone, news)))
    run.noted.clear()
