"""What happens before the insert. Lay the files beside each other: same methods, same order.

Every strategy ends in the same constrained insert, so none can grant a name
twice; they differ in what they ask first, and so in what a refusal costs.
"""

from __future__ import annotations

from dibs.strategies.base import Holder, Sources, Strategy
from dibs.strategies.cache_aside import CacheAside
from dibs.strategies.membership_filter import MembershipFilter
from dibs.strategies.query_then_insert import QueryThenInsert
from dibs.strategies.unique_constraint import UniqueConstraint

__all__ = [
    "STRATEGIES",
    "CacheAside",
    "Holder",
    "MembershipFilter",
    "QueryThenInsert",
    "Sources",
    "Strategy",
    "UniqueConstraint",
]

STRATEGIES: dict[str, type[Strategy]] = {
    "query_then_insert": QueryThenInsert,
    "unique_constraint": UniqueConstraint,
    "cache_aside": CacheAside,
    "membership_filter": MembershipFilter,
}
