"""One request with one `Idempotency-Key`, sent many times at once, or after a worker was killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from dibs.app import create_app
from dibs.state import parts_of
from dibs.store.accounts.idempotency import KEPT_MS, Requests
from tests.backends import Backend
from tests.race.harness import at_once, in_new_process

pytestmark = pytest.mark.race

WORKERS, CLIENTS, ROUNDS = 2, 16, 10
# A disk that others keep busy is not what is counted here.
DEADLINE_S = 20
TAKEN_FOR_DEAD_MS = 1000 * (DEADLINE_S + 2)


class Place:
    """A database, and apps on it as two workers would have them."""

    def __init__(self, backend: Backend, url: str) -> None:
        self._backend, self.url = backend, url
        self.apps = [make_app(url) for _ in range(WORKERS)]

    def at_once(self, names: list[str], key: str) -> list[TestResponse]:
        """Registers each name with this key, all at the same moment."""
        jobs = [
            partial(register, self.apps[i % WORKERS], name, key) for i, name in enumerate(names)
        ]
        return at_once(jobs)

    def users(self) -> dict[str, str]:
        """Every user's name and id; there are no more names than users."""
        sql = "SELECT display, owner FROM dibs_names WHERE state = 'owned'"
        found = [[_text(value) for value in row] for row in self._run(sql)]
        assert self._run("SELECT COUNT(*) FROM dibs_names WHERE registered = 1") == [(len(found),)]
        return dict(found)

    def age(self, column: str, ms: int) -> None:
        """As if all requests were so much older."""
        self._run(f"UPDATE dibs_requests SET {column} = {column} - {ms}")

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        return self._backend.execute(sql, self.url)

    def close(self) -> None:
        for app in self.apps:
            parts_of(app).store.close()


def make_app(url: str) -> Flask:
    settings = {"DATABASE_URL": url, "PASSWORD": "off", "RATE_LIMITS": "off"}
    settings["DEADLINE"] = str(DEADLINE_S)
    return create_app({f"DIBS_{name}": value for name, value in settings.items()})


def register(app: Flask, name: str, key: str) -> TestResponse:
    headers = {"Idempotency-Key": key}
    return app.test_client().post("/register", json={"username": name}, headers=headers)


def register_and_die(url: str, name: str, key: str) -> None:
    """What was made is committed; neither the answer is stored, nor anything sent."""
    Requests.finish = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    register(make_app(url), name, key)


def ran(answers: list[TestResponse]) -> list[TestResponse]:
    """Those of the requests that did something, after seeing that the others say why not."""
    first = [a for a in answers if a.status_code == 201 and "Idempotency-Replayed" not in a.headers]
    for answer in answers:
        if answer.status_code == 409:
            assert answer.get_json()["code"] == "request_in_progress"
            assert int(answer.headers["Retry-After"]) >= 1
        elif answer not in first:
            assert answer.headers["Idempotency-Replayed"] == "true"
            assert [answer.data] == [one.data for one in first]
    return first


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value


@pytest.fixture
def place(backend: Backend, url: str) -> Iterator[Place]:
    made = Place(backend, url)
    yield made
    made.close()


def test_one_of_many_runs(place: Place) -> None:
    """The others are told that it runs, or its answer; and whoever asks later is told that."""
    for i in range(ROUNDS):
        key = f"a-random-key-{i:03}"
        (first,) = ran(place.at_once([f"name{i}"] * CLIENTS, key))
        again = register(place.apps[i % WORKERS], f"name{i}", key)
        assert (again.status_code, again.data) == (201, first.data)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert place.users()[f"name{i}"] == first.get_json()["id"]
    assert len(place.users()) == ROUNDS


def test_of_many_bodies_with_one_key_one_is_served(place: Place) -> None:
    """Nobody else's name is taken, and nobody is told another's success."""
    for i in range(ROUNDS):
        names = [f"name{i}-{j % 4}" for j in range(CLIENTS)]
        answers = place.at_once(names, f"a-random-key-{i:03}")
        (first,) = ran([answer for answer in answers if answer.status_code != 422])
        for name, answer in zip(names, answers, strict=True):
            is_mine = name == first.get_json()["username"]
            assert (answer.status_code == 422) is not is_mine
            assert is_mine or answer.get_json()["code"] == "idempotency_key_reused"
    assert len(place.users()) == ROUNDS


@pytest.mark.parametrize(
    ("column", "ms"), [("started_at", TAKEN_FOR_DEAD_MS), ("created_at", KEPT_MS)]
)
def test_one_takes_over(place: Place, column: str, ms: int) -> None:
    """From a worker that died, or from a day that is over: again one of many runs."""
    key = "a-random-key-for-ada"
    assert in_new_process(partial(register_and_die, place.url, "ada", key)) == -signal.SIGKILL
    place.age(column, ms)
    (first,) = ran(place.at_once(["ada"] * CLIENTS, key))
    assert place.users() == {"ada": first.get_json()["id"]}


def test_killed_between_commit_and_reply(place: Place) -> None:
    """The retry is told to wait until the worker is taken for dead, and then its own success."""
    key = "a-random-key-for-ada"
    assert in_new_process(partial(register_and_die, place.url, "ada", key)) == -signal.SIGKILL
    (user_id,) = place.users().values()
    ask = partial(register, place.apps[0], "ada", key)
    assert ask().get_json()["code"] == "request_in_progress"
    place.age("started_at", TAKEN_FOR_DEAD_MS - 5_000)
    assert ask().get_json()["code"] == "request_in_progress"
    place.age("started_at", 5_000)
    answers = [ask(), ask()]
    assert [(a.status_code, a.get_json()["id"]) for a in answers] == [(201, user_id)] * 2
    assert ["Idempotency-Replayed" in answer.headers for answer in answers] == [False, True]
    assert place.users() == {"ada": user_id}
