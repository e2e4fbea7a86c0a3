"""Names that owners gain and give up together: all of it in one transaction, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

from dibs.errors import RenamedTooOften, TeamNotFound, UserNotFound
from dibs.names import Parser
from dibs.signals import Action
from dibs.store.accounts.recoveries import note
from dibs.store.accounts.rows import lock_user
from dibs.store.accounts.teams import lock_team, refuse_strangers
from dibs.store.database.runs import Run
from dibs.store.names import companions, groups
from dibs.store.names.claims import decide
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

    @property
    def place(self) -> Place:
        """Where its row is."""
        return self.namespace, self.key

    def is_in(self, row: NameRow) -> bool:
        """Whether the row is of exactly this name, and this owner has it."""
        return row.is_owned_by(self.owner_kind, self.owner) and row.canonical == self.canonical


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
    claims = sorted(
        (groups.within(move.claim, left) for move in moves if move.claim),
        key=lambda claim: claim.place,
    )
    theirs = [(c, row) for c in claims if (row := given_up.pop(c.place, None)) is not None]
    taken = {claim.token for claim, _ in theirs}
    open_ = [claim for claim in claims if claim.token not in taken]
    renamed = {claim.token: was[claim.token] for claim in open_ if claim.token in was}
    for claim, outcome in zip(open_, decide(run, open_, was=renamed), strict=True):
        if isinstance(outcome, Lost) and outcome.row.is_owned_by(claim.owner_kind, claim.owner):
            theirs.append((claim, outcome.row))  # claimed before, by whatever door
        outcomes[claim.token] = outcome
    if theirs and theirs[0][0].username.twin is not None:
        # What was claimed a moment ago stays, should the rules have changed since.
        with companions.after(len(theirs) < len(claims)):
            lost = companions.take(
                run, sorted((claim for claim, _ in theirs), key=attrgetter("place"))
            ).lost
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
    for at, row in sorted(leaving.items(), key=lambda item: item[1].place):
        if row.place in given_up:
            action: Action = "left" if at in became else "released"
            gone = end_row(run, row, rest, action=action, became=became.get(at))
            freed.append(gone.row)
            steps.append(gone.step)
    append(run, steps)
    freed += end_groups(run, left, rest)
    unknown = [move.old for move in moves if move.old and id(move) not in leaving]
    return Moved(outcomes, freed, unknown)


def _join_lost(run: Run, claims: Sequence[Claim], outcomes: dict[str, Outcome]) -> None:
    """Have who lost a claim be in a group with who has the name."""
    lost = [c for c in claims if isinstance(outcomes[c.token], Lost) and c.place[1][:1] != MARK]
    if not lost:
        return
    joined = groups.join(run, lost)
    for claim in claims:
        outcome = outcomes[claim.token]
        row = joined.rows.get(claim.token)
        if isinstance(outcome, Won):  # a moment ago, by another claim of these
            row = joined.moved.get(outcome.row.place)
        if row is not None:
            outcomes[claim.token] = Won(row)


def _leaving(run: Run, moves: Sequence[Move], *, lock: bool) -> dict[int, NameRow]:
    """The rows of the names that are given up, by move; what is not the owner's is left alone."""
    olds = {id(move): move.old for move in moves if move.old}
    if not olds:
        return {}
    # What is given up may be another's at once, without an INSERT that asks which rules hold.
    rules = next((move.claim.username.in_force for move in moves if move.claim), None)
    places = {old.place for old in olds.values()}
    if any(old.is_moving for old in olds.values()):
        rows = companions.resolved(run, places)
    elif lock:
        rows = groups.locked_at(run, places)
    else:
        rows = read(run, places, rules=rules)
    held = groups.lock_all(run, rows.values())
    found = {at: rows.get(old.place) for at, old in olds.items()}
    for at, row in found.items():
        if row is not None and row.group in held:
            found[at] = held[row.group].find(olds[at].is_in, olds[at].display or row.display)
    return {at: row for at, row in found.items() if row is not None and olds[at].is_in(row)}


def _pass_on(run: Run, row: NameRow, claim: Claim, was: str | None, steps: list[Step]) -> Won:
    """Give a name that is being given up to the one who claims it, perhaps in another spelling."""
    now = owned(claim, version=row.version + 1)
    is_theirs = row.is_owned_by(claim.owner_kind, claim.owner)
    if is_theirs and row.display == now.display:
        return Won(row)
    groups.write(run, now)
    action: Action = "renamed"
    if not is_theirs:
        action, was = "transferred", was or row.display
    elif row.canonical == now.canonical:
        action, was = "respelled", row.display
    steps.append(Step(row, changed(now, action, was=was or row.display, became=now.display)))
    return Won(now)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a user may take another name.

    Attributes:
        pause: Milliseconds from one rename to the next.
        most: Renames within `period`.
        period: Milliseconds.
    """

    pause: int = 0
    most: int = 5
    period: int = 30 * 86_400_000

    def wait(self, ages: Sequence[int]) -> int:
        """Milliseconds until another rename is possible.

        Args:
            ages: How many milliseconds ago the earlier ones were, the newest first.
        """
        within = [age for age in ages if age < self.period]
        waits = [self.pause - ages[0]] if ages else []
        if len(within) >= self.most:
            waits.append(self.period - (within[self.most - 1] if self.most else 0))
        return max(waits, default=0)


@dataclass(frozen=True, slots=True)
class Rename:
    """The wish for another name.

    Attributes:
        old: The row of the old one as it was read.
        user: Whether the owner is a user of the service's own, who has one name: their row is
            locked, so that two of their renames cannot both win.
        team: Whether it is a team of the service's own.
        by: Who must own that then; None where staff ask.
        pace: How often they may do this; None for as often as they like.
    """

    claim: Claim
    old: NameRow
    rest: Quarantine
    user: bool = False
    team: bool = False
    by: str | None = None
    pace: Pace | None = None

    @property
    def in_place(self) -> bool:
        """Whether both names have one key, which stays theirs; perhaps they only look alike."""
        return (self.claim.namespace, self.claim.username.key) == self.old.group

    @property
    def is_spelling(self) -> bool:
        """Whether only the spelling changes, of one and the same name."""
        return self.in_place and self.claim.username.canonical == self.old.canonical


def apply_rename(run: Run, wish: Rename) -> Outcome | None:
    """Take the new name and give up the old one.

    Runs inside the caller's transaction, which alone makes it true.

    Returns:
        Who has the new name; None if the old row has changed since it was read.

    Raises:
        UserNotFound: There is no such user, or they may not come in and it is not staff who asks.
        TeamNotFound: There is no such team.
        NotAllowed: Who asks does not own it.
        RenamedTooOften: It is too early for yet another name.
    """
    claim, old = wish.claim, wish.old
    may_be = "1 = 1" if claim.by_staff else "disabled_at IS NULL"
    if wish.user and not lock_user(run, claim.owner, may_be):
        raise UserNotFound
    if wish.team:
        if not lock_team(run, claim.owner):
            raise TeamNotFound
        refuse_strangers(run, claim.owner, wish.by)
    groups.lock_all(run, [old])
    claim = groups.within(claim, [old])
    here, there = old.place, claim.place
    rows = read(run, {here, there}, rules=claim.username.in_force)
    row = rows.get(there)
    if row is not None and row.won_by(claim.token):
        return Won(row)  # our earlier self, whose COMMIT went unanswered
    seen = rows.get(here)
    if seen is None or seen != old:
        return None
    if wish.pace and not wish.is_spelling:
        _refuse_haste(run, claim, wish.pace)
    if wish.in_place and not old.is_member:
        lost = companions.take(run, [claim]).lost if claim.username.twin else {}
        if lost:
            return Lost(lost[claim.token])
        now = owned(claim, version=seen.version + 1)
        groups.write(run, now)
        action: Action = "respelled" if wish.is_spelling else "renamed"
        append(run, [Step(seen, changed(now, action, was=seen.display, became=now.display))])
        outcome: Outcome = Won(now)
    else:
        outcome = decide(run, [claim], was={claim.token: old.display})[0]
        if isinstance(outcome, Won):
            new = outcome.row.display
            append(run, [end_row(run, seen, wish.rest, action="left", became=new).step])
            end_groups(run, [seen], wish.rest)
    if isinstance(outcome, Won) and wish.user and claim.by_staff:
        note(run, "renamed", claim.owner)
    return outcome


def _refuse_haste(run: Run, claim: Claim, pace: Pace) -> None:
    """Count this owner's renames in the history; their row is locked, so none comes in between."""
    sql = (
        f"SELECT {run.dialect.clock} - at FROM dibs_history"
        " WHERE owner = :owner AND owner_kind = :owner_kind AND action = 'renamed'"
        f" AND namespace = :namespace AND at > {run.dialect.clock} - :period ORDER BY at DESC"
    )
    params: dict[str, object] = {"owner": claim.owner, "owner_kind": claim.owner_kind}
    params |= {"namespace": claim.namespace, "period": max(pace.period, pace.pause)}
    ages = [row[0] for row in run.rows(sql, params)]
    if (wait := pace.wait(ages)) > 0:
        raise RenamedTooOften(retry_after=-(-wait // 1000))


@dataclass(frozen=True, slots=True)
class Transfer:
    """The wish to pass a name on.

    Attributes:
        name: Its row as it was read; owned by a user.
        instead: The claim of another name for its owner until now.
        theirs: The row of the name that its next owner had until now.
    """

    name: NameRow
    instead: Claim
    theirs: NameRow
    rest: Quarantine


def apply_transfer(run: Run, wish: Transfer) -> Outcome | None:
    """Pass the name on, and give its owner until now the other one.

    Runs inside the caller's transaction, which alone makes it true.

    Returns:
        Who has the name that was wanted instead; None if a row has changed since it was read.

    Raises:
        UserNotFound: One of the two is no user any more.
    """
    name, theirs = wish.name, wish.theirs
    for user_id in sorted({str(name.owner), str(theirs.owner)}):
        if not lock_user(run, user_id):
            raise UserNotFound
    groups.lock_all(run, [name, theirs])
    seen = {row.place: row for row in (name, theirs)}
    rows = read(run, {*seen, wish.instead.place}, rules=wish.instead.username.in_force)
    new = rows.get(wish.instead.place)
    if new is not None and new.won_by(wish.instead.token):
        return Won(new)  # our earlier self, whose COMMIT went unanswered
    if any(rows.get(where) != row for where, row in seen.items()):
        return None
    name, theirs = rows[name.place], rows[theirs.place]
    instead = wish.instead
    outcome = decide(run, [instead], was={instead.token: name.display})[0]
    if isinstance(outcome, Won):
        # Without the token of who registered it, whose late retry would be told another's success.
        version = name.version + 1
        passed = replace(name, owner=theirs.owner, claim_token=None, version=version, first=None)
        groups.write(run, passed)
        gone = end_row(run, theirs, wish.rest, action="left", became=name.display)
        now = changed(passed, "transferred", was=name.display, became=name.display)
        append(run, [Step(name, now), gone.step])
        end_groups(run, [theirs], wish.rest)
        for user_id in (str(name.owner), str(theirs.owner)):
            note(run, "renamed", user_id)
    return outcome
