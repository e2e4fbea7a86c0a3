"""What the tests of faults say often."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy.engine import make_url

from dibs.errors import OutcomeUnknown, StoreUnavailable
from dibs.store import Budget, Claim, Failed, NameStore, Outcome
from tests.race.harness import at_once
from tests.services import PostgresServer, Server
from tests.support.contract import a_claim, claim, win

BUDGET = Budget(deadline=3.0)
"""Shorter than the default, since every frozen server is waited for in full."""

NOISE_S = 1.5
"""What a busy machine of two cores may add to a deadline."""


def ask(store: NameStore, wanted: Claim, budget: Budget = BUDGET) -> Outcome | Failed:
    """One claim, under the deadline of a request."""
    return claim(store, wanted, deadline=budget.start())


def ask_all(store: NameStore, names: list[str], budget: Budget = BUDGET) -> list[Outcome | Failed]:
    """Claims all of these names at the same moment."""
    return at_once([partial(ask, store, a_claim(name), budget) for name in names])


def warm_up(store: NameStore, connections: int = 8) -> None:
    """Fills the pool with connections that work."""
    at_once([lambda: win(store, a_claim(a_claim("x").token))] * connections)


def is_unavailable(outcome: Outcome | Failed) -> bool:
    """Refused, and nothing was changed."""
    return isinstance(outcome, Failed) and type(outcome.error) is StoreUnavailable


def is_unknown(outcome: Outcome | Failed) -> bool:
    """Neither yes nor no."""
    return isinstance(outcome, Failed) and type(outcome.error) is OutcomeUnknown


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is in here takes no longer, give or take the machine's noise."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds + NOISE_S


def eventually(condition: Callable[[], object], *, timeout_s: float = 15.0) -> bool:
    """Whether it comes true."""
    end = time.monotonic() + timeout_s
    while not (done := bool(condition())) and time.monotonic() < end:
        time.sleep(0.03)
    return done


def sessions(server: Server, url: str) -> int:
    """How many connections the server believes to have to this database, but for our own."""
    where = (
        "pg_stat_activity WHERE usename <> 'postgres' AND datname"
        if isinstance(server, PostgresServer)
        else "information_schema.processlist WHERE db"
    )
    ((count,),) = server.execute(f"SELECT COUNT(*) FROM {where} = '{make_url(url).database}'")
    return int(count)


def users_of(store: NameStore) -> int:
    """How many users are listed, with a row of their own or without one."""
    return len(store.users(limit=1000, after=None, deadline=BUDGET.start()))


def stored(server: Server, url: str, table: str = "dibs_names") -> int:
    """How many rows there are."""
    ((count,),) = server.execute(f"SELECT COUNT(*) FROM {table}", url)
    return int(count)


def read_only(server: Server, url: str) -> tuple[str, str]:
    """What ends, and what begins, that this database takes no writes."""
    database = url.rpartition("/")[2]
    if isinstance(server, PostgresServer):
        how = f"ALTER DATABASE {database} SET default_transaction_read_only"
    else:
        how = "SET GLOBAL read_only"
    return f"{how} = 0", f"{how} = 1"
