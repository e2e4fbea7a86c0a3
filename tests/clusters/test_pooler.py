"""Two services behind Debian's PgBouncer as it comes, in transaction mode, for a minute."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from dibs.checker import Recorder, judge
from dibs.store.schema import upgrade
from tests.backends import POSTGRESQL
from tests.checker.http import SETTINGS, HttpClient, people, with_ids
from tests.checker.runs import drive_all
from tests.checker.test_traffic import assert_right
from tests.conftest import missing
from tests.load import Answer, Client
from tests.service import Service
from tests.services import PgBouncer, ServiceMissing

pytestmark = [pytest.mark.race, pytest.mark.timeout(300)]

SECONDS, EACH = 60.0, 6


def test_mixed_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign-ups, holds, renames, deletions and looks: no 500, and nothing that cannot be."""
    told: list[int] = []
    one = Client.one

    def noted(client: Client, request: bytes) -> Answer:
        answer = one(client, request)
        told.append(answer.status)
        return answer

    monkeypatch.setattr(Client, "one", noted)
    recorder, clients = Recorder(), list[HttpClient]()
    with ExitStack() as stack:
        try:
            pooler = stack.enter_context(PgBouncer(POSTGRESQL.server))
        except ServiceMissing as error:
            missing(error)
            raise
        url = pooler.url_via(POSTGRESQL.empty(), pooler.port)
        upgrade(url)
        for _ in range(2):
            service = stack.enter_context(Service(url, deadline=20.0, **SETTINGS))
            clients += stack.enter_context(people(service.port, EACH))
        by_turns = [clients[i % 2 * EACH + i // 2] for i in range(len(clients))]
        drive_all(by_turns, recorder, SECONDS, len(clients))
    assert_right(judge(with_ids(recorder.operations)))
    assert max(told) < 500, sorted(set(told))
