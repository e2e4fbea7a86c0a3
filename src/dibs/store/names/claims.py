"""The heart: who gets a name. The same few statements for the service and for host apps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from dibs.errors import RulesReplaced
from dibs.signals import NameChange
from dibs.store.database.rows import claim_params
from dibs.store.database.runs import Run
from dibs.store.database.transactions import RowVanished
from dibs.store.names import companions, groups
from dibs.store.names.history import ACTIONS, Step, append, changed
from dibs.store.names.reading import Place, no_row, read
from dibs.store.records import Claim, Lost, NameRow, NewUser, Outcome, Won, owned

# A row that is free when read can be taken by somebody else before our UPDATE;
# each further round means yet another one was quicker.
TAKE_OVER_ROUNDS = 5


def decide(
    run: Run, claims: Sequence[Claim], *, patient: bool = True, was: Mapping[str, str] | None = None
) -> list[Outcome]:
    """Insert what is new, take over what is free, and say who has the rest.

    Runs inside the caller's transaction, which alone makes it true. The users of winners
    and the history are written too; teams are not.

    Args:
        claims: In any order; worked on in the order of their keys, so that two
            batches cannot wait for each other in a circle.
        was: In a rename, what the owner was called until now, by the claim's token. Then the
            history is given a line of every claim at once.

    Returns:
        One outcome a claim, in the order of the claims.

    Raises:
        RulesReplaced: The names were read by rules that are not in force.
    """
    if len({claim.username.in_force for claim in claims}) > 1:
        raise RulesReplaced("Some of these names were read before the rules changed, some after")
    if not claims or claims[0].username.twin is None:
        return _decide(run, claims, patient=patient, was=was or {})
    taken = companions.take(run, claims, patient=patient)
    left = [claim for claim in claims if claim.token not in taken.lost]
    outcomes: dict[str, Outcome] = {token: Lost(row) for token, row in taken.lost.items()}
    with companions.after(True):
        decided = _decide(run, left, patient=patient, was=was or {})
    outcomes |= {claim.token: one for claim, one in zip(left, decided, strict=True)}
    failed = {token for token, outcome in outcomes.items() if isinstance(outcome, Lost)}
    companions.give_back(run, [(t, at) for t, at in taken.made.items() if t in failed])
    return [outcomes[claim.token] for claim in claims]


def _decide(
    run: Run, claims: Sequence[Claim], *, patient: bool, was: Mapping[str, str]
) -> list[Outcome]:
    """`decide` for names with one key, or whose other key this claim has already."""
    if not claims:
        return []
    ordered, told, before = sorted(claims, key=attrgetter("place")), bool(was), was
    firsts = [_news(c, owned(c, version=1), before.get(c.token)) for c in ordered]
    inserted = run.dialect.insert_names(run, ordered, firsts, told=told, patient=patient)
    won, rows, whole = inserted.won, inserted.rows, inserted.whole
    companions.see_rules(run, ordered, inserted)
    missing = [c for c in ordered if c.token not in won and c.place not in rows]
    rows |= read(run, {c.place for c in missing}, rules=ordered[0].username.in_force)
    settled = {c.token: _settle(run, c, c.token in won, rows) for c in ordered}
    if whole and won:
        run.note(firsts)
    else:
        new = [(c, row) for c in ordered if (row := _new_row(c, settled[c.token]))]
        steps = [
            Step(settled[c.token].before, _news(c, row, before.get(c.token)), told)
            for c, row in new
        ]
        append(run, steps)
        insert_users(run, [c.user for c, row in new if c.user and _needs_row(c.user, row)])
    return [settled[claim.token].outcome for claim in claims]


def claim_at_once(run: Run, claim: Claim) -> list[Outcome] | None:
    """Take a name without a row, in the one statement of a dialect that is `whole`; else None."""
    row = owned(claim, version=1)
    news = [_news(claim, row, None)]
    run.note(news)  # beforehand: it may be carried out and its reply lost
    won = run.dialect.insert_names(run, [claim], news, told=False, patient=True).won
    return [Won(row)] if won else None


def is_alone(claim: Claim) -> bool:
    """Whether a new name is all that this claim writes."""
    if claim.username.twin is not None or claim.team is not None or claim.lasts is not None:
        return False
    if claim.invitation:
        return False
    return claim.user is None or claim.user.password_hash is None


def claim_many_at_once(run: Run, claims: Sequence[Claim]) -> list[Outcome | None]:
    """Take those names that have no row yet, by one statement of a dialect that has `lists`.

    The claims are alone and read by the same rules. None is the outcome where `decide` must look.
    """
    ordered = sorted(claims, key=attrgetter("place"))
    rows = {claim.token: owned(claim, version=1) for claim in ordered}
    news = {claim.token: _news(claim, rows[claim.token], None) for claim in ordered}
    run.note(list(news.values()))  # beforehand: it may be carried out and its reply lost
    won = run.dialect.insert_many(run, ordered, list(news.values()))
    run.noted[:] = [new for token, new in news.items() if token in won]
    return [Won(rows[one.token]) if one.token in won else None for one in claims]


def won_before(run: Run, claims: Sequence[Claim]) -> dict[str, Outcome]:
    """Which of these claims an earlier attempt has won, by token."""
    rows = read(run, {claim.place for claim in claims})
    return {
        one.token: Won(row)
        for one in claims
        if (row := rows.get(one.place)) and row.won_by(one.token)
    }


class Settled(NamedTuple):
    """What became of a claim.

    Attributes:
        is_new: Whether this request did it, and not an earlier one with its token.
        before: The row that was taken over.
    """

    outcome: Outcome
    is_new: bool = False
    before: NameRow | None = None


def _new_row(claim: Claim, settled: Settled) -> NameRow | None:
    """What this claim wrote; nothing if an earlier request with its token had won already.

    Where INSERT does not say whose the row is, such a request of the same owner looks new.
    """
    outcome = settled.outcome
    if not settled.is_new or not isinstance(outcome, Won) or outcome.row.owner != claim.owner:
        return None
    return outcome.row


def _news(claim: Claim, row: NameRow, was: str | None) -> NameChange:
    """What the history says of a claim that won this row."""
    action = ACTIONS[claim.state]
    if was is not None:  # in a group, one's own name in another spelling
        action = "respelled" if row.is_member else "renamed"
    return changed(row, action, was=was, became=row.display, by=claim.by)


def _needs_row(user: NewUser, row: NameRow) -> bool:
    """Whether there is more to say of a user than a name's first claim can."""
    return user.password_hash is not None or row.version > 1


def insert_users(run: Run, users: Sequence[NewUser]) -> None:
    """Write the users of claims that won, for the transaction that claims their names."""
    if users:
        params: dict[str, object] = {}
        for i, user in enumerate(users):
            params |= {f"id_{i}": user.id, f"password_hash_{i}": user.password_hash}
        run.change(run.dialect.insert_users(len(users)), params)


def _settle(run: Run, claim: Claim, won: bool, rows: Mapping[Place, NameRow]) -> Settled:
    row = rows.get(claim.place)
    if won:
        return Settled(Won(row or _written(run, claim, version=1)), is_new=True)
    for _ in range(TAKE_OVER_ROUNDS):
        if row is None:
            no_row(run, claim)
        if row.won_by(claim.token):
            return Settled(Won(row))
        if not row.open_to(claim):
            return Settled(Lost(groups.who_has(run, row, claim)))
        sql = run.dialect.take_over(when_free=row.free)
        if run.change(sql, claim_params([claim]) | {"version": row.version}) == 1:
            now = _written(run, claim, version=row.version + 1)
            return Settled(Won(now), is_new=True, before=row)
        row = read(run, {claim.place}).get(claim.place)
    raise RowVanished(claim.username.key)


def _written(run: Run, claim: Claim, *, version: int) -> NameRow:
    """The row as this claim has just written it; only the database knows when a hold ends."""
    if claim.lasts is None:
        return owned(claim, version=version)
    return read(run, {claim.place})[claim.place]
