"""More passwords at once than there is time to hash."""

import threading
import time

import pytest

from dibs.accounts.passwords.queue import PLACES
from tests.load import get, post
from tests.service import Service

pytestmark = pytest.mark.fault

LOGINS = PLACES + 26


def test_some_are_sent_away_and_checks_are_not() -> None:
    """Who cannot have a turn is told so at once; a check waits for no hash."""
    login = post("/login", {"username": "nobody", "password": "correct horse"})
    with Service(workers=1, password="required", deadline=20) as service:
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
