"""Behind Debian's PgBouncer in transaction mode, as it comes: what holds elsewhere holds there."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from dibs.store import Budget, NameRow, Won
from dibs.store.database.dialects.base import Pooled
from dibs.store.database.engine import connect
from dibs.store.names.store import NameStore
from dibs.store.schema import upgrade
from tests.backends import POSTGRESQL, open_store
from tests.cli.terminal import Terminal
from tests.conftest import missing
from tests.contract.rows import put
from tests.fault.helpers import BUDGET, ask, is_unavailable, is_unknown, within
from tests.load import Answer, get, post, register
from tests.race.harness import assert_one_winner, at_once, claim_at_once
from tests.service import Service
from tests.services import PgBouncer, ServiceMissing
from tests.support.contract import StoreContract, a_claim, kinds, soon
from tests.support.turns import TurnsPool

PASSWORD = "correct horse battery"
ROUNDS = 8
USUAL = Budget()


@pytest.fixture(scope="module")
def pooler() -> Iterator[PgBouncer]:
    try:
        pooler = PgBouncer(POSTGRESQL.server).start()
    except ServiceMissing as error:
        missing(error)
        raise
    yield pooler
    pooler.close()


@pytest.fixture
def terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    return Terminal(tmp_path, monkeypatch, capsys)


@pytest.fixture
def direct_url() -> str:
    return POSTGRESQL.shared()


@pytest.fixture
def url(pooler: PgBouncer, direct_url: str) -> str:
    return pooler.url_via(direct_url, pooler.port)


class TestPooledStore(StoreContract):
    def put(self, store: NameStore, row: NameRow) -> None:
        put(store, row)


@pytest.mark.race
def test_one_of_many_wins(url: str) -> None:
    """Claims with a password are one statement, the others a transaction, those by turns groups."""
    stores = [open_store(url, pool_size=8) for _ in range(2)]
    with TurnsPool() as pool:
        for i in range(15):
            hashed = "$argon2id$..." if i % 3 == 1 else None
            claims = [a_claim(f"n{i}", user=True, password_hash=hashed) for _ in range(12)]
            if i % 3 < 2:
                assert_one_winner(claim_at_once(stores, claims))
                continue
            sent = [partial(ask, stores[k % 2], one) for k, one in enumerate(claims)]
            assert_one_winner(pool.at_once(sent))
    for store in stores:
        store.close()


def test_a_crowd_in_groups(store: NameStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many at once each has their own name."""
    monkeypatch.setattr("dibs.store.names.attempts.JUST_NOW", 1e9)
    ask(store, a_claim("warm"))
    with TurnsPool() as pool:
        wishes = [a_claim(f"n{i}", user=True) for i in range(64)]
        outcomes = pool.at_once([partial(ask, store, one) for one in wishes])
    assert kinds(outcomes) == [Won] * len(wishes)
    assert len(store.users(limit=100, after=None, deadline=soon())) == len(wishes)


@pytest.mark.fault
@pytest.mark.parametrize("hashed", [None, "$argon2id$..."])
def test_behind_a_locked_row(store: NameStore, direct_url: str, hashed: str | None) -> None:
    """Refused in time, and nothing of ours is left waiting in the server."""
    engine = create_engine(direct_url, poolclass=NullPool)
    with engine.connect() as theirs:
        insert = "INSERT INTO dibs_names (namespace, name_key, display, rules_version, state,"
        insert += " version, created_at) VALUES ('default', 'ada', 'ada', 4, 'owned', 1, 0)"
        theirs.execute(text(insert))
        with within(USUAL.deadline):
            wishes = [a_claim("ada", user=True, password_hash=hashed) for _ in range(6)]
            told = at_once([partial(ask, store, one, USUAL) for one in wishes])
            assert all(is_unavailable(one) or is_unknown(one) for one in told)
        assert waiting(direct_url) == 0
        assert isinstance(ask(store, a_claim("eve", user=True, password_hash=hashed)), Won)
    assert isinstance(ask(store, a_claim("ada")), Won)


def waiting(url: str) -> int:
    sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = "
    return int(POSTGRESQL.execute(f"{sql}'{make_url(url).database}'", url)[0][0])


def test_no_limit_is_left_to_others(store: NameStore, direct_url: str) -> None:
    """What dibs asks for ends with its transactions: sessions are somebody else's next."""
    for i in range(8):
        ask(store, a_claim(f"n{i}"))
    store.close()
    engine = create_engine(store.engine.url, poolclass=NullPool)
    with engine.connect() as theirs:
        for key in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            assert theirs.scalar(text(f"SELECT current_setting('{key}')")) == "0"
        assert theirs.scalar(text("SELECT COUNT(*) FROM pg_prepared_statements")) == 0


@pytest.mark.parametrize(
    ("through", "pooled", "limited"),
    [(False, "auto", False), (False, "yes", True), (False, "no", False), (True, "auto", True)],
)
def test_direct_is_only_what_is_proven(
    direct_url: str, url: str, through: bool, pooled: Pooled, limited: bool
) -> None:
    """Then the session itself is bounded, and statements have names."""
    engine = connect(url if through else direct_url, budget=BUDGET, pool_size=1, pooled=pooled)
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        assert (driver.prepare_threshold is None) is limited
        asked = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
        assert connection.exec_driver_sql(asked).one() == ("600ms", "1080ms")
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        raw = driver.pgconn.exec_(b"SHOW lock_timeout").get_value(0, 0)
        assert raw == (b"0" if limited else b"600ms")
    engine.dispose()


def test_the_service(pooler: PgBouncer, terminal: Terminal) -> None:
    """It makes the tables, starts, and never answers 500, with whatever it is asked."""
    url = pooler.url_via(POSTGRESQL.empty(), pooler.port)
    upgrade(url)
    settings: dict[str, Any] = {"password": "optional", "argon2_memory_kib": 64, "deadline": 20}
    with Service(url, **settings) as service, service.client(24) as client:
        seen: list[Answer] = []
        for i in range(ROUNDS):
            mixed = [
                register(f"name{i}"),
                register(f"NAME{i}"),
                register(f"pw{i}", "correct horse"),
            ]
            mixed += [get(f"/usernames/name{i}"), get("/users"), get("/readyz")]
            mixed += [post("/login", {"username": f"pw{i - 1}", "password": PASSWORD})]
            mixed += [post("/usernames/check", {"usernames": ["a1b", f"name{i}"]})]
            seen += client.send(mixed * 3)
        counted = Counter(answer.status for answer in seen)
    assert max(counted) < 500, counted
    assert counted[201] == 2 * ROUNDS
    terminal.set(database_url=url)
    said = terminal.dibs("check")
    assert said.status == 0
    assert (
        "Time-outs, as behind a pooler: statement 1800ms, lock 1s, idle in transaction 5s"
        in said.out
    )
