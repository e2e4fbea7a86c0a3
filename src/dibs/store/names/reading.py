"""Rows by their keys, lists of keys, and whether the rules by which one claims are in force."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NoReturn

from dibs.context import Budget
from dibs.errors import RulesReplaced, SchemaError
from dibs.names import Phase
from dibs.store.database.rows import Row, array, key_params, name_row
from dibs.store.database.runs import Run
from dibs.store.database.transactions import RowVanished, Transactions
from dibs.store.records import Claim, NameRow
from dibs.store.schema import EMPTY_META

log = logging.getLogger(__name__)
Place = tuple[str, str]
"""A namespace and a key: what the database makes unique."""

MAX_BATCH = 500
"""Keys in one statement."""

PHASE = "SELECT rules_version, other_rules, phase FROM dibs_meta WHERE id = 1"
"""The values of a `Phase`."""

NEXT_NAMESPACE = "SELECT MIN(namespace) FROM dibs_names WHERE namespace > :namespace"


def parts(places: Iterable[Place]) -> Iterator[tuple[str, list[str]]]:
    """The keys of each namespace, in order, as many at a time as one statement takes."""
    for namespace, group in groupby(sorted(set(places)), key=lambda place: place[0]):
        keys = [key for _, key in group]
        for start in range(0, len(keys), MAX_BATCH):
            yield namespace, keys[start : start + MAX_BATCH]


def read(run: Run, places: set[Place], *, rules: int | None = None) -> dict[Place, NameRow]:
    """The rows at these places.

    Args:
        rules: Those by which something of this is about to be claimed; see `Username.in_force`.

    Raises:
        RulesReplaced: Those are not in force; asked of the rows' own statement, if there are any.
    """
    rows: dict[Place, NameRow] = {}
    ruled = rules is not None
    for namespace, keys in parts(places):
        if run.takes_lists and len(keys) > 1:
            sql = run.dialect.select_listed(ruled=ruled)
            found = run.rows(sql, {"namespace": namespace, "keys": array(keys)})
        else:
            sql = run.dialect.select_where(run.dialect.among(len(keys)), ruled=ruled)
            found = run.rows(sql, key_params(namespace, keys))
        if rules is not None:
            require_rules(rules, {row[-1] for row in found})
            found = [row[:-1] for row in found]
        rows |= {(namespace, row.key): row for row in map(name_row, found)}
    return rows


def change_at(
    run: Run, places: Iterable[Place], change: str, *, also: str = "", **params: object
) -> int:
    """Send this change for the rows at these places; says how many rows it was true for.

    Args:
        change: What stands before WHERE.
        also: What stands behind the places, such as ` AND version = :version`.
        params: Of both.
    """
    return sum(
        run.change(
            f"{change} WHERE {run.dialect.among(len(keys))}{also}",
            key_params(namespace, keys) | params,
        )
        for namespace, keys in parts(places)
    )


def tell_followed(phase: Phase) -> None:
    """Say in the log that this server has names by other rules than a moment ago."""
    log.warning("Names are on their way (`adopt rekey`), and this server goes along: %s", phase)


def require_rules(ours: int, found: Collection[int | None]) -> None:
    """See that nothing is claimed by rules that are not in force.

    Raises:
        RulesReplaced: The database says, at least once, that others are.
    """
    if any(one != ours for one in found):
        raise RulesReplaced(
            "Names are kept by other rules now than by this server's: `dibs check` says which. Stop"
            " it, and start one that has the same DIBS_LOOKALIKES and the same dibs as the others"
        )


def no_row(run: Run, claim: Claim) -> NoReturn:
    """Say why a claim has neither made a row nor met one.

    Raises:
        RulesReplaced: Its rules are not in force.
    """
    require_rules(claim.username.in_force, [run.value(f"SELECT {run.dialect.rules}", {})])
    raise RowVanished(claim.username.key)


KEYS = """
    SELECT name_key FROM dibs_names WHERE namespace = :namespace AND name_key > :after
    ORDER BY name_key LIMIT :limit
"""
COUNT = f"SELECT COUNT(*), MAX(name_key) FROM ({KEYS}) page"
# In the order of the index on InnoDB, where it holds the primary key too and is all that is read.
NEW = """
    SELECT created_at, name_key FROM dibs_names
    WHERE created_at >= :since AND (created_at > :since OR name_key > :after)
      AND {namespace} = :namespace
    ORDER BY created_at, namespace, name_key LIMIT :limit
"""


class Listing:
    """The keys of one namespace, in whatever state their rows are.

    Each call is one short read; all raise `StoreUnavailable` when the database cannot answer.

    Args:
        budget: What each read may take: nobody waits for them.
    """

    def __init__(self, transactions: Transactions, namespace: str, budget: Budget) -> None:
        self._transactions = transactions
        self._namespace = namespace
        self._budget = budget

    def moment(self) -> tuple[int, str]:
        """The database's clock in milliseconds since 1970, and its secret, read anew."""
        clock = self._transactions.dialect.clock
        rows = self._read(f"SELECT {clock}, secret FROM dibs_meta WHERE id = 1", {})
        if not rows:
            raise SchemaError(EMPTY_META)
        return int(rows[0][0]), rows[0][1]

    def count(self, *, after: str, limit: int) -> tuple[int, str]:
        """How many keys `keys` would return, and the last of them."""
        count, last = self._read(COUNT, {"after": after, "limit": limit})[0]
        return count, last or after

    def keys(self, *, after: str, limit: int) -> list[str]:
        """Up to `limit` keys that have a row, in the order of their bytes, past the key `after`."""
        return [row[0] for row in self._read(KEYS, {"after": after, "limit": limit})]

    def new_keys(self, *, since: int, after: str, limit: int) -> list[tuple[int, str]]:
        """Keys with the time at which their rows were made, in the order of both.

        Args:
            since: By the database's clock; that of a row is read when it is written, so one
                that is committed later may be older than one that was seen before.
            after: Of the rows made at `since`, only those past this key.
        """
        sql = NEW.format(namespace=self._transactions.dialect.unindexed("namespace"))
        rows = self._read(sql, {"since": since, "after": after, "limit": limit})
        return [(row[0], row[1]) for row in rows]

    def _read(self, sql: str, params: Mapping[str, object]) -> Sequence[Row]:
        params = {"namespace": self._namespace, **params}
        return self._transactions.rows(sql, params, deadline=self._budget.start())
