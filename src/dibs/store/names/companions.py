"""Companions: the second key of each name, while names are on their way to other rules.

A companion is a row under a marked key, which no name can have. Its canonical form is the key of
the row that the name itself is in. Nobody ever ends one: it is as taken as that row. See
docs/rekey.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from dibs.errors import InvalidName, RulesReplaced
from dibs.names import Phase
from dibs.names.username import READERS
from dibs.store.database.dialects.base import Inserted
from dibs.store.database.rows import claim_params, key_params
from dibs.store.database.runs import Run
from dibs.store.database.transactions import RowVanished
from dibs.store.names.history import changed
from dibs.store.names.reading import Place, no_row, read, require_rules
from dibs.store.records import Claim, NameRow, member_bounds, owned

REKEY = "rekey"
"""The kind of owner that companions have, by which they are found, and the actor."""

LEFT = f"owner_kind = '{REKEY}' AND owner = '{REKEY}'"
"""True for companions, and for old keys that names have left behind."""

MARK, BEHIND = "\x03", "\x04"
"""No name's key has a control character in it, and those of groups have others."""

ROUNDS = 5


def companion_key(key: str) -> str:
    """The key of the companion of a name with this key by the new rules."""
    return MARK + key


def new_key(claim: Claim) -> str:
    """The key that a name has by the new rules, wherever its row is."""
    twin = claim.username.twin
    return claim.username.key if twin is None or twin.phase.step == "moving" else twin.key


class Taken(NamedTuple):
    """What became of the companions of claims.

    Attributes:
        lost: The rows that are in the way, by the claims' tokens.
        made: The companions that were not there before, by the same.
    """

    lost: dict[str, NameRow]
    made: dict[str, Place]


def take(run: Run, claims: Sequence[Claim], *, patient: bool = True) -> Taken:
    """Take the new keys of names whose rows are about to be claimed: before those, and in order."""
    taken, first = Taken({}, {}), dict[Place, Claim]()
    for claim in claims:
        # Two of one batch that are one by the new rules alone.
        other = first.setdefault((claim.namespace, new_key(claim)), claim)
        if other.username.key != claim.username.key:
            taken.lost[claim.token] = owned(other, version=1)
    marks = {c.token: _companion(c) for c in first.values()}
    ordered = sorted(marks.values(), key=lambda mark: mark.place)
    news = [changed(owned(mark, version=1), "claimed") for mark in ordered]
    inserted = run.dialect.insert_names(run, ordered, news, told=False, patient=patient)
    in_force = claims[0].username.in_force
    see_rules(run, ordered, inserted)
    there = {mark.place for mark in ordered if mark.token not in inserted.won}
    rows = {at: inserted.rows[at] for at in there if at in inserted.rows}
    rows |= read(run, there - rows.keys(), rules=in_force)
    for claim in first.values():
        mark = marks[claim.token]
        if mark.token in inserted.won:
            taken.made[mark.token] = mark.place
        elif (row := _take_over(run, claim, mark, rows.get(mark.place))) is not None:
            taken.lost[mark.token] = row
    return taken._replace(lost=taken.lost | _met(run, claims, taken.lost))


@contextmanager
def after(something: bool) -> Iterator[None]:
    """Do this where the transaction may have written something already."""
    try:
        yield
    except RulesReplaced as error:
        error.is_first &= not something
        raise


def see_rules(run: Run, claims: Sequence[Claim], inserted: Inserted) -> None:
    """See that what was just inserted was read by the rules in force; else take it back, and raise.

    A host's transaction may go on.
    """
    try:
        require_rules(claims[0].username.in_force, inserted.rules)
    except RulesReplaced:
        won = [one for one in claims if one.token in inserted.won]
        give_back(run, [(one.token, one.place) for one in won])
        raise


def _companion(claim: Claim) -> Claim:
    name = claim.username
    key = companion_key(new_key(claim))
    return Claim(
        name._replace(key=key, canonical=name.key),
        REKEY,
        REKEY,
        claim.token,
        claim.namespace,
        state="companion",
    )


def _take_over(run: Run, claim: Claim, mark: Claim, row: NameRow | None) -> NameRow | None:
    """Have a companion be of this name, if it is, or of one that is over; else who is in the way.

    It is written in any case: two names that find it free must not both have it.
    """
    for _ in range(ROUNDS):
        if row is None:
            no_row(run, claim)
        if row.canonical != claim.username.key:
            there = (claim.namespace, row.canonical)
            holder = read(run, {there}).get(there)
            if holder is not None and not _yields(holder, claim):
                return holder
        params = claim_params([mark]) | {"version": row.version}
        if run.change(run.dialect.take_over(when_free=False), params) == 1:
            return None
        row = read(run, {mark.place}).get(mark.place)
    raise RowVanished(mark.username.key)


def _yields(row: NameRow, claim: Claim) -> bool:
    """Whether what is in the row need not keep this claim from the same name by the new rules."""
    return row.is_owned_by(claim.owner_kind, claim.owner) or row.open_to(claim)


def _met(run: Run, claims: Sequence[Claim], lost: Mapping[str, NameRow]) -> dict[str, NameRow]:
    """The names that were there before there were companions, and need none: both keys are one."""
    phase = claims[0].username.twin.phase if claims[0].username.twin else None
    if phase is None or phase.step != "both" or phase.other is None:
        return {}
    asked = {
        c.token: (c.namespace, new_key(c))
        for c in claims
        if c.token not in lost and new_key(c) != c.username.key
    }
    rows = read(run, set(asked.values()))
    by_token = {claim.token: claim for claim in claims}
    return {
        token: rows[at]
        for token, at in asked.items()
        if at in rows
        and is_called(rows[at], phase.other)
        and not _yields(rows[at], by_token[token])
    }


def point(run: Run, group: Place, rows: Mapping[str, NameRow]) -> None:
    """Have the companions of a group's members say where names are that are left of it, by key."""
    phase = Phase.of(run.value(f"SELECT {run.dialect.rules}", {}) or 0)
    for rules in (phase.rules, phase.other) if phase.has_twins else ():
        for key, row in rows.items():
            try:
                mark = companion_key(READERS[rules or 0](row.display).key)
            except (InvalidName, KeyError):
                continue  # it has none, or these rules are not known here, which claim nothing
            sql = (
                "UPDATE dibs_names SET canonical = :to, version = version + 1"
                f" WHERE {run.dialect.among(1)} AND canonical > :first AND canonical < :last"
            )
            params = key_params(group[0], [mark]) | {"to": key} | member_bounds(group[1])
            run.change(sql, params)


def is_called(row: NameRow, rules: int) -> bool:
    """Whether a row that is not free has the name's key by these rules."""
    if row.free or row.state == "companion":
        return False
    if row.state == "group":
        return True
    try:
        return READERS[rules](row.display).key == row.key
    except InvalidName:
        return False


def give_back(run: Run, made: Sequence[tuple[str, Place]]) -> None:
    """Undo what was written for names that somebody else has, where the transaction goes on."""
    for token, (namespace, key) in made:
        sql = f"DELETE FROM dibs_names WHERE {run.dialect.among(1)} AND claim_token = :token"
        run.change(sql, key_params(namespace, [key]) | {"token": token})


def resolved(run: Run, places: set[Place]) -> dict[Place, NameRow]:
    """The rows of names by their new keys, wherever those are, while they move."""
    marks = {(namespace, companion_key(key)): (namespace, key) for namespace, key in places}
    rows = read(run, places | marks.keys())
    found = {at: row for at, row in rows.items() if at in places}
    elsewhere = {
        marks[at]: (at[0], mark.canonical)
        for at, mark in rows.items()
        if at in marks and mark.canonical != marks[at][1]
    }
    there = read(run, set(elsewhere.values())) if elsewhere else {}
    for at, old in elsewhere.items():
        row, now = there.get(old), found.get(at)
        if row is None or row.free or row.state == "companion":
            continue
        if now is None or now.free or now.state == "companion":
            found[at] = row
    return found
