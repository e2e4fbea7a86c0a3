"""Sessions: how they live by the database's clock, and end on every worker."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from dibs.accounts import housekeeping, login
from dibs.accounts.login import Tokens
from dibs.errors import (
    DibsError,
    InvalidToken,
    LoginFailed,
    SessionEnded,
    StoreUnavailable,
    TokenSuperseded,
)
from dibs.store.models import MAX_DEVICE
from tests.accounts.people import OTHER_PASSWORD, PASSWORD, Clock, Process, processes
from tests.race.harness import at_once
from tests.support.contract import soon

TRUSTED_S = 1.0
A_MONTH_S = 30 * 86_400

End = Callable[[Process, Tokens], object]

ENDINGS: dict[str, End] = {
    "logout": lambda p, t: p.logins.logout(p.who(t), deadline=soon()),
    "end": lambda p, t: p.logins.end(t.session_id, user_id=t.user_id, deadline=soon()),
    "logout all": lambda p, t: p.logins.logout_all(t.user_id, deadline=soon()),
    "deletion": lambda p, t: p.profiles.delete(t.user_id, deadline=soon()),
    "disabling": lambda p, t: p.profiles.set_disabled(t.user_id, disabled=True, deadline=soon()),
    "a new password": lambda p, t: p.profiles.change_password(
        t.user_id, current=PASSWORD, new=OTHER_PASSWORD, deadline=soon()
    ),
}


def test_every_ending_ends_access_everywhere(process: Process, other: Process) -> None:
    """Here at once; on another worker, which has just believed the token, within two seconds."""
    tokens: dict[str, Tokens] = {}
    for i, ending in enumerate(ENDINGS):
        process.register(f"ada{i}")
        tokens[ending] = process.login(f"ada{i}")
    for ending, end in ENDINGS.items():
        assert process.who(tokens[ending]) == other.who(tokens[ending])
        end(process, tokens[ending])
        with pytest.raises(SessionEnded):
            process.who(tokens[ending])
    ended = time.monotonic()
    still = list(ENDINGS)
    while still:
        assert time.monotonic() - ended < 2, still
        still = [ending for ending in still if is_believed(other, tokens[ending])]
        time.sleep(0.02)
    for one in tokens.values():
        with pytest.raises(SessionEnded):
            other.refresh(one.refresh_token)


def is_believed(process: Process, tokens: Tokens) -> bool:
    try:
        process.who(tokens)
    except SessionEnded:
        return False
    return True


def test_a_role_that_is_taken_back_is_gone_as_soon(process: Process, other: Process) -> None:
    user_id = process.register()
    tokens = process.login()
    process.parts.store.set_role(user_id, "staff", deadline=soon())
    assert other.who(tokens).role == "staff"
    process.parts.store.set_role(user_id, None, deadline=soon())
    time.sleep(TRUSTED_S)
    assert other.who(tokens).role is None


def attempt(process: Process, token: str) -> Tokens | type[DibsError]:
    try:
        return process.refresh(token)
    except DibsError as error:
        return type(error)


@pytest.mark.race
def test_twenty_at_once_leave_one_family(process: Process, other: Process, clock: Clock) -> None:
    """Two get the same following token, the others are refused, and it goes on working."""
    process.register()
    token = process.login().refresh_token
    for _ in range(3):
        answers = at_once([partial(attempt, (process, other)[i % 2], token) for i in range(20)])
        won = [answer for answer in answers if isinstance(answer, Tokens)]
        assert len(won) == 2
        (following,) = {one.refresh_token for one in won}
        assert Counter(a for a in answers if not isinstance(a, Tokens)) == {TokenSuperseded: 18}
        assert all(process.who(one).session_id == won[0].session_id for one in won)
        assert clock.count() == 1
        token = following


@pytest.mark.race
def test_a_theft_and_its_victim_at_once(process: Process, other: Process, clock: Clock) -> None:
    """An old token beside the current one: the family is dead, whoever came first."""
    process.register()
    old = process.login().refresh_token
    for _ in range(5):
        current = process.refresh(old).refresh_token
        clock.age(current.split(".")[0], 11)
        answers = at_once([partial(attempt, process, old), partial(attempt, other, current)])
        assert answers[0] is SessionEnded
        with pytest.raises(SessionEnded):
            process.refresh(current)
        assert clock.count() == 0
        old = process.login().refresh_token


def test_a_lost_reply_is_given_again(process: Process, other: Process, clock: Clock) -> None:
    """The same following token, once, within 10 s; by whichever worker."""
    process.register()
    first = process.login()
    second = process.refresh(first.refresh_token)
    clock.age(first.session_id, 9)
    assert other.refresh(first.refresh_token).refresh_token == second.refresh_token
    with pytest.raises(InvalidToken) as refusal:
        process.refresh(first.refresh_token)
    assert type(refusal.value) is TokenSuperseded
    assert process.refresh(second.refresh_token).refresh_token != second.refresh_token


def test_reuse_ends_the_family(process: Process, clock: Clock) -> None:
    """After 10 s it was somebody else; other sign-ins of the same user go on."""
    process.register()
    first, elsewhere = process.login(), process.login()
    second = process.refresh(first.refresh_token)
    clock.age(first.session_id, 10)
    with pytest.raises(SessionEnded):
        process.refresh(first.refresh_token)
    with pytest.raises(SessionEnded):
        process.refresh(second.refresh_token)
    with pytest.raises(SessionEnded):
        process.who(second)
    process.refresh(elsewhere.refresh_token)


def test_it_expires_by_the_databases_clock(process: Process, clock: Clock) -> None:
    """A month after the last refresh; each one begins a new month."""
    process.register()
    tokens = process.login()
    clock.age(tokens.session_id, A_MONTH_S - 60)
    tokens = process.refresh(tokens.refresh_token)
    (listed,) = process.logins.sessions.of(tokens.user_id, deadline=soon())
    assert listed.expires_at - listed.used_at == pytest.approx(1000 * A_MONTH_S, abs=10)
    assert listed.used_at - listed.created_at == pytest.approx(1000 * (A_MONTH_S - 60), abs=60_000)
    clock.age(tokens.session_id, A_MONTH_S)
    with pytest.raises(SessionEnded):
        process.refresh(tokens.refresh_token)
    assert process.logins.sessions.of(tokens.user_id, deadline=soon()) == []
    assert clock.count() == 1  # as it was: what is over is nobody's theft


def test_the_one_used_last_is_listed_first(process: Process, clock: Clock) -> None:
    user_id = process.register()
    sessions = [process.login() for _ in range(4)]
    for seconds, tokens in enumerate(sessions):
        clock.age(tokens.session_id, 10 + seconds)
    process.refresh(sessions[3].refresh_token)
    listed = [row.id for row in process.logins.sessions.of(user_id, deadline=soon())]
    assert listed == [sessions[i].session_id for i in (3, 0, 1, 2)]


def test_with_one_too_many_the_one_used_longest_ago_ends(
    url: str, tmp_path: Path, clock: Clock
) -> None:
    """Whoever logs in for ever fills no table, and her newest devices stay."""
    with processes(1, url, tmp_path, max_sessions=3) as (process,):
        for name in ("ada", "bob"):
            process.register(name)
        others = process.login("bob")
        first, second, third = (process.login() for _ in range(3))
        for tokens, seconds in ((first, 30), (second, 20), (third, 10)):
            clock.age(tokens.session_id, seconds)
        process.refresh(first.refresh_token)
        fourth = process.login()
        listed = process.logins.sessions.of(fourth.user_id, deadline=soon())
        assert {one.id for one in listed} == {
            tokens.session_id for tokens in (first, third, fourth)
        }
        with pytest.raises(SessionEnded):
            process.refresh(second.refresh_token)
        process.refresh(others.refresh_token)


def test_one_session_is_the_least(url: str, tmp_path: Path) -> None:
    with processes(1, url, tmp_path, max_sessions=1) as (process,):
        process.register()
        last = [process.login() for _ in range(3)][-1]
        (only,) = process.logins.sessions.of(last.user_id, deadline=soon())
        assert only.id == last.session_id


def test_nobody_ends_the_sessions_of_others(process: Process) -> None:
    ada, bob = process.register("ada"), process.register("bob")
    tokens = process.login("ada")
    assert not process.logins.end(tokens.session_id, user_id=bob, deadline=soon())
    assert process.logins.logout_all(bob, deadline=soon()) == 0
    assert process.who(tokens).user_id == ada
    assert process.logins.sessions.of(bob, deadline=soon()) == []


@pytest.mark.parametrize(
    ("device", "kept"),
    [
        ("Firefox\r\nSet-Cookie: x", "Firefox  Set-Cookie: x"),
        ("\x00\x1b[31m\u202ered\ud800", "  [31m red "),
        ("", ""),
        ("x" * (MAX_DEVICE + 1), "x" * MAX_DEVICE),
        ("x" + "名" * MAX_DEVICE, "x" + "名" * ((MAX_DEVICE - 1) // 3)),
        ("👩🏽\u200d🚀", "👩🏽 🚀"),
    ],
)
def test_a_device_is_what_everybody_can_print(process: Process, device: str, kept: str) -> None:
    """And as long as the column is, in bytes."""
    user_id = process.register()
    process.logins.login("ada", PASSWORD, device=device, deadline=soon())
    (row,) = process.logins.sessions.of(user_id, deadline=soon())
    assert row.device == kept


def meanwhile(process: Process, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]):
    """Has this happen once, after a password was checked and before its session begins."""
    passwords = process.parts.accounts.passwords
    verify = passwords.verify
    still = [happens]

    def checked(*args, **kwargs):
        verdict = verify(*args, **kwargs)
        while still:
            still.pop()()
        return verdict

    monkeypatch.setattr(process.logins, "_passwords", SimpleNamespace(verify=checked))


def test_a_password_that_is_changed_while_it_is_checked_begins_nothing(
    process: Process, other: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever knew the old one would stay in, past the change that was to keep her out."""
    user_id = process.register()
    change = partial(
        other.profiles.change_password,
        user_id,
        current=PASSWORD,
        new=OTHER_PASSWORD,
        deadline=soon(),
    )
    meanwhile(process, monkeypatch, change)
    with pytest.raises(LoginFailed):
        process.login()
    assert process.logins.sessions.of(user_id, deadline=soon()) == []


@pytest.mark.parametrize("ending", ["disabling", "deletion"])
def test_a_user_who_goes_while_her_password_is_checked_begins_nothing(
    process: Process, other: Process, monkeypatch: pytest.MonkeyPatch, clock: Clock, ending: str
) -> None:
    process.register()
    tokens = other.login()
    meanwhile(process, monkeypatch, partial(ENDINGS[ending], other, tokens))
    with pytest.raises(LoginFailed):
        process.login()
    assert clock.count() == 0


@pytest.mark.race
def test_a_login_and_a_new_password_at_once(process: Process, other: Process) -> None:
    """No session of the old password outlives it."""
    user_id = process.register()
    old, new = PASSWORD, OTHER_PASSWORD

    def login() -> None:
        with suppress(LoginFailed):
            process.login(password=old)

    for _ in range(10):
        change = partial(
            other.profiles.change_password, user_id, current=old, new=new, deadline=soon()
        )
        jobs: list[Callable[[], None]] = [login, change, login]
        at_once(jobs)
        assert process.logins.sessions.of(user_id, deadline=soon()) == []
        old, new = new, old


def test_expired_sessions_are_removed_by_logins(
    process: Process, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few at once, until there are no more; then not for an hour."""
    monkeypatch.setattr(housekeeping, "AT_ONCE", 2)
    process.register()
    sessions = [process.login() for _ in range(6)]
    for tokens in sessions[:5]:
        clock.age(tokens.session_id, A_MONTH_S + 1)
    process.logins._housekeeping._next = 0.0
    counts = []
    for _ in range(4):
        process.login()
        counts.append(clock.count())
    assert counts == [5, 4, 4, 5]
    assert is_believed(process, sessions[5])


def test_housekeeping_fails_no_login(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args, **kwargs):
        raise StoreUnavailable

    monkeypatch.setattr(process.logins.sessions, "remove_expired", away)
    process.register()
    process.login()
    assert process.logins._housekeeping._next > time.monotonic() + 50


def test_a_database_that_is_away_is_neither_yes_nor_no(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was seen alive is trusted for a second, and not longer."""
    process.register()
    tokens, unseen = process.login(), process.login()
    process.who(tokens)

    def away(*args, **kwargs):
        raise StoreUnavailable

    monkeypatch.setattr(process.logins.sessions, "living", away)
    assert is_believed(process, tokens)
    with pytest.raises(StoreUnavailable):
        process.who(unseen)
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + TRUSTED_S)
    with pytest.raises(StoreUnavailable):
        process.who(tokens)


def test_trust_is_bounded(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """In number too."""
    monkeypatch.setattr(login, "MAX_TRUSTED", 2)
    process.register()
    for _ in range(4):
        process.who(process.login())
    assert len(process.logins._trusted) == 2
