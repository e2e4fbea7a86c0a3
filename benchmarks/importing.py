"""Names of people who are there already, a second: the import beside COPY of the same rows.

    python -m benchmarks.importing --people 1000000 --databases postgresql

One name in a hundred is another spelling of somebody's, three in a hundred break a rule for new
names. On PostgreSQL the rows that came of it are then copied into the same tables of a new
database, in the order in which they were written: what no import could be quicker than. With
`--beside 50` as many people a second sign up meanwhile in another process, and before. A new
PostgreSQL fills each WAL file with zeros when it first comes to it, and every commit waits; one
in use writes over old files. So this is done twice, the second time with the files of the first.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Iterator
from typing import Any

import click
from sqlalchemy import create_engine

from benchmarks.sign_ups import Told, beside
from dibs.adopt.importing import Imported, import_people
from dibs.adopt.people import Person
from dibs.names import Parser
from dibs.names.skeleton import RULES
from tests.backends import BACKENDS, POSTGRESQL, Backend

IDLE_S = 20.0
LETTERS = "abcdefghijklmnopqrstuvwxyz"
DATABASES = {backend.name: backend for backend in BACKENDS}
COLUMNS = (
    "created_at, updated_at, expires_at, version, rules_version, registered, namespace, name_key,"
    " canonical, display, state, owner_kind, owner, claim_token, actor, request_id"
)


@click.command()
@click.option("--people", default=100_000, show_default=True)
@click.option("--batch", default=5_000, show_default=True)
@click.option("--databases", default=",".join(DATABASES), show_default=True)
@click.option("--beside", "rate", default=0, help="How many sign up a second meanwhile.")
def main(people: int, batch: int, databases: str, rate: int) -> None:
    """Say how many names a second each database takes."""
    for name in databases.split(","):
        backend = DATABASES[name]
        url = backend.migrated()
        if rate:
            beside_sign_ups(name, url, people, batch, rate)
            if backend is POSTGRESQL:
                backend.server.execute("CHECKPOINT")
                click.echo("once more, with the WAL files that were made meanwhile:")
                beside_sign_ups(name, backend.migrated(), people, batch, rate)
            backend.close()
            continue
        done, seconds = imported(url, people, batch)
        click.echo(f"{name}: {people / seconds:,.0f} names a second, {done.grouped} in groups")
        if name == "postgresql":
            rows, took = copied(backend, url)
            share = (people / seconds) / (rows / took)
            click.echo(f"  COPY: {rows / took:,.0f} rows a second; {share:.2f} of it")
        again, seconds = imported(url, people, batch)
        click.echo(f"  once more: {people / seconds:,.0f} a second, {again.adopted} new")
        backend.close()


def beside_sign_ups(database: str, url: str, people: int, batch: int, rate: int) -> None:
    """Say how long those who sign up wait with and without an import.

    Raises:
        ClickException: Somebody was told something wrong.
    """
    told = Told()
    with beside(url, [("standard", RULES)], rate, told) as stage:
        time.sleep(IDLE_S)
        stage.send("import")
        done, seconds = imported(url, people, batch)
    click.echo(
        f"{database}: {done.people / seconds:,.0f} names a second beside {rate} sign-ups, p99"
        f" {told.p99('import'):.1f} ms of {len(told.waits.get('import', ()))};"
        f" without it {told.p99('idle'):.1f} ms of {len(told.waits['idle'])}"
    )
    if wrong := told.wrong():
        raise click.ClickException("; ".join(wrong))


def imported(url: str, people: int, batch: int) -> tuple[Imported, float]:
    """What an import did, and the seconds that it took."""
    engine = create_engine(url)
    them = list(a_crowd(people))
    gc.freeze()  # they are no garbage of the import's
    began = time.perf_counter()
    done = import_people(engine, them, kind="users", parser=Parser(), batch=batch)
    seconds = time.perf_counter() - began
    engine.dispose()
    return done, seconds


def a_crowd(people: int) -> Iterator[Person]:
    """People whose names have 6 to 14 letters and figures, the same ones each time."""
    dice = random.Random(1)
    some: list[str] = []
    for at in range(people):
        kind = dice.random()
        name = "".join(dice.choices(LETTERS, k=dice.randint(5, 11))) + str(at % 1000)
        if kind < 0.01 and some:
            name = dice.choice(some).swapcase()
        elif kind < 0.04:
            name = f"{name} {name}"
        elif kind < 0.05:
            some.append(name)
        yield Person(str(at), name)


def copied(backend: Backend, url: str) -> tuple[int, float]:
    """How many rows there are, and the seconds that COPY takes for them in a new database."""
    other = backend.migrated()
    source, target = (create_engine(one).raw_connection() for one in (url, other))
    blocks: list[Any] = []
    with source.cursor() as cursor:
        sql = f"SELECT {COLUMNS} FROM dibs_names ORDER BY ctid"
        with cursor.copy(f"COPY ({sql}) TO STDOUT") as copy:
            blocks = list(copy)
    began = time.perf_counter()
    with target.cursor() as cursor:
        with cursor.copy(f"COPY dibs_names ({COLUMNS}) FROM STDIN") as copy:
            for block in blocks:
                copy.write(block)
        rows = cursor.rowcount
    target.commit()
    return rows, time.perf_counter() - began


if __name__ == "__main__":
    main()
