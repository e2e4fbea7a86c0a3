"""Names that owners gain and give up together: all of it in one transaction, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from dibs.names import Parser
from dibs.signals import Action
from dibs.store.database.dialects.base import Run
from dibs.store.database.rows import claim_params
from dibs.store.database.transactions import RowVanished
from dibs.store.names import companions, groups
from dibs.store.names.claims import decide, place
from dibs.store.names.history import Step, append, changed
from dibs.store.names.quarantine import Quarantine, end_groups, end_row
from dibs.store.names.reading import Place, read
from dibs.store.records import MARK, Claim, Lost, NameRow, Outcome, Won, owned


@dataclass(frozen=True, slots=True)
class OldName:
    """A name that an owner gives up, if it is theirs.

    Attributes:
        canonical: Of names with one key, which one.
        display: How they write it, if that is known: in a group it says who they are.
        is_moving: Whether the row may still be under the key of the rules of before.
    """

    namespace: str
    key: str
    canonical: str
    owner_kind: str
    owner: str
    display: str = ""
    is_moving: bool = False

    def read_by(self, parser: Parser | None) -> OldName:
        """The same by the rules that this parser has names by now; one found by a row stays."""
        if parser is None or not self.display:
            return self
        name = parser.existing(self.display)
        is_moving = name.twin is not None and name.twin.phase.step == "moving"
        return replace(self, key=name.key, canonical=name.canonical, is_moving=is_moving)

    def is_in(self, row: NameRow) -> bool:
        """Whether the row is of exactly this name, and this owner has it."""
        is_theirs = row.state == "owned" and row.is_of(self.owner_kind, self.owner)
        return is_theirs and row.canonical == self.canonical


@dataclass(frozen=True, slots=True)
class Move:
    """What changes for one owner: the name that they gain, and the one that they give up."""

    claim: Claim | None = None
    old: OldName | None = None

    def read_by(self, parser: Parser | None) -> Move:
        """The same by the rules that this parser has names by now."""
        return Move(
            self.claim and self.claim.read_by(parser), self.old and self.old.read_by(parser)
        )


class Moved(NamedTuple):
    """What became of moves.

    Attributes:
        freed: The rows of the names that are nobody's now.
        unknown: The names that were to be given up, and are not the owners' to give.
    """

    outcomes: dict[str, Outcome]
    freed: list[NameRow]
    unknown: Sequence[OldName] = ()


def apply_moves(
    run: Run, moves: Sequence[Move], rest: Quarantine, *, joins: bool = False, lock: bool = False
) -> Moved:
    """Claim what is gained, then end what is given up.

    A name that one of these owners gives up may be another's at once: two people can change
    names, and a quarantine keeps out only who is not one of them. Runs inside the caller's
    transaction, which alone makes it true, and which has to be rolled back if a claim is lost.

    Args:
        moves: In any order; claims are worked on in the order of their keys, so that two
            transactions cannot wait for each other in a circle.
        joins: Whether who loses a claim keeps the name all the same, in a group.
        lock: Whether the names that are given up are read as they were committed last.
    """
    leaving = _leaving(run, moves, lock=lock)
    was = {m.claim.token: leaving[id(m)].display for m in moves if m.claim and id(m) in leaving}
    given_up = {row.place: row for row in leaving.values()}
    outcomes: dict[str, Outcome] = {}
    steps: list[Step] = []
    left = list(leaving.values())
    claims = sorted((groups.within(move.claim, left) for move in moves if move.claim), key=place)
    theirs = [(c, row) for c in claims if (row := given_up.pop(place(c), None)) is not None]
    taken = {claim.token for claim, _ in theirs}
    decided = _decided(run, [c for c in claims if c.token not in taken], was)
    for claim, outcome in decided:
        if isinstance(outcome, Lost) and _is_of(outcome.row, claim):
            theirs.append((claim, outcome.row))  # claimed before, by whatever door
        outcomes[claim.token] = outcome
    if theirs and theirs[0][0].username.twin is not None:
        # What was claimed a moment ago stays, should the rules have changed since.
        with companions.after(len(theirs) < len(claims)):
            lost = companions.take(run, sorted((claim for claim, _ in theirs), key=place)).lost
        outcomes |= {token: Lost(row) for token, row in lost.items()}
        theirs = [(claim, row) for claim, row in theirs if claim.token not in lost]
    for claim, row in theirs:
        outcomes[claim.token] = _pass_on(run, row, claim, was.get(claim.token), steps)
    if joins:
        _join_lost(run, claims, outcomes)
    elif any(isinstance(outcome, Lost) for outcome in outcomes.values()):
        return Moved(outcomes, [])
    became = {id(m): m.claim.username.display for m in moves if m.claim}
    freed: list[NameRow] = []
    for at, row in sorted(leaving.items(), key=lambda item: _place(item[1])):
        if _place(row) in given_up:
            action: Action = "left" if at in became else "released"
            gone = end_row(run, row, rest, action=action, became=became.get(at))
            freed.append(gone.row)
            steps.append(gone.step)
    append(run, steps)
    freed += [one.row for one in end_groups(run, left, rest)]
    unknown = [move.old for move in moves if move.old and id(move) not in leaving]
    return Moved(outcomes, freed, unknown)


def _join_lost(run: Run, claims: Sequence[Claim], outcomes: dict[str, Outcome]) -> None:
    """Have who lost a claim be in a group with who has the name."""
    lost = [c for c in claims if isinstance(outcomes[c.token], Lost) and place(c)[1][:1] != MARK]
    if not lost:
        return
    joined = groups.join(run, lost)
    for claim in claims:
        outcome = outcomes[claim.token]
        row = joined.rows.get(claim.token)
        if isinstance(outcome, Won):  # a moment ago, by another claim of these
            row = joined.moved.get(_place(outcome.row))
        if row is not None:
            outcomes[claim.token] = Won(row)


def _leaving(run: Run, moves: Sequence[Move], *, lock: bool) -> dict[int, NameRow]:
    """The rows of the names that are given up, by move; what is not the owner's is left alone."""
    olds = {id(move): move.old for move in moves if move.old}
    if not olds:
        return {}
    # What is given up may be another's at once, without an INSERT that asks which rules hold.
    rules = next((move.claim.username.in_force for move in moves if move.claim), None)
    places = {(old.namespace, old.key) for old in olds.values()}
    if any(old.is_moving for old in olds.values()):
        rows = companions.resolved(run, places)
    elif lock:
        rows = groups.rows_at(run, places, lock=True)
    else:
        rows = read(run, places, rules=rules)
    held = groups.lock_all(run, rows.values())
    found = {at: rows.get((old.namespace, old.key)) for at, old in olds.items()}
    for at, row in found.items():
        if row is not None and row.group in held:
            found[at] = held[row.group].find(olds[at].is_in, olds[at].display or row.display)
    return {at: row for at, row in found.items() if row is not None and olds[at].is_in(row)}


def _decided(
    run: Run, claims: Sequence[Claim], was: Mapping[str, str]
) -> list[tuple[Claim, Outcome]]:
    if not claims:
        return []
    renamed = {claim.token: was[claim.token] for claim in claims if claim.token in was}
    return list(zip(claims, decide(run, claims, was=renamed), strict=True))


def _is_of(row: NameRow, claim: Claim) -> bool:
    return row.state == "owned" and row.is_of(claim.owner_kind, claim.owner)


def _pass_on(run: Run, row: NameRow, claim: Claim, was: str | None, steps: list[Step]) -> Won:
    """Give a name that is being given up to the one who claims it, perhaps in another spelling."""
    now = owned(claim, version=row.version + 1)
    if _is_of(row, claim) and row.display == now.display:
        return Won(row)
    sql = run.dialect.take_over(when_free=False)
    if run.change(sql, claim_params([claim]) | {"version": row.version}) != 1:
        raise RowVanished(row.key)
    action: Action = "renamed"
    if not _is_of(row, claim):
        action, was = "transferred", was or row.display
    elif row.canonical == now.canonical:
        action, was = "respelled", row.display
    steps.append(Step(row, changed(now, action, was=was or row.display, became=now.display)))
    return Won(now)


def _place(row: NameRow) -> Place:
    return row.namespace, row.key
