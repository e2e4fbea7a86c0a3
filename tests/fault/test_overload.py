"""More at once than can be served: passwords, people, and bodies that do not come."""

import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from dibs.accounts.passwords.queue import PLACES
from dibs.errors import Overloaded
from dibs.serving.bridge import LINE
from tests.load import Answer, get, post, register
from tests.service import Service

pytestmark = pytest.mark.fault

LOGINS = PLACES + 26


def test_some_are_sent_away_and_checks_are_not() -> None:
    """Who cannot have a turn is told so at once; a check waits for no hash."""
    login = post("/login", {"username": "nobody", "password": "correct horse"})
    with Service(workers=1, password="required", deadline=50) as service:
        checks: list[tuple[int, float]] = []

        def check() -> None:
            time.sleep(0.3)  # the logins are under way
            answer = service.one(get("/usernames/somebody.else"))
            checks.append((answer.status, time.monotonic()))

        beside = threading.Thread(target=check)
        beside.start()
        answers = service.send(*[login] * LOGINS)
        ended = time.monotonic()
        beside.join()
    refused = [answer for answer in answers if answer.status == 503]
    assert {answer.status for answer in answers} == {401, 503}
    assert len(answers) - len(refused) >= PLACES
    assert {answer.code for answer in refused} == {"overloaded"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    ((status, at),) = checks
    assert status == 200
    assert at < ended


MANY = LINE + 200
PEOPLE = {"Accept": "text/html,*/*"}


def sent_at_once(service: Service, file: Path, requests: list[bytes]) -> list[Answer]:
    """What all are told, of whom none is done with before many are there: the database waits."""
    with closing(sqlite3.connect(file)) as lock, ThreadPoolExecutor(1) as pool:
        lock.execute("BEGIN IMMEDIATE")
        told = pool.submit(service.send, *requests)
        time.sleep(1.0)
        lock.rollback()
        return told.result()


@pytest.mark.parametrize("password", [None, "correct horse"], ids=["names", "passwords"])
def test_everybody_is_answered_at_once(password: str | None, tmp_path: Path) -> None:
    """Who cannot be served is told so, and nobody an error; then all is as before."""
    with Service(home=str(tmp_path), workers=1, password="optional", deadline=50) as service:
        file = tmp_path / "dibs.db"
        asked = [register(f"person{i}", password) for i in range(MANY)]
        answers = sent_at_once(service, file, asked)
        assert {answer.status for answer in answers} == {201, 503}
        refused = [answer for answer in answers if answer.status == 503]
        assert {answer.code for answer in refused} == {"overloaded"}
        seconds = {int(answer.headers["retry-after"]) for answer in refused}
        assert min(seconds) >= 1
        assert password or len(seconds) > 1  # they are not to come back at once
        assert len(answers) - len(refused) >= (PLACES if password else LINE)
        pages = [register(f"reader{i}", password, **PEOPLE) for i in range(MANY)]
        told = sent_at_once(service, file, pages)
        read = {answer.body for answer in told if answer.status == 503}
        # Who was let in, and then waited for a password's hash in vain, is told by the app.
        assert f"{Overloaded.message}\n".encode() in read
        assert password or len(read) == 1
        again = asked[answers.index(refused[0])]
        assert service.one(again).status == 201
        assert " 500" not in service.log()


def test_half_a_body_keeps_nobody_waiting() -> None:
    """Who sends no more is told so in the end; all others are served meanwhile."""
    halves = [register(f"half{i}", **({"Cookie": "a=b"} if i % 2 else {})) for i in range(300)]
    with Service(workers=1) as service:
        links = [socket.create_connection(("127.0.0.1", service.port), 90) for _ in halves]
        for link, half in zip(links, halves, strict=True):
            link.sendall(half[:-5])
        others = [get("/healthz"), get("/usernames/ada"), register("ada", Cookie="a=b")]
        assert [service.one(one).status for one in others] == [200, 200, 201]
        for link in links:
            found = b"".join(iter(lambda: link.recv(4096), b""))  # noqa: B023
            assert found.startswith(b"HTTP/1.1 408")
            link.close()
        assert service.one(halves[0]).status == 201
