"""Every statement that the suite sends to PostgreSQL is one that engines take which shard by name.

Citus refuses to change rows by a volatile function, and to lock rows that it has to look for on
several servers (https://docs.citusdata.com/en/stable/develop/reference_workarounds.html).
"""

from __future__ import annotations

import re
from functools import lru_cache, wraps
from typing import Any

from dibs.store.database.runs import DriverRun
from dibs.store.host.connection import BulkRun, HostRun
from dibs.store.host.transactions import RouteRun

_CHANGES = re.compile(r"\b(UPDATE dibs_|DELETE FROM dibs_|ON CONFLICT .*\bDO UPDATE\b)", re.DOTALL)
_VOLATILE = re.compile(r"\b(clock_timestamp|timeofday|random|gen_random_uuid|nextval|set_config)\(")
_LOCKED = re.compile(
    r"\bWHERE\b((?:(?!\bWHERE\b).)*)\bFOR (?:NO KEY )?(?:UPDATE|SHARE)\b", re.DOTALL
)
_ELSEWHERE = re.compile(r"\b(owner|owner_kind|state|id|claim_token|expires_at)\b")


@lru_cache(maxsize=4096)
def refusal(sql: str) -> str:
    """Why such an engine would refuse the statement; empty if it would not."""
    if _CHANGES.search(sql) and (found := _VOLATILE.search(sql)):
        return f"{found[1]} where rows are changed: {sql}"
    if any(_ELSEWHERE.search(where) for where in _LOCKED.findall(sql)):
        return f"locks rows beyond the primary key: {sql}"
    return ""


def watch() -> None:
    """Have a test fail that sends another statement."""
    for kind in (DriverRun, HostRun, BulkRun, RouteRun):
        kind._execute = _looked_at(kind._execute)  # type: ignore[method-assign]


def _looked_at(execute: Any) -> Any:
    @wraps(execute)
    def look(self: Any, sql: str, params: Any) -> Any:
        if "postgresql" in self.dialect.names:
            assert not refusal(sql), refusal(sql)
        return execute(self, sql, params)

    return look
