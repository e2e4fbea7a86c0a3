"""A way back in for who has lost a password, on every database."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Barrier, Thread

import pytest

from dibs.accounts.recovery import CODES, RecoveryFailed
from dibs.context import Deadline, acting_as
from dibs.errors import InvalidPassword, LoginFailed, SessionEnded, UserNotFound, WrongPassword
from tests.accounts.people import OTHER_PASSWORD, PASSWORD, Clock, Process, processes
from tests.backends import Backend
from tests.support.contract import soon

GONE = "00000000-0000-4000-8000-000000000000"


def link_of(process: Process, user_id: str) -> str:
    return process.parts.accounts.recovery.make_link(user_id, deadline=soon())


def codes_of(process: Process, user_id: str, password: str = PASSWORD) -> list[str]:
    recovery = process.parts.accounts.recovery
    return recovery.make_codes(user_id, current=password, deadline=soon())


def by_link(process: Process, token: str, new: str = OTHER_PASSWORD) -> None:
    process.parts.accounts.recovery.by_link(token, new, deadline=soon())


def by_code(process: Process, name: str, code: str, new: str = OTHER_PASSWORD) -> None:
    process.parts.accounts.recovery.by_code(name, code, new, deadline=soon())


def refused(work: Callable[[], None]) -> bool:
    with pytest.raises(RecoveryFailed):
        work()
    return True


def is_back(process: Process, name: str = "ada", new: str = OTHER_PASSWORD) -> bool:
    """The new password lets in, and the old one does not."""
    with pytest.raises(LoginFailed):
        process.login(name)
    return bool(process.login(name, new))


def kinds(process: Process, user_id: str) -> list[str]:
    found = process.parts.accounts.recovery.ways.events(user_id, limit=20, deadline=soon())
    return [one.kind for one in found]


def test_a_link_is_good_once(process: Process, other: Process) -> None:
    """It ends every session, in the other worker too, and is written down."""
    user_id = process.register()
    tokens = process.login()
    token = link_of(process, user_id)
    by_link(other, token)
    assert is_back(process)
    process.logins.distrust_user(user_id)
    with pytest.raises(SessionEnded):
        process.who(tokens)
    assert refused(lambda: by_link(process, token, PASSWORD))
    assert kinds(process, user_id) == ["recovered", "recovery_link"]


def test_a_new_link_ends_the_one_before(process: Process) -> None:
    user_id = process.register()
    old, new = link_of(process, user_id), link_of(process, user_id)
    assert refused(lambda: by_link(process, old))
    by_link(process, new)
    assert is_back(process)


def test_whoever_asks_for_links_ends_none(process: Process, backend: Backend, url: str) -> None:
    """Anybody can ask, for anybody: the link that was just sent stays good."""
    user_id, recovery = process.register(), process.parts.accounts.recovery
    sent = recovery.requested_link(user_id, deadline=soon())
    assert sent is not None
    assert recovery.requested_link(user_id, deadline=soon()) is None
    by_link(process, sent)
    later = recovery.requested_link(user_id, deadline=soon())
    assert later is not None
    backend.execute("UPDATE dibs_recoveries SET created_at = created_at - 300001", url)
    assert recovery.requested_link(user_id, deadline=soon()) not in (None, later)


def test_a_link_that_is_too_old(process: Process, backend: Backend, url: str) -> None:
    user_id = process.register()
    token = link_of(process, user_id)
    backend.execute("UPDATE dibs_recoveries SET expires_at = expires_at - 86400001", url)
    assert refused(lambda: by_link(process, token))


def test_a_weak_password_uses_nothing_up(process: Process) -> None:
    user_id = process.register()
    token, code = link_of(process, user_id), codes_of(process, user_id)[0]
    with pytest.raises(InvalidPassword):
        by_link(process, token, "short")
    with pytest.raises(InvalidPassword):
        by_code(process, "ada", code, "short")
    by_code(process, "ada", code)
    assert is_back(process)


def test_codes_are_each_good_once(process: Process) -> None:
    """As they are typed; new ones end those of before, and the database has none of them."""
    user_id = process.register("Ada")
    before = codes_of(process, user_id)
    codes = codes_of(process, user_id)
    assert len({*codes, *before}) == 2 * CODES
    assert refused(lambda: by_code(process, "ada", before[0]))
    by_code(process, "ADA", codes[0].upper().replace("-", " "))
    assert is_back(process, "ada")
    assert refused(lambda: by_code(process, "ada", codes[0]))
    read_wrong = codes[1].replace("0", "O").replace("1", "l")
    by_code(process, "ada", read_wrong, PASSWORD)
    assert process.parts.accounts.recovery.ways.codes_left(user_id, deadline=soon()) == CODES - 2
    assert kinds(process, user_id) == ["recovered"] * 2 + ["recovery_codes"] * 2


def test_somebody_else_s(process: Process, backend: Backend, url: str) -> None:
    """Code and name must be of one person, and nothing that the database shows lets anybody in."""
    ada, bob = process.register("ada"), process.register("bob")
    code = codes_of(process, ada)[0]
    assert refused(lambda: by_code(process, "bob", code))
    assert refused(lambda: by_code(process, "nobody", code))
    assert refused(lambda: by_code(process, "no such name", code))
    link_of(process, bob)
    for (stored,) in backend.execute("SELECT id FROM dibs_recoveries", url):
        shown = stored.decode() if isinstance(stored, bytes) else stored
        assert refused(partial(by_link, process, shown))
        assert refused(partial(by_code, process, "ada", shown))
    by_code(process, "ada", code)


def test_codes_need_the_password(process: Process) -> None:
    user_id = process.register()
    with pytest.raises(WrongPassword):
        codes_of(process, user_id, OTHER_PASSWORD)


def test_who_never_had_a_password(url: str, tmp_path: Path) -> None:
    """And has no row: a name is all that there is of them."""
    with processes(1, url, tmp_path, password="optional") as (process,):
        user_id = process.register("grace", None)
        by_link(process, link_of(process, user_id))
        assert process.login("grace", OTHER_PASSWORD).user_id == user_id


def test_who_is_kept_out_stays_out(process: Process) -> None:
    """A link from before ends with that; one from after lets nobody in."""
    user_id = process.register()
    before = link_of(process, user_id)
    process.profiles.set_disabled(user_id, disabled=True, deadline=soon())
    after = link_of(process, user_id)
    assert refused(lambda: by_link(process, before))
    assert refused(lambda: by_link(process, after))
    process.profiles.set_disabled(user_id, disabled=False, deadline=soon())
    assert refused(lambda: by_link(process, before))


def test_who_is_gone(process: Process, clock: Clock) -> None:
    before = clock.count("dibs_recoveries")
    user_id = process.register()
    token = link_of(process, user_id)
    codes_of(process, user_id)
    process.profiles.delete(user_id, deadline=soon())
    assert clock.count("dibs_recoveries") == before
    assert refused(lambda: by_link(process, token))
    with pytest.raises(UserNotFound):
        link_of(process, user_id)
    with pytest.raises(UserNotFound):
        process.parts.accounts.recovery.set_password(GONE, OTHER_PASSWORD, deadline=soon())


def test_set_for_them(process: Process) -> None:
    """Links end with it, since they may be in the wrong hands."""
    user_id = process.register()
    token = link_of(process, user_id)
    with acting_as("somebody", "r1"):
        process.parts.accounts.recovery.set_password(user_id, OTHER_PASSWORD, deadline=soon())
    assert is_back(process)
    assert refused(lambda: by_link(process, token))
    event = process.parts.accounts.recovery.ways.events(user_id, limit=1, deadline=soon())[0]
    assert (event.kind, event.actor, event.request_id) == ("password_set", "somebody", "r1")


def test_a_new_password_ends_links(process: Process) -> None:
    user_id = process.register()
    token = link_of(process, user_id)
    process.profiles.change_password(user_id, current=PASSWORD, new=OTHER_PASSWORD, deadline=soon())
    assert refused(lambda: by_link(process, token))


def test_one_of_many_who_come_by_one_link(process: Process) -> None:
    user_id = process.register()
    token, barrier = link_of(process, user_id), Barrier(8)
    won: list[str] = []

    def come(new: str) -> None:
        barrier.wait()
        try:
            process.parts.accounts.recovery.by_link(token, new, deadline=Deadline.after(60))
        except RecoveryFailed:
            return
        won.append(new)

    threads = [Thread(target=come, args=(f"{OTHER_PASSWORD} {i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (new,) = won
    assert is_back(process, "ada", new)
