"""Renames and transfers: both names change in one transaction, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dibs.errors import RenamedTooOften, UserNotFound
from dibs.signals import Action
from dibs.store.accounts.recoveries import note
from dibs.store.accounts.rows import lock_user
from dibs.store.database.dialects.base import Run
from dibs.store.database.rows import claim_params
from dibs.store.database.transactions import RowVanished
from dibs.store.names import companions, groups
from dibs.store.names.claims import decide, place
from dibs.store.names.history import Step, append, changed
from dibs.store.names.quarantine import Quarantine, end_groups, end_row
from dibs.store.names.reading import read
from dibs.store.records import Claim, Lost, NameRow, Outcome, Won


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
        pace: How often they may do this; None for as often as they like.
    """

    claim: Claim
    old: NameRow
    rest: Quarantine
    user: bool = False
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
        RenamedTooOften: It is too early for yet another name.
    """
    claim, old = wish.claim, wish.old
    may_be = "1 = 1" if claim.by_staff else "disabled_at IS NULL"
    if wish.user and not lock_user(run, claim.owner, may_be):
        raise UserNotFound
    groups.lock_all(run, [old])
    claim = groups.within(claim, [old])
    here, there = (old.namespace, old.key), place(claim)
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
        if wish.user and claim.by_staff:
            note(run, "renamed", claim.owner)
        return Won(_respell(run, wish, seen))
    outcome = decide(run, [claim], was={claim.token: old.display})[0]
    if isinstance(outcome, Won):
        if wish.user and claim.by_staff:
            note(run, "renamed", claim.owner)
        new = outcome.row.display
        gone = end_row(run, seen, wish.rest, action="left", became=new)
        append(run, [gone.step])
        end_groups(run, [seen], wish.rest)
    return outcome


def _respell(run: Run, wish: Rename, old: NameRow) -> NameRow:
    claim = wish.claim
    sql = run.dialect.take_over(when_free=False)
    if run.change(sql, claim_params([claim]) | {"version": old.version}) != 1:
        raise RowVanished(old.key)
    name = claim.username
    row = replace(
        old,
        canonical=name.canonical,
        display=name.display,
        rules_version=name.rules_version,
        claim_token=claim.token,
        version=old.version + 1,
        first=None,
    )
    action: Action = "respelled" if wish.is_spelling else "renamed"
    append(run, [Step(old, changed(row, action, was=old.display, became=row.display))])
    return row


def _refuse_haste(run: Run, claim: Claim, pace: Pace) -> None:
    """Count this owner's renames in the history; their row is locked, so none comes in between.

    Raises:
        RenamedTooOften: There were too many, or the last one was too short a time ago.
    """
    sql = (
        f"SELECT {run.dialect.clock} - at FROM dibs_history"
        " WHERE owner = :owner AND owner_kind = :owner_kind AND action = 'renamed'"
        f" AND namespace = :namespace AND at > {run.dialect.clock} - :period ORDER BY at DESC"
    )
    params = {
        "owner": claim.owner,
        "owner_kind": claim.owner_kind,
        "namespace": claim.namespace,
        "period": max(pace.period, pace.pause),
    }
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
    rows = read(run, {*seen, place(wish.instead)}, rules=wish.instead.username.in_force)
    new = rows.get(place(wish.instead))
    if new is not None and new.won_by(wish.instead.token):
        return Won(new)  # our earlier self, whose COMMIT went unanswered
    if any(rows.get(where) != row for where, row in seen.items()):
        return None
    name, theirs = (rows[row.namespace, row.key] for row in (name, theirs))
    instead = wish.instead
    outcome = decide(run, [instead], was={instead.token: name.display})[0]
    if isinstance(outcome, Won):
        passed = _pass_on(run, name, str(theirs.owner))
        gone = end_row(run, theirs, wish.rest, action="left", became=name.display)
        now = changed(passed, "transferred", was=name.display, became=name.display)
        append(run, [Step(name, now), gone.step])
        end_groups(run, [theirs], wish.rest)
        for user_id in (str(name.owner), str(theirs.owner)):
            note(run, "renamed", user_id)
    return outcome


def _pass_on(run: Run, row: NameRow, owner: str) -> NameRow:
    sql = (
        # Without the token of who registered it, whose late retry would be told another's success.
        "UPDATE dibs_names SET owner = :owner, claim_token = NULL, version = version + 1,"
        f" updated_at = {run.dialect.clock}"
        " WHERE namespace = :namespace AND name_key = :key AND version = :version"
    )
    params = {"owner": owner, "namespace": row.namespace, "key": row.key, "version": row.version}
    if run.change(sql, params) != 1:
        raise RowVanished(row.key)
    return replace(row, owner=owner, claim_token=None, version=row.version + 1, first=None)
