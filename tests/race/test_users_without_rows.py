"""Who registered a name and nothing else has no row in `dibs_users`, and loses nothing by it.

The first thing that is done to them makes the row, which is the one that everything done to a
user is locked by: two at once cannot both believe that they were the first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from dibs.errors import UserNotFound
from dibs.store import NameRow, Won
from dibs.store.accounts.users import Users
from dibs.store.database.runs import Run
from dibs.store.names.store import NameStore
from tests.histories import assert_history
from tests.race.harness import at_once
from tests.support.contract import AN_HOUR_MS, a_claim, a_rename, soon, win

pytestmark = pytest.mark.race
ROUNDS = 15


def only_named(store: NameStore) -> NameRow:
    """Somebody who has a name and no row."""
    row = win(store, a_claim(uuid4().hex, user=True))
    assert rows(store, row) == 0
    return row


def rows(store: NameStore, row: NameRow) -> int:
    sql = "SELECT COUNT(*) FROM dibs_users WHERE id = :id"
    found = store.transactions.read(lambda run: run.rows(sql, {"id": row.owner}), deadline=soon())
    return int(found[0][0])


def names(store: NameStore, row: NameRow) -> list[str]:
    return [one.key for one in store.names_of("user", str(row.owner), deadline=soon())]


def renaming(store: NameStore, row: NameRow, to: str = "") -> Callable[[], object]:
    """Its outcome, or what was raised."""
    wish = a_rename(row, to or uuid4().hex)

    def rename() -> object:
        try:
            return store.rename(wish, deadline=soon())
        except UserNotFound as error:
            return error

    return rename


def test_two_renames(store: NameStore) -> None:
    """One is done, and the other finds that the name has changed."""
    for _ in range(ROUNDS):
        row = only_named(store)
        outcomes = at_once([renaming(store, row), renaming(store, row)])
        (won,) = [one for one in outcomes if isinstance(one, Won)]
        assert [one for one in outcomes if one is not won] == [None]
        assert names(store, row) == [won.row.key]
        assert rows(store, row) == 1
    assert_history(store)


def test_a_rename_beside_the_end(store: NameStore) -> None:
    """Whichever is first, nothing is left of them."""
    accounts = Users(store.transactions, "default")
    for _ in range(ROUNDS):
        row = only_named(store)
        end = partial(accounts.delete, str(row.owner), quarantine=AN_HOUR_MS, deadline=soon())
        jobs: list[Callable[[], Any]] = [renaming(store, row), end]
        renamed, ended = at_once(jobs)
        assert ended is True
        assert renamed is None or isinstance(renamed, (Won, UserNotFound))
        assert (names(store, row), rows(store, row)) == ([], 0)
        assert store.user(str(row.owner), deadline=soon()) is None
    assert_history(store)


def test_two_ends(store: NameStore) -> None:
    """Only one of them can say that there was such a user."""
    accounts = Users(store.transactions, "default")
    for _ in range(ROUNDS):
        row = only_named(store)
        end = partial(accounts.delete, str(row.owner), deadline=soon())
        assert sorted(at_once([end, end])) == [False, True]
        assert rows(store, row) == 0


def test_a_role_beside_keeping_out(store: NameStore) -> None:
    """Both are done, to one row."""
    accounts = Users(store.transactions, "default")
    for _ in range(ROUNDS):
        row = only_named(store)
        user_id = str(row.owner)
        before = store.user(user_id, deadline=soon())
        keep_out = partial(accounts.set_disabled, user_id, disabled=True, deadline=soon())
        assert at_once([keep_out, partial(store.set_role, user_id, "staff", deadline=soon())])
        after = store.user(user_id, deadline=soon())
        assert before is not None
        assert after is not None
        assert (after.role, after.created_at) == ("staff", before.created_at)
        assert accounts.disabled([user_id], deadline=soon()).keys() == {user_id}


def test_a_rename_beside_keeping_out(store: NameStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the row that the other one has just made, and then finds them kept out."""
    row, accounts = only_named(store), Users(store.transactions, "default")
    made, answers = threading.Event(), list[object]()
    change: Any = type(store.transactions).write

    def slowly(self: object, work: Callable[[Run], object], **options: object) -> object:
        def held(run: Run) -> object:
            done = work(run)
            if threading.current_thread() is not threading.main_thread():
                return done
            made.set()
            time.sleep(0.3)
            return done

        return change(self, held, **options)

    monkeypatch.setattr(type(store.transactions), "write", slowly)

    def wait_and_rename() -> None:
        made.wait(10)
        answers.append(renaming(store, row)())

    waiting = threading.Thread(target=wait_and_rename)
    waiting.start()
    assert accounts.set_disabled(str(row.owner), disabled=True, deadline=soon())
    waiting.join()
    assert [type(one) for one in answers] == [UserNotFound]
    assert names(store, row) == [row.key]


def test_what_is_known_of_them_stays(store: NameStore) -> None:
    """Since when they are users, through a row of their own and another name."""
    row = only_named(store)
    user_id = str(row.owner)
    before = store.user(user_id, deadline=soon())
    time.sleep(0.01)
    assert isinstance(renaming(store, row, "eve")(), Won)
    after = store.user(user_id, deadline=soon())
    assert before is not None
    assert after is not None
    assert (after.username, after.created_at) == ("eve", before.created_at)


def test_nobody_is_made_a_user(store: NameStore) -> None:
    """Who was never registered: a host's owner of the same kind, and nobody at all."""
    host = win(store, a_claim("ada"))
    accounts = Users(store.transactions, "default")
    for user_id in (str(host.owner), str(uuid4())):
        assert not store.set_role(user_id, "staff", deadline=soon())
        assert not accounts.set_disabled(user_id, disabled=True, deadline=soon())
        assert not accounts.delete(user_id, deadline=soon())
        with suppress(UserNotFound):
            store.rename(a_rename(host, "eve"), deadline=soon())
    assert names(store, host) == ["ada"]
    assert store.users(limit=10, after=None, deadline=soon()) == []
