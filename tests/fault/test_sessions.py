"""The connection breaks while somebody refreshes, logs in, or leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dibs.errors import InvalidToken, OutcomeUnknown, SessionEnded, StoreUnavailable
from tests.accounts.people import OTHER_PASSWORD, PASSWORD, Process, processes
from tests.fault.helpers import BUDGET, stored, within
from tests.services import FaultProxy, Server
from tests.services.proxy import When
from tests.support.contract import soon

pytestmark = pytest.mark.fault
WHEN = pytest.mark.parametrize("when", ["before", "after"])


@pytest.fixture
def direct(url: str, tmp_path: Path) -> Iterator[Process]:
    """A worker that reaches the server, come what may."""
    with processes(1, url, tmp_path) as (one,):
        yield one


@pytest.fixture
def broken(server: Server, url: str, proxy: FaultProxy, tmp_path: Path) -> Iterator[Process]:
    """One on the same database, through the proxy."""
    with processes(1, server.url_via(url, proxy.port), tmp_path) as (one,):
        one.register()
        yield one


@WHEN
def test_a_rotation_cut_at_commit_is_made_once(
    broken: Process, direct: Process, proxy: FaultProxy, when: When
) -> None:
    """And leaves its client the one repetition: for the reply, which may be lost as well."""
    token = broken.login().refresh_token
    proxy.cut_at(b"COMMIT", when)
    following = broken.refresh(token).refresh_token
    assert proxy.hits == 1
    assert direct.refresh(token).refresh_token == following
    with pytest.raises(InvalidToken):
        direct.refresh(token)
    direct.refresh(following)


@pytest.mark.parametrize("times", [1, 2, None])
@WHEN
def test_whoever_was_told_that_nobody_knows_may_come_again(
    broken: Process, direct: Process, proxy: FaultProxy, when: When, times: int | None
) -> None:
    """The same token again, to another worker: the session goes on, whatever became of it."""
    token = broken.login().refresh_token
    proxy.cut_at(b"COMMIT", when, times=times)
    with within(BUDGET.deadline):
        try:
            answers = {broken.logins.refresh(token, deadline=BUDGET.start()).refresh_token}
        except OutcomeUnknown:
            answers = set()
    answers.add(direct.refresh(token).refresh_token)
    (following,) = answers
    direct.refresh(following)


@WHEN
def test_a_theft_cut_at_commit_ends_the_session_all_the_same(
    broken: Process, direct: Process, proxy: FaultProxy, server: Server, url: str, when: When
) -> None:
    first = broken.login().refresh_token
    third = broken.refresh(broken.refresh(first).refresh_token).refresh_token
    proxy.cut_at(b"COMMIT", when)
    with pytest.raises(SessionEnded):
        broken.refresh(first)
    assert proxy.hits == 1
    with pytest.raises(SessionEnded):
        direct.refresh(third)
    assert stored(server, url, "dibs_sessions") == 0


@WHEN
def test_a_login_cut_at_commit_begins_one_session(
    broken: Process, direct: Process, proxy: FaultProxy, server: Server, url: str, when: When
) -> None:
    proxy.cut_at(b"COMMIT", when)
    tokens = broken.login()
    assert proxy.hits == 1
    assert direct.who(tokens).session_id == tokens.session_id
    assert stored(server, url, "dibs_sessions") == 1


@WHEN
def test_a_new_password_cut_at_commit_is_the_new_one(
    broken: Process, direct: Process, proxy: FaultProxy, when: When
) -> None:
    """It is not said to be wrong because it is there already."""
    tokens = broken.login()
    proxy.cut_at(b"COMMIT", when)
    broken.profiles.change_password(
        tokens.user_id, current=PASSWORD, new=OTHER_PASSWORD, deadline=soon()
    )
    assert proxy.hits == 1
    direct.login(password=OTHER_PASSWORD)


@WHEN
def test_a_deletion_cut_at_commit_is_done(
    broken: Process, direct: Process, proxy: FaultProxy, server: Server, url: str, when: When
) -> None:
    tokens = broken.login()
    proxy.cut_at(b"COMMIT", when)
    assert broken.profiles.delete(tokens.user_id, deadline=soon())
    assert proxy.hits == 1
    tables = ("dibs_users", "dibs_sessions")
    assert [stored(server, url, table) for table in tables] == [0, 0]
    direct.register("ada")


@WHEN
def test_the_end_of_a_team_cut_at_commit_is_its_end(
    broken: Process, direct: Process, proxy: FaultProxy, server: Server, url: str, when: When
) -> None:
    """Its owner is not told that there was no such team."""
    ada = broken.who(broken.login())
    team = broken.team("builders", ada)
    proxy.cut_at(b"COMMIT", when)
    broken.teams.delete(team.id, by=ada, deadline=soon())
    assert proxy.hits == 1
    tables = ("dibs_teams", "dibs_members")
    assert [stored(server, url, table) for table in tables] == [0, 0]
    direct.register("builders")


@WHEN
def test_a_team_cut_at_commit_is_one(
    broken: Process, direct: Process, proxy: FaultProxy, server: Server, url: str, when: When
) -> None:
    """With its owner, and the same for the same request on another worker."""
    ada = broken.who(broken.login())
    proxy.cut_at(b"COMMIT", when)
    team = broken.team("builders", ada, request=b"the same")
    assert proxy.hits == 1
    assert direct.team("builders", ada, request=b"the same").id == team.id
    assert direct.roles(team) == {ada.user_id: "owner"}
    assert stored(server, url, "dibs_teams") == 1


def test_a_database_that_is_away(broken: Process, server: Server) -> None:
    """Neither ended nor valid, whatever is asked; and all as it was when it is back."""
    tokens = broken.login()
    server.stop()
    with within(BUDGET.deadline):
        with pytest.raises(StoreUnavailable):
            broken.who(tokens, deadline=BUDGET.start())
        with pytest.raises(StoreUnavailable):
            broken.logins.refresh(tokens.refresh_token, deadline=BUDGET.start())
        with pytest.raises(StoreUnavailable):
            broken.login(deadline=BUDGET.start())
    server.start()
    assert broken.who(tokens).user_id == tokens.user_id
    broken.refresh(tokens.refresh_token)


def test_a_database_that_is_frozen(broken: Process, server: Server) -> None:
    """Every question ends in time, without an answer."""
    tokens = broken.login()
    server.freeze()
    with within(BUDGET.deadline), pytest.raises(StoreUnavailable):
        broken.who(tokens, deadline=BUDGET.start())
    server.thaw()
    assert broken.who(tokens).user_id == tokens.user_id
