"""Every change of a name, written down in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Sequence

from dibs.acting import acting
from dibs.signals import Action, NameChange
from dibs.store.dialects.base import HISTORY_COLUMNS, Dialect, Run, history_params, plain
from dibs.store.models import MAX_REQUEST_ID
from dibs.store.records import MAX_OWNER, NameRow


def changed(
    row: NameRow, action: Action, *, was: str | None = None, became: str | None = None
) -> NameChange:
    """The change that led to this row.

    Args:
        row: As it is afterwards, but for an owner who was forgotten.
        action: What happened.
        was: The name before.
        became: The name afterwards.
    """
    now = acting()
    return NameChange(
        row.namespace,
        row.key,
        row.version,
        action,
        was,
        became,
        row.owner_kind,
        row.owner,
        _fitting(now.actor, 4 * MAX_OWNER),
        _fitting(now.request_id, MAX_REQUEST_ID),
    )


def append(run: Run, dialect: type[Dialect], changes: Sequence[NameChange]) -> None:
    """Write changes down, and have them announced after COMMIT.

    One that is there already was written by this transaction's earlier self, whose COMMIT
    went unanswered.
    """
    if not changes:
        return
    params: dict[str, object] = {}
    for i, one in enumerate(changes):
        params |= history_params(i, one)
    run.change(dialect.insert_history(len(changes)), params)
    run.note(changes)


def written(run: Run, changes: Sequence[NameChange]) -> bool:
    """Whether these were written down, all of them in one transaction: then so was the rest."""
    if not changes:
        return False
    one = changes[0]
    sql = (
        f"SELECT {HISTORY_COLUMNS} FROM dibs_history"
        " WHERE namespace = :namespace AND name_key = :key AND version = :version"
    )
    params = {"namespace": one.namespace, "key": one.key, "version": one.version}
    return [NameChange(*plain(row)) for row in run.rows(sql, params)] == [one]


def _fitting(text: str | None, max_bytes: int) -> str | None:
    """What the column takes of what others call themselves: PostgreSQL has no NUL in texts."""
    shown = "".join(filter(str.isprintable, text or ""))
    return shown.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore") or None
