"""Rows by their keys, and whether the rules by which somebody is about to claim are in force."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import NoReturn

from dibs.errors import RulesReplaced
from dibs.names import Phase
from dibs.store.database.rows import key_params, name_row
from dibs.store.database.runs import Run
from dibs.store.database.transactions import RowVanished
from dibs.store.records import Claim, NameRow

log = logging.getLogger(__name__)
Place = tuple[str, str]
"""A namespace and a key: what the database makes unique."""


MAX_BATCH = 500
"""Keys in one statement."""


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
            found = run.rows(sql, {"namespace": namespace, "keys": keys})
        else:
            sql = run.dialect.select_where(run.dialect.among(len(keys)), ruled=ruled)
            found = run.rows(sql, key_params(namespace, keys))
        if rules is not None:
            require_rules(rules, {row[-1] for row in found})
            found = [row[:-1] for row in found]
        rows |= {(namespace, row.key): row for row in map(name_row, found)}
    return rows


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
