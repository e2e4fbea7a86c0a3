"""Rows of names: their columns in statements, the parameters that fill them, and their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dibs.names import Username
from dibs.signals import NameChange
from dibs.store.records import Claim, FirstClaim, NameRow

Params = Mapping[str, object]
Row = tuple[Any, ...]
Told = tuple[NameChange, int | None]
"""A change, and when it was; None for now."""

NAME_COLUMNS = (
    "namespace, name_key, canonical, display, rules_version, state,"
    " owner_kind, owner, claim_token, expires_at, version"
)
CANONICAL = "COALESCE({0}canonical, {0}name_key)"
"""A row's canonical form; `{0}` is the table's alias."""

NAME_VALUES = NAME_COLUMNS.replace("canonical", CANONICAL.format(""))
FIRST_COLUMNS = "created_at, updated_at, actor, request_id, registered"
"""What a row says of its first claim while `updated_at` is NULL."""

WHOSE = "name_key, state, owner_kind, owner"
FEW = 20
"""More rows than that are one parameter where a driver is slow to read a statement for many."""

SEPARATOR = "\x02"
"""No key has it in it."""

MANY = 500
"""Rows in one statement: SQLite takes 32,766 parameters."""

ADOPTED = 2
"""What `registered` is of a name that was somebody's before dibs was there."""

HISTORY_COLUMNS = (
    "namespace, name_key, version, action, was, became, owner_kind, owner, actor, request_id"
)
HISTORY_PARAMS = {
    f"h{at}": "key" if column == "name_key" else column
    for at, column in enumerate(HISTORY_COLUMNS.split(", "))
}
"""What each column's parameter is called, and which attribute of a change it is."""


def insert_params(
    claims: Sequence[Claim], news: Sequence[NameChange], *, told: bool
) -> dict[str, object]:
    """The parameters of `Dialect.insert`."""
    params = claim_params(claims)
    if not told:
        for i, (claim, new) in enumerate(zip(claims, news, strict=True)):
            params[f"actor_{i}"], params[f"request_id_{i}"] = new.actor, new.request_id
            params[f"registered_{i}"] = registered(claim)
    return params


def claim_params(claims: Sequence[Claim]) -> dict[str, object]:
    """What claims say of their rows."""
    params: dict[str, object] = {}
    for i, claim in enumerate(claims):
        params |= _values(claim, claim.username, claim.token, claim.lasts, f"_{i}")
    return params


def row_params(rows: Sequence[NameRow]) -> dict[str, object]:
    """What rows say of themselves, as claims do."""
    params: dict[str, object] = {}
    for i, row in enumerate(rows):
        params |= row_values(row, f"_{i}")
    return params


def registered(claim: Claim) -> int | None:
    """What a row says of its first claim: 1 where that made a user who has no row of their own."""
    return 1 if claim.user is not None and claim.user.password_hash is None else None


def row_values(row: NameRow, end: str = "") -> dict[str, object]:
    """What a row says of itself, as a claim does; `end` is that of each name."""
    return _values(row, row, row.claim_token, None, end)


def _values(
    of: Claim | NameRow,
    name: Username | NameRow,
    token: str | None,
    lasts: int | None,
    end: str,
) -> dict[str, object]:
    return {
        f"namespace{end}": of.namespace,
        f"key{end}": name.key,
        f"canonical{end}": None if name.canonical == name.key else name.canonical,
        f"display{end}": name.display,
        f"rules_version{end}": name.rules_version,
        f"state{end}": of.state,
        f"owner_kind{end}": of.owner_kind,
        f"owner{end}": of.owner,
        f"token{end}": token,
        f"lasts{end}": lasts,
    }


def array(values: Iterable[object]) -> str:
    """Values as PostgreSQL reads an array; psycopg, which looks at each, takes five times as long.

    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    return f"{{{','.join(['NULL' if one is None else _quoted(str(one)) for one in values])}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def first_claim(row: NameRow, news: Sequence[NameChange] | None, i: int) -> dict[str, object]:
    """What a new row says of its first claim, which was a change of these: nothing of none."""
    if news is None:
        return {}
    is_adopted = row.first is not None and row.first.adopted
    return {
        "actor": news[i].actor,
        "request_id": news[i].request_id,
        "registered": ADOPTED if is_adopted else None,
    }


def history_values(i: int) -> str:
    """The parameters of one line, as SQL has them."""
    return ", ".join(f":{name}_{i}" for name in HISTORY_PARAMS)


def history_params(i: int, change: NameChange) -> dict[str, object]:
    """The parameters of one line of `Dialect.insert_history`."""
    return {f"{name}_{i}": getattr(change, of) for name, of in HISTORY_PARAMS.items()}


def key_params(namespace: str, keys: Sequence[str]) -> dict[str, object]:
    """The parameters of `Dialect.among`: each key, and where they are many all in one text."""
    params: dict[str, object] = {f"key_{i}": key for i, key in enumerate(keys)}
    if len(keys) >= FEW:
        params["keys"] = SEPARATOR.join(keys)
    return params | {"namespace": namespace}


def plain(row: Iterable[Any]) -> Row:
    """The row's values with VARBINARY, which arrives as bytes, read as text."""
    return tuple([value.decode() if isinstance(value, bytes) else value for value in row])


def listed(values: Sequence[str]) -> tuple[str, dict[str, object]]:
    """What stands between the parentheses of an IN, and its parameters."""
    params: dict[str, object] = {f"item_{i}": value for i, value in enumerate(values)}
    return ", ".join(f":{name}" for name in params), params


def name_row(row: Row) -> NameRow:
    """The value of a row of `Dialect.select_where`."""
    *values, created_at, updated_at, actor, request_id, registered, is_free, expires_in = row
    first = None
    if updated_at is None:
        first = FirstClaim(created_at, actor, request_id, registered == 1, registered == ADOPTED)
    return NameRow(*[*values, bool(is_free), expires_in, first])
