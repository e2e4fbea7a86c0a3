"""A database of before a row said who claimed the name first: nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from dibs.names import RULES_VERSION
from dibs.store import Won
from dibs.store.accounts.sessions import Living, Sessions
from dibs.store.accounts.teams import Teams
from dibs.store.accounts.users import Users
from dibs.store.names.history import History
from dibs.store.names.store import NameStore
from dibs.store.schema import _config, upgrade
from tests.backends import open_store
from tests.histories import assert_history
from tests.support.contract import a_claim, a_name, a_rename, look_up, lose, soon, win

BEFORE = "0007"
ADA, EVE, CREW = (f"5b1c9a52-6b5c-4b2b-9d5b-7f3d3f0f1a{i}0" for i in range(3))
SESSION = "0b8e7c1e-6c53-4a2f-8f1e-1f4cbb7c7b11"
FAR = 32_503_680_000_000
"""In the year 3000, in milliseconds since 1970."""

NAMES = (
    "INSERT INTO dibs_names (namespace, name_key, canonical, display, rules_version, state,"
    " owner_kind, owner, claim_token, expires_at, version, created_at, updated_at) VALUES"
    f" ('default', 'ada', 'ada', 'Ada', {RULES_VERSION}, 'owned', 'user', '{ADA}', '{'a' * 64}',"
    " NULL, 1, 1000, 1000),"
    f" ('default', 'eve', 'eve', 'eve', {RULES_VERSION}, 'owned', 'user', '{EVE}', NULL,"
    " NULL, 2, 1000, 3000),"
    f" ('default', 'crew', 'crew', 'crew', {RULES_VERSION}, 'owned', 'team', '{CREW}', NULL,"
    " NULL, 1, 4000, 4000),"
    f" ('default', 'gone', 'gone', 'gone', {RULES_VERSION}, 'quarantined', 'user', '{EVE}', NULL,"
    f" {FAR}, 2, 1000, 2000)"
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
)


@pytest.fixture
def old(empty_url: str) -> Iterator[Engine]:
    """As the migrations up to that one made it, with rows in it."""
    engine = create_engine(empty_url, poolclass=NullPool)
    with engine.connect() as connection:
        command.upgrade(_config(connection, RULES_VERSION), BEFORE)
        connection.commit()
    with engine.begin() as connection:
        for sql in ROWS:
            connection.execute(text(sql))
    yield engine
    engine.dispose()


@pytest.fixture
def store(old: Engine, empty_url: str) -> Iterator[NameStore]:
    """The same, upgraded twice."""
    for _ in range(2):
        upgrade(empty_url)
    store = open_store(empty_url)
    yield store
    store.close()


def test_everybody_is_there(store: NameStore) -> None:
    """With their name, role, password, session and team."""
    listed = store.users(limit=10, after=None, deadline=soon())
    found = [(user.id, user.username, user.created_at, user.role) for user in listed]
    assert found == [(ADA, "Ada", 1001, "staff"), (EVE, "eve", 3001, None)]
    accounts = Users(store.transactions, "default")
    credentials = [accounts.credentials_of(one, deadline=soon()) for one in (ADA, EVE)]
    assert [one.password_hash for one in credentials if one] == ["a hash", None]
    living = Sessions(store.transactions).living(SESSION, deadline=soon())
    assert living == Living(SESSION, ADA, "staff")
    members = Teams(store.transactions, "default").members([CREW], deadline=soon())[CREW]
    assert [(one.username, one.role) for one in members] == [("Ada", "owner")]


def test_names_are_whose_they_were(store: NameStore) -> None:
    """A claim that comes again is still known by its token."""
    for key in ("ada", "eve", "crew", "gone"):
        lose(store, a_claim(key))
    assert win(store, a_claim("ada", token="a" * 64)).owner == ADA
    assert win(store, a_claim("gone", owner=EVE)).owner == EVE


def test_the_history_is_told_once(store: NameStore) -> None:
    """Also of names whose first claim is still their last change, and after the next one."""
    history = History(store.transactions, "default")

    def lines(key: str) -> list[tuple[str, str | None, int]]:
        past = history.of_name(a_name(key), limit=10, deadline=soon())
        return [(one.change.action, one.change.request_id, one.at) for one in past]

    assert lines("ada") == [("claimed", "request-1", 1000)]
    assert lines("eve") == [("claimed", None, 3000), ("held", None, 1000)]
    counted = history.registrations(since=0, width=10_000, deadline=soon())
    assert counted == {0: 3}
    row = look_up(store, "ada")
    assert row is not None
    assert isinstance(store.rename(a_rename(row, "grace"), deadline=soon()), Won)
    assert [line[0] for line in lines("ada")] == ["left", "claimed"]
    assert lines("ada")[1:] == [("claimed", "request-1", 1000)]
    assert len(assert_history(store)) == 8
