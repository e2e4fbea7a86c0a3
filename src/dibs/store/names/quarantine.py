"""How a name stops being somebody's: at once, or after a quarantine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dibs.signals import Action
from dibs.store.database.rows import name_row
from dibs.store.database.runs import Run
from dibs.store.database.transactions import RowVanished
from dibs.store.names.groups import hold, settle
from dibs.store.names.history import Step, append, changed
from dibs.store.records import NameRow, State

OF_OWNER = "owner_kind = :owner_kind AND owner = :owner"


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What a name is between its owner and the next one.

    Attributes:
        lasts: Milliseconds for which nobody else can have it; None for ever.
        remembered: Whether its last owner may take it back, and is found by it meanwhile. Not
            of one who is deleted: their id may be given to somebody else.
    """

    lasts: int | None = 0
    remembered: bool = False

    @property
    def none(self) -> bool:
        """Whether the name is simply free."""
        return self.lasts == 0 and not self.remembered


FREE = Quarantine()


@dataclass(frozen=True, slots=True)
class EndedName:
    """A name that is somebody's no more, and what the history says of it."""

    row: NameRow
    step: Step


def end_row(
    run: Run, row: NameRow, rest: Quarantine = FREE, *, action: Action, became: str | None = None
) -> EndedName:
    """End what this row is, as it was read, and say what is to be written down.

    In what is given back `expires_at` is as before.
    """
    if row.is_member:
        rest = FREE  # nobody else could have this very name
    after = replace(
        row,
        state="free" if rest.none else "quarantined",
        owner_kind=row.owner_kind if rest.remembered else None,
        owner=row.owner if rest.remembered else None,
        claim_token=None,
        version=row.version + 1,
        free=rest.lasts == 0,
        first=None,
    )
    _write(run, after, None if rest.none else rest.lasts)
    who = replace(after, owner_kind=row.owner_kind, owner=row.owner)
    return EndedName(after, Step(row, changed(who, action, was=row.display, became=became)))


def end_rows(
    run: Run, rows: Sequence[NameRow], rest: Quarantine = FREE, *, action: Action
) -> list[NameRow]:
    """End what these rows are, and write that down; returns them as they are now."""
    ended = [end_row(run, row, rest, action=action) for row in rows]
    append(run, [one.step for one in ended])
    return [one.row for one in ended]


def end_groups(run: Run, gone: Sequence[NameRow], rest: Quarantine) -> list[NameRow]:
    """See to the groups that these rows have left; the names of empty ones rest as any other."""
    settled = settle(run, gone)
    unowned = replace(rest, remembered=False)
    ended = [end_row(run, row, unowned, action="released") for row in settled.empty]
    append(run, [*settled.steps, *(one.step for one in ended)])
    return [one.row for one in ended]


def release_where(
    run: Run, where: str, params: Mapping[str, object], rest: Quarantine
) -> list[NameRow]:
    """Release the owned names that `where` chooses, and lock nothing but those.

    One by one: at REPEATABLE READ, its default, InnoDB would lock the gaps that an UPDATE by
    owner passes over as well, and every claim that falls into one would wait: in an empty
    table all of them, whatever was released.

    Returns:
        The rows as they are now.
    """
    found = locked(run, f"state = 'owned' AND {where}", params)
    gone = end_rows(run, found, rest, action="released")
    return gone + end_groups(run, found, rest)


def release_for_good(
    run: Run, where: str, params: Mapping[str, object], lasts: int | None
) -> list[NameRow]:
    """Release every name of an owner who is about to be deleted, and forget those they had.

    Their id may be given to somebody else, who must not find an old name to be theirs.

    Returns:
        Those that they had until now, as they are now.
    """
    gone: list[NameRow] = []
    steps: list[Step] = []
    found = locked(run, f"state IN ('owned', 'quarantined') AND {where}", params)
    for row in found:
        if row.state == "owned":
            released = end_row(run, row, Quarantine(lasts), action="released")
            gone.append(released.row)
            steps.append(released.step)
            continue
        # One that is over already ends here: written anew it would end now, and a claim that has
        # waited for this row, with the time of when it began, would be told of it.
        state: State = "free" if row.free else row.state
        after = replace(row, state=state, owner_kind=None, owner=None, version=row.version + 1)
        _write(run, after, None if row.free else row.expires_in)
        steps.append(Step(row, changed(after, "forgotten", was=row.display)))
    append(run, steps)
    return gone + end_groups(run, found, Quarantine(lasts))


def locked(run: Run, where: str, params: Mapping[str, object]) -> list[NameRow]:
    """The rows that are about to be changed, in the order in which everybody locks them."""
    rows = [name_row(row) for row in run.rows(run.dialect.lock_where(where), params)]
    return hold(run, sorted(rows, key=lambda row: row.place))


def _write(run: Run, after: NameRow, lasts: int | None) -> None:
    params = {
        "namespace": after.namespace,
        "key": after.key,
        "version": after.version - 1,
        "state": after.state,
        "owner_kind": after.owner_kind,
        "owner": after.owner,
        "lasts": lasts,
    }
    if run.change(run.dialect.let_go(), params) != 1:
        raise RowVanished(after.key)
