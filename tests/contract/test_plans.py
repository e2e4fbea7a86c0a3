"""Every statement reads by an index, from where it begins: the plans at 200,000 rows.

What a database reads of a table is what a page costs, and no test with ten rows shows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

import psycopg
import pymysql
import pytest
from sqlalchemy.engine import make_url

from dibs.names import parse
from dibs.store import Budget, Claim, NewTeam, Won
from dibs.store.accounts.erasures import Erasures
from dibs.store.accounts.idempotency import Answer, Attempt, Requests
from dibs.store.accounts.invitations import Invitations
from dibs.store.accounts.sessions import Sessions
from dibs.store.accounts.teams import Teams
from dibs.store.accounts.users import Users
from dibs.store.database.runs import DriverRun
from dibs.store.names.history import History
from dibs.store.names.moves import Pace, Transfer
from dibs.store.names.quarantine import Quarantine
from dibs.store.names.reading import Listing
from dibs.store.names.store import NameStore
from tests.backends import MARIADB, POSTGRESQL, Backend, open_store
from tests.conftest import missing
from tests.services import ServiceMissing
from tests.support.contract import AN_HOUR_MS, a_claim, a_rename, release, soon, win

pytestmark = pytest.mark.slow

ROWS = 200_000
FEW = ROWS // 10
SECONDS = {"postgresql": "CAST(EXTRACT(EPOCH FROM now()) AS BIGINT)"}
SECONDS["mariadb"] = "UNIX_TIMESTAMP()"
SERIES = {"postgresql": "generate_series(1, {}) AS made(i)"}
SERIES["mariadb"] = "(SELECT seq AS i FROM seq_1_to_{}) AS made"
# Ids look like those of the service; every tenth owner is a team, and names are 90 days old.
ID = (
    "CONCAT(SUBSTR(MD5(CAST(i AS CHAR(9))), 1, 8), '-0000-4000-8000-',"
    " LPAD(CAST(i AS CHAR(9)), 12, '0'))"
)
MADE = f"1000 * ({{now}} - 39 * ({ROWS} - i))"
KIND = "CASE WHEN i % 10 = 0 THEN 'team' ELSE 'user' END"
FILL = (
    (
        "dibs_names (namespace, name_key, canonical, display, rules_version, state, owner_kind,"
        " owner, claim_token, version, created_at, updated_at, registered)"
        f" SELECT 'default', {{key}}, {{key}}, {{key}}, 1, 'owned', {KIND}, {ID},"
        f" {{key}}, 1, {MADE}, CASE WHEN i % 3 = 0 THEN NULL ELSE {MADE} END,"
        " CASE WHEN i % 3 = 0 THEN 1 END",
        ROWS,
    ),
    (
        "dibs_history (namespace, name_key, version, action, became, owner_kind, owner, at)"
        f" SELECT 'default', {{key}}, 1, 'claimed', {{key}}, {KIND}, {ID}, {MADE}",
        ROWS,
    ),
    (f"dibs_users (id, password_hash, created_at) SELECT {ID}, 'a hash', {MADE}", ROWS),
    (f"dibs_teams (id, version, created_at) SELECT {ID}, 1, {MADE}", FEW),
    (
        f"dibs_members (team_id, user_id, role, created_at) SELECT {ID}, {ID}, 'owner', {MADE}",
        FEW,
    ),
    (
        "dibs_sessions (id, user_id, token_hash, repeats, device, created_at, used_at, expires_at)"
        f" SELECT {ID}, {ID}, {{key}}, 0, 'a device', 1, 1, 1000 * ({{now}} + i)",
        FEW,
    ),
    (
        "dibs_requests (id, fingerprint, attempt, state, created_at, started_at)"
        f" SELECT {{key}}, {{key}}, 'x', 'done', {MADE}, {MADE}",
        FEW,
    ),
    (
        "dibs_events (id, at, kind, user_id)"
        f" SELECT {ID}, {MADE}, CASE WHEN i % 1000 = 0 THEN 'deleted' ELSE 'disabled' END, {ID}",
        FEW,
    ),
    (
        "dibs_invitations (id, token_hash, uses, used, created_at, expires_at)"
        f" SELECT {ID}, {{key}}, 1, 0, {MADE}, {MADE}",
        FEW,
    ),
)
KEY = "CONCAT('name', SUBSTR(MD5(CAST(i AS CHAR(9))), 1, 16))"

Sent = dict[str, Mapping[str, object]]


@pytest.fixture(scope="module", params=[POSTGRESQL, MARIADB], ids=str)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Whose plans can be asked for; SQLite has few choices."""
    chosen: Backend = request.param
    return chosen


@pytest.fixture(scope="module")
def full(backend: Backend) -> Iterator[str]:
    """A database with so many rows."""
    try:
        url = backend.migrated()
    except ServiceMissing as error:
        missing(error)
        raise
    now, series = SECONDS[backend.name], SERIES[backend.name]
    with connected(backend, url) as cursor:
        for sql, rows in FILL:
            filled = sql.format(now=now, key=KEY)
            cursor.execute(f"INSERT INTO {filled} FROM {series.format(rows)}")
        tables = [sql.split(" ", 1)[0] for sql, _ in FILL]
        for table in tables:
            analyze = "ANALYZE" if backend.name == "postgresql" else "ANALYZE TABLE"
            cursor.execute(f"{analyze} {table}")
    yield url
    backend.drop(url)


@contextmanager
def connected(backend: Backend, url: str) -> Iterator[Any]:
    """A cursor of the driver's own."""
    made = make_url(url)
    opened: Any
    if backend.name == "postgresql":
        opened = psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True)
    else:
        opened = pymysql.connect(
            host=made.host or "",
            port=made.port or 3306,
            user=made.username,
            password=made.password or "",
            database=made.database,
            autocommit=True,
        )
    with closing(opened), opened.cursor() as cursor:
        yield cursor


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Each statement that is sent, with the parameters it came with last."""
    seen: Sent = {}
    execute = DriverRun._execute

    def spy(self: DriverRun, sql: str, params: Mapping[str, object]) -> None:
        seen[sql] = dict(params)
        execute(self, sql, params)

    monkeypatch.setattr(DriverRun, "_execute", spy)
    return seen


class Tour:
    """Everything that is ever asked of a store, each in a method of its own."""

    def __init__(self, store: NameStore) -> None:
        self.store = store
        run = store.transactions
        self.users, self.teams = Users(run, "default"), Teams(run, "default")
        self.sessions, self.history = Sessions(run), History(run, "default")
        self.requests = Requests(run, patience_ms=1000)
        self.listing = Listing(run, "default", Budget())
        self.invitations, self.erasures = Invitations(run), Erasures(run, 0)
        self.parts = (
            store,
            self.users,
            self.teams,
            self.sessions,
            self.history,
            self.requests,
            self.listing,
            self.invitations,
            self.erasures,
        )
        self._names = (f"tour{i}" for i in count())

    def user(self) -> Any:
        return win(self.store, a_claim(next(self._names), user=True, password_hash="a hash"))

    def names(self) -> None:
        one, other = self.user(), self.user()
        self.store.rename(a_rename(one, next(self._names), pace=Pace()), deadline=soon())
        passed = self.user()
        wish = a_claim(next(self._names), owner=str(passed.owner))
        transfer = Transfer(passed, wish, other, Quarantine(AN_HOUR_MS, remembered=True))
        assert isinstance(self.store.transfer(transfer, deadline=soon()), Won)
        held = win(self.store, a_claim(next(self._names), lasts=AN_HOUR_MS))
        self.store.free(held.key, state="held", token=held.claim_token, deadline=soon())
        row = self.user()
        release(self.store, row.key, str(row.owner), rest=Quarantine(AN_HOUR_MS))
        self.store.names_of("user", str(one.owner), namespace="default", deadline=soon())
        self.store.names_of("user", str(one.owner), deadline=soon())
        many = [a_claim(next(self._names), user=True, password_hash="x") for _ in range(20)]
        self.store.claim_many(many, deadline=soon())
        self.store.find([claim.username.key for claim in many], deadline=soon())

    def lists(self) -> None:
        now, _ = self.listing.moment()
        assert self.store.clock(deadline=soon()) >= now
        middle = self.store.users(limit=3, after=f"{7:x}", deadline=soon())
        self.store.users(limit=100, after=middle[-1].id, deadline=soon())
        self.store.user(middle[0].id, deadline=soon())
        self.store.reserved(deadline=soon())
        self.store.held(within=1000, limit=10, deadline=soon())
        self.listing.keys(after="name8", limit=100)
        self.listing.count(after="name8", limit=100)
        self.listing.new_keys(since=now - 1000, after="name8", limit=100)
        self.teams.page(limit=100, after=f"{7:x}", deadline=soon())
        self.history.names_now([one.id for one in middle], deadline=soon())
        self.history.of_owner(middle[0].id, deadline=soon())
        self.history.of_name(parse(middle[0].username), limit=20, deadline=soon())
        self.history.registrations(since=now - 3 * AN_HOUR_MS, now=now, deadline=soon())

    def only_named(self) -> None:
        """Users without a row of their own."""
        one, other = (win(self.store, a_claim(next(self._names), user=True)) for _ in range(2))
        self.store.set_role(str(one.owner), "staff", deadline=soon())
        self.users.delete(str(other.owner), deadline=soon())

    def accounts(self) -> None:
        user_id = str(self.user().owner)
        self.store.set_role(user_id, "staff", deadline=soon())
        self.users.credentials(parse("tour0"), ["tour0"], deadline=soon())
        self.users.credentials_of(user_id, deadline=soon())
        self.users.renew_hash(user_id, old="a hash", new="a hash", deadline=soon())
        self.session(user_id, "a hash")
        self.users.change_password(user_id, old="a hash", new="new", deadline=soon())
        self.users.disabled([user_id], deadline=soon())
        self.users.named(["name8"], after="name85", limit=100, deadline=soon())
        self.users.sign_out(user_id, deadline=soon())
        self.users.set_disabled(user_id, disabled=True, deadline=soon())
        self.users.set_disabled(user_id, disabled=False, deadline=soon())
        self.team(user_id)
        self.users.delete(user_id, deadline=soon())
        assert self.erasures.remove_expired(limit=10, deadline=soon()) == 10
        made = self.invitations.put("h" * 64, 1, ms=AN_HOUR_MS, deadline=soon())
        assert self.invitations.is_good("h" * 64, deadline=soon())
        guest = replace(a_claim(next(self._names), user=True), invitation="h" * 64)
        assert isinstance(self.store.claim(guest, deadline=soon()), Won)
        self.invitations.page(after=made, limit=10, deadline=soon())
        self.invitations.end(made, deadline=soon())

    def session(self, user_id: str, password_hash: str) -> None:
        token, following = "a" * 64, "b" * 64
        one, other = str(uuid4()), str(uuid4())
        for row_id in (one, other):
            assert self.sessions.start(
                row_id,
                user_id=user_id,
                password_hash=password_hash,
                token_hash=token,
                device="a test",
                ms=AN_HOUR_MS,
                most=1,
                deadline=soon(),
            )
        for _ in range(3):
            self.sessions.rotate(
                other, presented=token, following=following, ms=AN_HOUR_MS, deadline=soon()
            )
        self.sessions.living(other, deadline=soon())
        self.sessions.has_begun_within(other, AN_HOUR_MS, deadline=soon())
        self.sessions.of(user_id, deadline=soon())
        self.sessions.count([user_id], deadline=soon())
        self.sessions.end(other, user_id=user_id, deadline=soon())
        self.sessions.end_all(user_id, deadline=soon())
        self.sessions.remove_expired(limit=10, deadline=soon())

    def team(self, user_id: str) -> None:
        team = NewTeam(str(uuid4()), user_id)
        name = parse(next(self._names))
        win(self.store, Claim(name, "team", team.id, uuid4().hex, team=team))
        self.teams.find(team.id, deadline=soon())
        self.teams.of([user_id], deadline=soon())
        self.teams.members([team.id], deadline=soon())
        self.teams.role(team.id, user_id, deadline=soon())
        other = str(self.user().owner)
        self.teams.put(team.id, other, "owner", by=user_id, deadline=soon())
        self.teams.put(team.id, other, "member", by=user_id, deadline=soon())
        self.teams.remove(team.id, other, by=user_id, deadline=soon())
        self.teams.delete(team.id, by=user_id, deadline=soon())

    def keyed(self) -> None:
        attempt = Attempt(uuid4().hex * 2, "f" * 64, uuid4().hex)
        self.requests.begin(attempt, deadline=soon())
        self.requests.finish(attempt, Answer(201, "{}"), deadline=soon())
        again = Attempt(attempt.id, attempt.fingerprint, uuid4().hex)
        self.requests.begin(again, deadline=soon())
        self.requests.begin_anew(again, after=attempt.token, deadline=soon())
        self.requests.forget(again, deadline=soon())
        self.requests.remove_expired(limit=10, deadline=soon())


SKIPPED = {"close", "verify", "verify_writable", "verify_rights", "is_empty", "secret", "reserved"}
"""Ask for nothing of the large tables; but for the last one, which `dibs reserve list` asks."""


def test_nothing_is_read_that_is_not_shown(backend: Backend, full: str, sent: Sent) -> None:
    """No table is read from its first row to its last, and no index from its first entry."""
    store = open_store(full)
    asked = asked_of(store, tour := Tour(store), sent)
    surface = {
        f"{type(part).__name__}.{name}"
        for part in tour.parts
        for name in dir(part)
        if not name.startswith("_") and callable(getattr(part, name)) and name not in SKIPPED
    }
    assert {one for one in asked if one.split(".")[1] not in SKIPPED} == surface
    explain = {"postgresql": postgresql, "mariadb": mariadb}[backend.name]
    with connected(backend, full) as cursor:
        found = {sql: bad for sql, params in sent.items() if (bad := explain(cursor, sql, params))}
    store.close()
    assert len(sent) > 60
    assert not found
    assert not [sql for sql in sent if casts_in_joins(sql)]


def asked_of(store: NameStore, tour: Tour, sent: Sent) -> set[str]:
    """Take the tour; returns the methods that it called."""
    called: set[str] = set()
    for part in tour.parts:
        for name in dir(part):
            method = getattr(part, name)
            if not name.startswith("_") and callable(method):
                setattr(part, name, told(method, f"{type(part).__name__}.{name}", called))
    sent.clear()
    tour.names()
    tour.accounts()
    tour.only_named()
    tour.keyed()
    tour.lists()
    return called


def told(method: Callable[..., Any], name: str, called: set[str]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        called.add(name)
        return method(*args, **options)

    return call


def pyformat(sql: str) -> str:
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", sql)


FRAMES = ("BEGIN", "COMMIT", "ROLLBACK", "SELECT set_config")


def postgresql(cursor: Any, sql: str, params: Mapping[str, object]) -> list[str]:
    """What its plan reads in a way that grows with the table."""
    if sql.startswith(FRAMES):
        return []
    cursor.execute(f"EXPLAIN (FORMAT JSON) {pyformat(sql)}", params)
    ((plan,),) = cursor.fetchall()
    plans = plan if isinstance(plan, list) else json.loads(plan)
    return [bad for one in plans for bad in growing(one["Plan"])]


def growing(node: Mapping[str, Any]) -> Iterator[str]:
    kind, table = node["Node Type"], node.get("Relation Name", node.get("Index Name", ""))
    by_index = kind in ("Index Scan", "Index Only Scan", "Bitmap Index Scan")
    whole = kind == "Seq Scan" or (by_index and "Index Cond" not in node)
    if whole and table.startswith("dibs_") and table != "dibs_meta":
        yield f"{kind} of {table}"
    for child in node.get("Plans", ()):
        yield from growing(child)


def mariadb(cursor: Any, sql: str, params: Mapping[str, object]) -> list[str]:
    """The same: `ALL` is a table, `index` an index from its first entry on."""
    sql = re.sub(r"/\*M! SET STATEMENT.*?\*/ ", "", sql)
    if sql.startswith(FRAMES) or "VALUES" in sql:
        return []
    cursor.execute(f"EXPLAIN {pyformat(sql)}", dict(params))
    columns = [column[0] for column in cursor.description]
    rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return [
        f"{row['type']} of {row['table']}"
        for row in rows
        if row["type"] in ("ALL", "index") and not str(row["table"]).startswith(("<", "dibs_meta"))
    ]


JOINED = re.compile(
    r"\bJOIN\b.*?\bON\b(.*?)(?=\bJOIN\b|\bWHERE\b|\bGROUP\b|\bORDER\b|$)", re.DOTALL
)


def casts_in_joins(sql: str) -> list[str]:
    """Conditions of joins that convert a value; of such a column no index is used."""
    return [on for on in JOINED.findall(sql) if re.search(r"\bCAST\b|::|\bCONVERT\b|\|\|", on)]


def test_a_cast_is_seen() -> None:
    """Wherever it stands in the condition."""
    by_cast = (
        "SELECT 1 FROM a JOIN b ON b.id = CAST(a.id AS text) JOIN c ON c.id = b.id WHERE 1 = 1"
    )
    assert len(casts_in_joins(by_cast)) == 1
    assert (
        casts_in_joins("SELECT 1 FROM a JOIN b ON b.id = a.id WHERE CAST(a.id AS text) = 'x'") == []
    )


def test_a_plan_that_grows_is_seen(backend: Backend, full: str) -> None:
    """The statement that `GET /users` was, and a table without an index."""
    bad = [
        "SELECT id FROM dibs_users WHERE password_hash = :hash",
        "SELECT COUNT(*) FROM dibs_names WHERE state = 'owned'",
    ]
    explain = {"postgresql": postgresql, "mariadb": mariadb}[backend.name]
    with connected(backend, full) as cursor:
        for sql in bad:
            assert explain(cursor, sql, {"hash": "x"})
