"""How long people wait when something of the database's is lost: a primary, or a lock.

`python -m benchmarks.waits`: seconds from the promotion of a synchronous standby to the first good
answer, behind HAProxy and with both hosts in the address; and seconds until those are answered who
want a name whose row somebody keeps locked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count

import click
import psycopg

from dibs.store.schema import upgrade
from tests.clusters.test_standby import balanced, is_synchronous, with_both
from tests.clusters.traffic import is_set_up
from tests.fault.helpers import eventually
from tests.load import register
from tests.service import Service
from tests.services import PostgresServer
from tests.services.postgres import Standby

PEOPLE, BEFORE_S, AFTER_S, AWAY_S = 8, 3.0, 10.0, 1.0
PASSWORD = "correct horse battery"
LOCKED = """
    INSERT INTO dibs_names (namespace, name_key, display, rules_version, state, version, created_at)
    VALUES ('default', 'stuck', 'stuck', 4, 'owned', 1, 0)
"""

Answered = tuple[float, int, float]
"""When, the status, and after how many seconds."""


def ask(service: Service, ends: float, told: list[Answered], names: count[int]) -> None:
    """Register one new name after the other."""
    while time.monotonic() < ends:
        answer = service.one(register(f"newcomer{next(names)}"))
        told.append((time.monotonic(), answer.status, answer.seconds))


def promotion(address: Callable[[tuple[PostgresServer, Standby], ExitStack], str]) -> str:
    """What people notice of a primary that is killed, and of the standby in its place."""
    with ExitStack() as stack:
        primary = stack.enter_context(PostgresServer())
        standby = stack.enter_context(Standby(primary))
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.execute("SELECT pg_reload_conf()")
        url = address((primary, standby), stack)
        assert eventually(lambda: is_synchronous(primary) and is_set_up(url), timeout_s=60)
        service = stack.enter_context(Service(url))
        told, names = list[Answered](), count()
        ends = time.monotonic() + BEFORE_S + AFTER_S
        people = [
            threading.Thread(target=ask, args=(service, ends, told, names)) for _ in range(PEOPLE)
        ]
        for one in people:
            one.start()
        time.sleep(BEFORE_S)
        primary.kill()
        time.sleep(AWAY_S)
        standby.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        standby.execute("SELECT pg_promote()")
        promoted = time.monotonic()
        for one in people:
            one.join()
    good = min(at for at, status, _ in told if status == 201 and at > promoted) - promoted
    refused = sum(status == 503 for _, status, _ in told)
    slowest = max(seconds for *_, seconds in told)
    return f"good again {good:.2f} s after it; {refused} x 503, slowest answer {slowest:.2f} s"


def locked(password: str | None) -> str:
    """What those are told, and when, who want a name that is nearly somebody's."""
    with PostgresServer() as server:
        url = server.create_database()
        upgrade(url)
        with Service(url, password="optional") as service:
            database = url.rpartition("/")[2]
            where = f"host=127.0.0.1 port={server.port} user=postgres dbname={database}"
            with psycopg.connect(where) as keeper:
                keeper.execute(LOCKED)
                answers = service.send(*[register("stuck", password)] * PEOPLE)
                keeper.rollback()
    statuses = sorted({one.status for one in answers})
    seconds = [one.seconds for one in answers]
    return f"{statuses}, the first after {min(seconds):.2f} s, the last after {max(seconds):.2f} s"


@click.command()
def main() -> None:
    """Measure on PostgreSQL, with the defaults of the service."""
    click.echo(f"promotion, behind HAProxy: {promotion(balanced)}")
    click.echo(f"promotion, both hosts in the address: {promotion(with_both)}")
    click.echo(f"behind a locked row, names alone: {locked(None)}")
    click.echo(f"behind a locked row, with passwords: {locked(PASSWORD)}")


if __name__ == "__main__":
    main()
