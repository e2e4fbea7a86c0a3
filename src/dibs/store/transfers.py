"""A transfer: a name passes from one user to another, and neither is ever without one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dibs.errors import UserNotFound
from dibs.store.changes import append, changed
from dibs.store.claims import decide, place, read
from dibs.store.dialects.base import Dialect, Run
from dibs.store.locks import RowVanished, lock_user
from dibs.store.records import Claim, NameRow, Outcome, Won
from dibs.store.releases import Rest, end_row


@dataclass(frozen=True, slots=True)
class Transfer:
    """The wish to pass a name on.

    Attributes:
        name: Its row as it was read; owned by a user.
        instead: The claim of another name for its owner until now.
        theirs: The row of the name that its next owner had until now.
        rest: What becomes of that one.
    """

    name: NameRow
    instead: Claim
    theirs: NameRow
    rest: Rest


def apply_transfer(run: Run, dialect: type[Dialect], wish: Transfer) -> Outcome | None:
    """Pass the name on, and give its owner until now the other one.

    Runs inside the caller's transaction, which alone makes it true.

    Returns:
        Who has the name that was wanted instead; None if a row has changed since it was read.

    Raises:
        UserNotFound: One of the two is no user any more.
        RowVanished: A row kept changing; the transaction is to be run again.
    """
    name, theirs = wish.name, wish.theirs
    for user_id in sorted({str(name.owner), str(theirs.owner)}):
        if not lock_user(run, user_id):
            raise UserNotFound
    seen = {(row.namespace, row.key): row for row in (name, theirs)}
    rows = read(run, dialect, {*seen, place(wish.instead)})
    new = rows.get(place(wish.instead))
    if new is not None and new.won_by(wish.instead.token):
        return Won(new)  # our earlier self, whose COMMIT went unanswered
    if any(rows.get(where) != row for where, row in seen.items()):
        return None
    outcome = decide(run, dialect, [wish.instead], was=name.display)[0]
    if isinstance(outcome, Won):
        passed = _pass_on(run, dialect, name, str(theirs.owner))
        gone = end_row(run, dialect, theirs, wish.rest, action="left", became=name.display)
        now = changed(passed, "transferred", was=name.display, became=name.display)
        append(run, dialect, [now, gone.change])
    return outcome


def _pass_on(run: Run, dialect: type[Dialect], row: NameRow, owner: str) -> NameRow:
    sql = (
        # Without the token of who registered it, whose late retry would be told another's success.
        "UPDATE dibs_names SET owner = :owner, claim_token = NULL, version = version + 1,"
        f" updated_at = {dialect.clock}"
        " WHERE namespace = :namespace AND name_key = :key AND version = :version"
    )
    params = {
        "owner": owner,
        "namespace": row.namespace,
        "key": row.key,
        "version": row.version,
    }
    if run.change(sql, params) != 1:
        raise RowVanished(row.key)
    return replace(row, owner=owner, claim_token=None, version=row.version + 1)
