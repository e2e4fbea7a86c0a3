"""Mixed traffic at several services while something happens to their database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import pytest

from dibs.checker import Recorder, judge
from dibs.errors import StoreError
from dibs.store.schema import upgrade
from tests.checker.http import HttpClient, people, with_ids
from tests.checker.runs import drive_all
from tests.checker.test_traffic import assert_right
from tests.load import Answer, Client
from tests.race.harness import at_once
from tests.service import Service

EACH = 4


def survive(
    services: Sequence[Service],
    happens: Callable[[], None],
    seconds: float,
    monkeypatch: pytest.MonkeyPatch,
    each: int = EACH,
) -> list[int]:
    """See that people who go on meanwhile are told nothing false, and no 500.

    Returns:
        The statuses that they were answered with.
    """
    told: list[int] = []
    one = Client.one

    def noted(client: Client, request: bytes) -> Answer:
        answer = one(client, request)
        told.append(answer.status)
        return answer

    monkeypatch.setattr(Client, "one", noted)
    recorder, clients = Recorder(), list[HttpClient]()
    with ExitStack() as stack:
        for service in services:
            clients += stack.enter_context(people(service.port, each))
        by_turns = [
            clients[i % len(services) * each + i // len(services)] for i in range(len(clients))
        ]
        at_once([lambda: drive_all(by_turns, recorder, seconds, len(clients)), happens])
    assert_right(judge(with_ids(recorder.operations)))
    assert 500 not in told, sorted(set(told))
    return told


def is_set_up(url: str) -> bool:
    """Whether the tables are there; a balancer that has just begun may lead to a standby."""
    try:
        upgrade(url)
    except StoreError:
        return False
    return True
