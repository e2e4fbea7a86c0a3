"""A database of before the first release becomes one of today: nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from dibs.names import RULES_VERSION
from dibs.store import Won, prerelease, schema
from dibs.store.accounts.idempotency import Answer, Attempt, Requests
from dibs.store.accounts.sessions import Living, Sessions
from dibs.store.accounts.teams import Teams
from dibs.store.accounts.users import Users
from dibs.store.models import metadata
from dibs.store.names.history import History
from dibs.store.names.store import NameStore
from dibs.store.schema import VERSION_TABLE, _config, upgrade, verify
from tests.backends import open_store
from tests.histories import assert_history
from tests.support.contract import a_claim, a_name, a_rename, look_up, lose, soon, win

MIGRATIONS = Path(__file__).parent / "before_release"
"""As they were then."""

ADA, EVE, CREW, BOB = (f"5b1c9a52-6b5c-4b2b-9d5b-7f3d3f0f1a{i}0" for i in range(4))
SESSION = "0b8e7c1e-6c53-4a2f-8f1e-1f4cbb7c7b11"
FAR = 32_503_680_000_000
"""In the year 3000, in milliseconds since 1970."""

NAMES = (
    "INSERT INTO dibs_names (namespace, name_key, canonical, display, rules_version, state,"
    " owner_kind, owner, claim_token, expires_at, version, created_at, updated_at, actor,"
    " request_id, registered) VALUES"
    f" ('default', 'ada', 'ada', 'Ada', {RULES_VERSION}, 'owned', 'user', '{ADA}', '{'a' * 64}',"
    " NULL, 1, 1000, 1000, NULL, NULL, NULL),"
    f" ('default', 'eve', 'eve', 'eve', {RULES_VERSION}, 'owned', 'user', '{EVE}', NULL,"
    " NULL, 2, 1000, 3000, NULL, NULL, NULL),"
    f" ('default', 'crew', 'crew', 'crew', {RULES_VERSION}, 'owned', 'team', '{CREW}', NULL,"
    " NULL, 1, 4000, 4000, NULL, NULL, NULL),"
    f" ('default', 'gone', 'gone', 'gone', {RULES_VERSION}, 'quarantined', 'user', '{EVE}', NULL,"
    f" {FAR}, 2, 1000, 2000, NULL, NULL, NULL),"
    f" ('default', 'dora', 'dora', 'Dora', {RULES_VERSION}, 'owned', 'user', '{BOB}', '{'b' * 64}',"
    " NULL, 1, 5000, 0, NULL, 'request-5', 1),"
    f" ('other', 'kept', 'kept', 'kept', {RULES_VERSION}, 'reserved', 'staff', 'a brand',"
    f" '{'c' * 64}',"
    " NULL, 1, 6000, 0, 'somebody', NULL, NULL)"
)
HISTORY = (
    "INSERT INTO dibs_history (namespace, name_key, version, action, was, became, owner_kind,"
    " owner, actor, request_id, at) VALUES"
    f" ('default', 'ada', 1, 'claimed', NULL, 'Ada', 'user', '{ADA}', NULL, 'request-1', 1000),"
    " ('default', 'eve', 1, 'held', NULL, 'eve', 'hold', 'somebody', NULL, NULL, 1000),"
    f" ('default', 'eve', 2, 'claimed', NULL, 'eve', 'user', '{EVE}', NULL, NULL, 3000),"
    f" ('default', 'crew', 1, 'claimed', NULL, 'crew', 'team', '{CREW}', '{ADA}', NULL, 4000),"
    f" ('default', 'gone', 1, 'claimed', NULL, 'gone', 'user', '{EVE}', NULL, NULL, 1000),"
    f" ('default', 'gone', 2, 'released', 'gone', NULL, 'user', '{EVE}', NULL, NULL, 2000)"
)
ROWS = (
    NAMES,
    HISTORY,
    f"INSERT INTO dibs_users (id, password_hash, role, created_at) VALUES"
    f" ('{ADA}', 'a hash', 'staff', 1001), ('{EVE}', NULL, NULL, 3001)",
    f"INSERT INTO dibs_teams (id, version, created_at) VALUES ('{CREW}', 1, 4001)",
    "INSERT INTO dibs_members (team_id, user_id, role, created_at) VALUES"
    f" ('{CREW}', '{ADA}', 'owner', 4001)",
    "INSERT INTO dibs_sessions (id, user_id, token_hash, repeats, device, created_at, used_at,"
    f" expires_at) VALUES ('{SESSION}', '{ADA}', '{'b' * 64}', 0, 'a device', 1, 1, {FAR})",
    "INSERT INTO dibs_requests (id, fingerprint, attempt, state, status, body, created_at,"
    f" started_at) VALUES ('{'d' * 64}', '{'e' * 64}', 'f', 'done', 201, 'sent', {FAR}, {FAR})",
)


@pytest.fixture
def old(empty_url: str) -> Iterator[Engine]:
    """As the migrations up to that one made it, with rows in it."""
    engine = create_engine(empty_url, poolclass=NullPool)
    with engine.connect() as connection:
        config = _config(connection, RULES_VERSION)
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, "head")
        connection.commit()
    with engine.begin() as connection:
        for sql in ROWS:
            connection.execute(text(sql))
    yield engine
    engine.dispose()


@pytest.fixture
def store(old: Engine, empty_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[NameStore]:
    """The same, upgraded twice, two rows at a time, after an upgrade that broke off."""
    monkeypatch.setattr(prerelease, "BATCH", 2)
    with monkeypatch.context() as planted:
        planted.setattr(prerelease, "CANONICAL", text("UPDATE no_such_table SET a = 1"))
        planted.setattr(schema, "UPGRADE_TRIES", 1)
        with pytest.raises(DBAPIError):
            upgrade(empty_url)
    for _ in range(2):
        upgrade(empty_url)
    store = open_store(empty_url)
    yield store
    store.close()


def test_tables_are_those_of_a_new_database(store: NameStore) -> None:
    with store.engine.connect() as connection:
        verify(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
    assert [one for one in found if VERSION_TABLE not in str(one)] == []


def test_everybody_is_there(store: NameStore) -> None:
    """With their name, role, password, session and team."""
    listed = store.users(limit=10, after=None, deadline=soon())
    found = [(user.id, user.username, user.created_at, user.role) for user in listed]
    assert found == [
        (ADA, "Ada", 1001, "staff"),
        (EVE, "eve", 3001, None),
        (BOB, "Dora", 5000, None),
    ]
    accounts = Users(store.transactions, "default")
    credentials = [accounts.credentials_of(one, deadline=soon()) for one in (ADA, EVE)]
    assert [one.password_hash for one in credentials if one] == ["a hash", None]
    living = Sessions(store.transactions).living(SESSION, deadline=soon())
    assert living == Living(SESSION, ADA, "staff")
    members = Teams(store.transactions, "default").members([CREW], deadline=soon())[CREW]
    assert [(one.username, one.role) for one in members] == [("Ada", "owner")]


def test_names_are_whose_they_were(store: NameStore) -> None:
    """A claim that comes again is still known by its token."""
    for key in ("ada", "eve", "crew", "gone", "dora"):
        lose(store, a_claim(key))
    assert win(store, a_claim("ada", token="a" * 64)).owner == ADA
    assert win(store, a_claim("dora", token="b" * 64)).owner == BOB
    assert win(store, a_claim("gone", owner=EVE)).owner == EVE
    assert [row.owner for row in store.reserved(namespace="other", deadline=soon())] == ["a brand"]
    requests = Requests(store.transactions, patience_ms=1000)
    again = requests.begin(Attempt("d" * 64, "e" * 64, "g"), deadline=soon())
    assert again.answer == Answer(201, "sent")


def test_the_history_is_told_once(store: NameStore) -> None:
    """Also of names whose first claim is still their last change, and after the next one."""
    history = History(store.transactions, "default")

    def lines(key: str) -> list[tuple[str, str | None, int]]:
        past = history.of_name(a_name(key), limit=10, deadline=soon())
        return [(one.change.action, one.change.request_id, one.at) for one in past]

    assert lines("ada") == [("claimed", "request-1", 1000)]
    assert lines("eve") == [("claimed", None, 3000), ("held", None, 1000)]
    counted = history.registrations(since=0, now=2 * 3_600_000, deadline=soon())
    assert counted == {0: 4}
    assert lines("dora") == [("claimed", "request-5", 5000)]
    row = look_up(store, "ada")
    assert row is not None
    assert isinstance(store.rename(a_rename(row, "grace"), deadline=soon()), Won)
    assert [line[0] for line in lines("ada")] == ["left", "claimed"]
    assert lines("ada")[1:] == [("claimed", "request-1", 1000)]
    assert len(assert_history(store)) == 9
