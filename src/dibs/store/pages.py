"""The statements that list a namespace's keys, a page at a time."""

from __future__ import annotations

from dibs.store.dialects.base import Dialect, Run, plain

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


def read_keys(run: Run, *, after: str, limit: int, namespace: str) -> list[str]:
    """See `Listing.keys`."""
    rows = run.rows(KEYS, {"namespace": namespace, "after": after, "limit": limit})
    return [plain(row)[0] for row in rows]


def read_count(run: Run, *, after: str, limit: int, namespace: str) -> tuple[int, str]:
    """See `Listing.count_keys`."""
    rows = run.rows(COUNT, {"namespace": namespace, "after": after, "limit": limit})
    count, last = plain(rows[0])
    return count, last or after


def read_new_keys(
    run: Run, dialect: type[Dialect], *, since: int, after: str, limit: int, namespace: str
) -> list[tuple[int, str]]:
    """See `Listing.new_keys`."""
    sql = NEW.format(namespace=dialect.unindexed("namespace"))
    params = {"namespace": namespace, "since": since, "after": after, "limit": limit}
    return [(row[0], plain(row)[1]) for row in run.rows(sql, params)]


def moment_sql(dialect: type[Dialect]) -> str:
    """See `Listing.moment`."""
    return f"SELECT {dialect.clock}, secret FROM dibs_meta WHERE id = 1"
