"""Bytes that a name takes on PostgreSQL, by table and index.

    python -m benchmarks.bytes_a_name --names 20000

Names of 6 to 14 letters are claimed as the service claims them, one by one, by requests that have
an id. What is counted lies on disk afterwards: each file's size, by the number of names.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator

import click

from dibs.context import acting_as
from dibs.names import RULES_VERSION, Username
from dibs.store import Claim, NewUser, new_id
from tests.backends import POSTGRESQL, open_store
from tests.support.contract import soon

LETTERS = "abcdefghijklmnopqrstuvwxyz"
HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "s" * 22 + "$" + "h" * 43
SIZES = """
    SELECT relname, pg_table_size(oid) FROM pg_class
    WHERE relname LIKE 'dibs%' AND relkind IN ('r', 'i') AND relname <> 'dibs_meta'
      AND relname <> 'dibs_meta_pkey' AND relname NOT LIKE '%alembic%'
      AND relpages > 2 ORDER BY 2 DESC
"""


@click.command()
@click.option("--names", default=20_000, show_default=True)
def main(names: int) -> None:
    """Say what a name alone takes, and one with a user and a password."""
    for what, password_hash in (("name alone", None), ("with a password", HASH)):
        total = 0
        click.echo(f"{what}, {names} names")
        for part, size in stored(names, password_hash):
            total += size
            click.echo(f"  {part:24} {size / names:7.1f}")
        click.echo(f"  {'':24} {total / names:7.1f}")
    POSTGRESQL.close()


def stored(names: int, password_hash: str | None) -> Iterator[tuple[str, int]]:
    """The size of each table and index, the largest first."""
    url = POSTGRESQL.migrated()
    store = open_store(url)
    dice = random.Random(1)
    for _ in range(names):
        with acting_as(None, secrets.token_hex(8)):
            store.claim(a_registration(dice, password_hash), deadline=soon())
    store.close()
    POSTGRESQL.execute("VACUUM ANALYZE", url)
    yield from POSTGRESQL.execute(SIZES, url)
    POSTGRESQL.drop(url)


def a_registration(dice: random.Random, password_hash: str | None) -> Claim:
    """As the service makes it, with the token of an idempotency key."""
    key = "".join(dice.choices(LETTERS, k=dice.randint(6, 14)))
    owner = new_id()
    user = NewUser(owner, password_hash)
    name = Username(key.capitalize(), key, key, RULES_VERSION)
    return Claim(name, "user", owner, secrets.token_hex(32), user=user)


if __name__ == "__main__":
    main()
