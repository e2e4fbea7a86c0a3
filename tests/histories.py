"""The history of names, and whether it tells of every row what became of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from dibs.signals import SIGNALS, Action, NameChange
from dibs.store import NameRow
from dibs.store.database.rows import ADOPTED, HISTORY_COLUMNS, Row
from dibs.store.names.history import ACTIONS
from dibs.store.names.store import NameStore
from dibs.store.records import MARK
from tests.support.contract import soon

FIRST = (
    "namespace, name_key, registered, version, state, display, owner_kind, owner, actor, request_id"
)
"""What a row says of its first claim, in the order of a change."""

BECOMES: dict[Action, str] = {
    "claimed": "owned",
    "renamed": "owned",
    "respelled": "owned",
    "transferred": "owned",
    "held": "held",
    "reserved": "reserved",
    "unheld": "free",
    "unreserved": "free",
    "adopted": "owned",
    "grouped": "group",
    "promoted": "owned",
}
OF_MEMBERS = {"grouped": "owned", "promoted": "free"}
"""What a row is after each change, and what a member's row of a group is after two of them; after
any other it rests or is free, as settings say."""

ENDS = {"released", "left", "forgotten", "unheld", "unreserved", "respelled", "transferred"}
"""Changes of a name that was somebody's: they say how it was written."""


def changes_in(store: NameStore, namespace: str = "default") -> list[NameChange]:
    """Everything that was written down, in the order of keys and versions.

    First claims too whose names have not changed since: their rows are what is written of them.
    """
    where = "namespace = :namespace"
    changes = [
        NameChange(*row) for row in _read(store, HISTORY_COLUMNS, "history", where, namespace)
    ]
    untold = f"{where} AND updated_at IS NULL"
    for row in _read(store, FIRST, "names", untold, namespace):
        (*place, registered, version, state), rest = row[:5], row[5:]
        action = "adopted" if (registered, state) == (ADOPTED, "owned") else ACTIONS[state]
        changes.append(NameChange(*[*place, version, action, None, *rest]))
    return sorted(changes, key=lambda one: (one.key, one.version))


def _read(store: NameStore, columns: str, table: str, where: str, namespace: str) -> list[Row]:
    sql = f"SELECT {columns} FROM dibs_{table} WHERE {where}"
    return store.transactions.rows(sql, {"namespace": namespace}, deadline=soon())


def rows_in(store: NameStore, namespace: str = "default") -> dict[str, NameRow]:
    """Every row by its key."""
    found = _read(store, "name_key", "names", "namespace = :namespace", namespace)
    return dict(store.find([row[0] for row in found], namespace=namespace, deadline=soon()))


def assert_history(store: NameStore, namespace: str = "default") -> list[NameChange]:
    """Of each name every change is there, once and in order, and leads to its row.

    Returns:
        The changes.
    """
    changes = changes_in(store, namespace)
    by_key = defaultdict(list)
    for change in changes:
        by_key[change.key].append(change)
    rows = rows_in(store, namespace)
    assert by_key.keys() == rows.keys()
    for key, row in rows.items():
        _assert_replay(row, by_key[key])
    # In a group another spelling is another row.
    moves = (c for c in changes if c.action == "renamed" or _is_anew(c))
    renames = Counter((c.owner, c.was, c.became) for c in moves)
    left = Counter((c.owner, c.was, c.became) for c in changes if c.action == "left")
    assert left - renames == Counter(_given_up_in_transfers(changes))
    return changes


def _given_up_in_transfers(changes: Sequence[NameChange]) -> Iterator[tuple[object, ...]]:
    """Who is given a name leaves her own, which is no rename."""
    got = {(c.owner, c.became) for c in changes if c.action == "transferred"}
    for change in changes:
        if change.action == "left" and (change.owner, change.became) in got:
            yield change.owner, change.was, change.became


def _is_anew(change: NameChange) -> bool:
    return change.action == "respelled" and change.key.startswith(MARK)


def _assert_replay(row: NameRow, changes: Sequence[NameChange]) -> None:
    assert [change.version for change in changes] == list(range(1, row.version + 1))
    display: str | None = None
    owner: str | None = None
    for change in changes:
        if change.action in ENDS and not _is_anew(change):
            assert change.was == display
        if change.action in ("released", "left", "respelled") and not _is_anew(change):
            assert change.owner == owner
        if change.action in BECOMES and change.became is not None:
            display = change.became
        owner = None if change.action in ("forgotten", "unheld") else change.owner
    assert row.display == display
    last = changes[-1].action
    if last in BECOMES:
        becomes = OF_MEMBERS if row.is_member and last in OF_MEMBERS else BECOMES
        assert row.state == becomes[last]
        assert row.owner == (owner if row.state != "free" else None)
    else:
        assert row.state in ("quarantined", "free")
        assert row.owner in (None, owner)


@contextmanager
def announced() -> Iterator[list[NameChange]]:
    """Yields a list of what is announced meanwhile, in this process."""
    told: list[NameChange] = []
    tell = partial(list.append, told)
    for signal in set(SIGNALS.values()):
        signal.connect(tell)
    yield told
    for signal in set(SIGNALS.values()):
        signal.disconnect(tell)


def assert_announced(told: Sequence[NameChange], changes: Sequence[NameChange]) -> None:
    """Each change that is told of at all was announced once, and nothing else was."""
    assert Counter(told) == Counter(one for one in changes if one.action in SIGNALS)
