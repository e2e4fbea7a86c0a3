"""Logins: who gets in, and that nobody else is told from nobody at all."""

from __future__ import annotations

import hashlib
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dibs.accounts.login import Tokens
from dibs.accounts.passwords.algorithms import Argon2
from dibs.accounts.passwords.hashing import Verifier, make
from dibs.errors import LoginFailed, Overloaded, StoreUnavailable, WrongPassword
from tests.accounts.people import OTHER_PASSWORD, PASSWORD, Clock, Process, processes
from tests.backends import Backend
from tests.race.harness import at_once
from tests.support.contract import soon

TODAYS = Argon2(8, 1)


@pytest.fixture
def stored(backend: Backend, url: str):
    """Reads a user's hash, and puts another one in its place."""

    def hash_of(user_id: str, new: str | None = "") -> str | None:
        if new != "":
            value = "NULL" if new is None else f"'{new}'"
            backend.execute(f"UPDATE dibs_users SET password_hash = {value}", url)
        ((found,),) = backend.execute(
            f"SELECT password_hash FROM dibs_users WHERE id = '{user_id}'", url
        )
        return found.decode() if isinstance(found, bytes) else found

    return hash_of


@pytest.mark.parametrize(
    ("registered", "typed"),
    [
        ("Ada", "ada"),
        ("ada", "ＡＤＡ"),
        ("straße", "STRASSE"),
        ("Zoë", "zoe\u0308"),
        ("İbrahim", "ibrahim"),
        ("Işıl", "IŞIL"),
        ("Ştefan", "Ștefan"),
        ("Γιώργος", "ΓΙΩΡΓΟΣ"),
    ],
)
def test_any_spelling_of_the_name(process: Process, registered: str, typed: str) -> None:
    user_id = process.register(registered)
    assert process.login(typed).user_id == user_id


@pytest.mark.parametrize(
    ("registered", "typed"),
    [
        ("modern", "modem"),
        ("userl", "user1"),
        ("ada", "аda"),
        ("ada", "ädä"),
        ("Γιώργος", "Γιωργός"),
    ],
)
def test_a_lookalike_is_nobody(process: Process, registered: str, typed: str) -> None:
    """Though it has the key of somebody: or it would open her account."""
    process.register(registered)
    with pytest.raises(LoginFailed):
        process.login(typed)


@pytest.mark.parametrize("typed", ["", " ", "a" * 100_000, "\ud800", "\x00", "a\nb", "admin", "@"])
def test_a_name_that_can_be_nobodys(process: Process, typed: str) -> None:
    with pytest.raises(LoginFailed):
        process.login(typed)


@pytest.mark.parametrize("typed", ["", "x" * 5000, "\ud800", "\x00", PASSWORD + " "])
def test_a_password_that_is_none(process: Process, typed: str) -> None:
    process.register()
    with pytest.raises(LoginFailed):
        process.login(password=typed)


class Costs:
    """Counts hashes by how dear they are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.whole = 0
        raw = Argon2.raw

        def counted(argon2: Argon2, *args: Any, **kwargs: Any) -> bytes:
            self.whole += argon2 == TODAYS
            return raw(argon2, *args, **kwargs)

        monkeypatch.setattr(Argon2, "raw", counted)


def ways_to_fail(todays: str) -> Iterator[tuple[str, str | None, str, bool]]:
    """What is stored, what is typed, and whether she is disabled."""
    yield "wrong", todays, OTHER_PASSWORD, False
    yield "disabled", todays, PASSWORD, True
    yield "disabled and wrong", todays, OTHER_PASSWORD, True
    yield "no password", None, PASSWORD, False
    yield "empty", " ", PASSWORD, False
    yield "malformed", todays[:-1] + "$", PASSWORD, False
    yield "too dear", todays.replace("m=8", "m=4194304"), PASSWORD, False
    yield "no hash at all", PASSWORD, PASSWORD, False


def test_every_failure_is_one_answer_and_one_hash(
    process: Process, stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = process.register()
    process.login()  # learns what a hash costs
    todays = stored(user_id)
    costs = Costs(monkeypatch)
    for kind, hash_, typed, disabled in ways_to_fail(todays):
        stored(user_id, hash_)
        process.profiles.set_disabled(user_id, disabled=disabled, deadline=soon())
        costs.whole = 0
        with pytest.raises(LoginFailed, match="username or the password"):
            process.login(password=typed)
        assert costs.whole == 1, kind
    process.profiles.set_disabled(user_id, disabled=False, deadline=soon())
    for name in ("nobody", "", "admin", "modem", "\ud800"):
        costs.whole = 0
        with pytest.raises(LoginFailed, match="username or the password"):
            process.login(name)
        assert costs.whole == 1, name


def legacy_hashes() -> Iterator[str]:
    digest = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"salt", 1000)
    yield f"pbkdf2:sha256:1000$salt${digest.hex()}"
    parts = (b64encode(part).decode().rstrip("=").replace("+", ".") for part in (b"salt", digest))
    yield "$pbkdf2-sha256$1000$" + "$".join(parts)
    yield f"pbkdf2_sha256$1000$salt${b64encode(digest).decode()}"
    yield make(PASSWORD, Argon2(16, 1))


def test_a_hash_of_another_kind_is_replaced_at_login(process: Process, stored) -> None:
    user_id = process.register()
    for legacy in legacy_hashes():
        stored(user_id, legacy)
        with pytest.raises(LoginFailed):
            process.login(password=OTHER_PASSWORD)
        assert stored(user_id) == legacy
        tokens = process.login()
        new = stored(user_id)
        assert new.startswith("$argon2id$v=19$m=8,t=1,p=1$")
        assert process.who(tokens).user_id == user_id
        process.login()
        assert stored(user_id) == new


@pytest.mark.race
def test_two_logins_that_replace_a_hash_at_once(process: Process, other: Process, stored) -> None:
    """Both get in, and one new hash is kept."""
    user_id = process.register()
    for legacy in legacy_hashes():
        stored(user_id, legacy)
        both = at_once([process.login, other.login])
        assert all(isinstance(one, Tokens) for one in both)
        assert stored(user_id).startswith("$argon2id$")
        process.login()


def test_a_busy_hour_goes_without_a_new_hash(
    process: Process, stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Her password was right: she is let in."""
    user_id = process.register()
    legacy = next(legacy_hashes())
    stored(user_id, legacy)

    def overloaded(*args, **kwargs):
        raise Overloaded

    monkeypatch.setattr(type(process.parts.accounts.passwords), "hash", overloaded)
    assert process.login().user_id == user_id
    assert stored(user_id) == legacy


def test_no_connection_is_held_while_a_password_is_hashed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a single one, somebody else's question is answered meanwhile."""
    hashing, answered = threading.Event(), threading.Event()
    with processes(1, url, tmp_path, pool_size=1) as (process,):
        user_id = process.register()
        check = Verifier.check

        def slow(self, *args, **kwargs):
            hashing.set()
            assert answered.wait(20)
            return check(self, *args, **kwargs)

        monkeypatch.setattr(Verifier, "check", slow)

        def ask() -> object:
            assert hashing.wait(20)
            try:
                return process.logins.sessions.of(user_id, deadline=soon())
            finally:
                answered.set()

        tokens, sessions = at_once([process.login, ask])
        assert sessions == []
        assert isinstance(tokens, Tokens)
        hashing.clear()
        answered.clear()

        def change() -> None:
            process.profiles.change_password(
                user_id, current=PASSWORD, new=OTHER_PASSWORD, deadline=soon()
            )

        _, sessions = at_once([change, ask])
        assert len(sessions) == 1  # type: ignore[arg-type]


def test_a_new_password(process: Process, stored, clock: Clock) -> None:
    """The old one is needed, and opens nothing any more."""
    user_id = process.register()
    process.login()
    before = stored(user_id)
    for current in (None, "", OTHER_PASSWORD):
        with pytest.raises(WrongPassword):
            process.profiles.change_password(
                user_id, current=current, new=OTHER_PASSWORD, deadline=soon()
            )
    assert (stored(user_id), clock.count()) == (before, 1)
    process.profiles.change_password(user_id, current=PASSWORD, new=OTHER_PASSWORD, deadline=soon())
    assert clock.count() == 0
    with pytest.raises(LoginFailed):
        process.login()
    assert process.login(password=OTHER_PASSWORD).user_id == user_id


@pytest.mark.race
def test_of_two_new_passwords_at_once_one_holds(process: Process, other: Process) -> None:
    user_id = process.register()
    current = PASSWORD
    for i in range(5):
        wanted = [f"a horse of number {i}{j}" for j in range(2)]

        def change(one: Process, new: str, old: str = current) -> bool:
            try:
                one.profiles.change_password(user_id, current=old, new=new, deadline=soon())
            except WrongPassword:
                return False
            return True

        done = at_once(
            [lambda: change(process, wanted[0]), lambda: change(other, wanted[1])]  # noqa: B023
        )
        assert sum(done) == 1
        current = wanted[done.index(True)]
        assert process.login(password=current).user_id == user_id


def test_a_login_without_keys_leaves_no_session(
    process: Process, tmp_path: Path, clock: Clock
) -> None:
    """It is known beforehand, and no refresh token is used up."""
    process.register()
    tokens = process.login()
    keys = process.logins.access.keys
    keys.path.chmod(0o644)
    keys._looked_at = 0.0
    with pytest.raises(StoreUnavailable):
        process.login()
    with pytest.raises(StoreUnavailable):
        process.refresh(tokens.refresh_token)
    assert clock.count() == 1
    keys.path.chmod(0o600)
    clock.age(tokens.session_id, 11)
    process.refresh(tokens.refresh_token)
