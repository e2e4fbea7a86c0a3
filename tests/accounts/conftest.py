"""Processes of a service, on every database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dibs.accounts.tokens import AccessTokens
from tests.accounts.people import Clock, Process, processes
from tests.accounts.signing import KINDS, make
from tests.backends import Backend


@pytest.fixture
def process(url: str, tmp_path: Path) -> Iterator[Process]:
    with processes(1, url, tmp_path) as (one,):
        yield one


@pytest.fixture
def other(url: str, tmp_path: Path) -> Iterator[Process]:
    """Another one, on the same database and with the same keys."""
    with processes(1, url, tmp_path) as (one,):
        yield one


@pytest.fixture
def clock(backend: Backend, url: str) -> Clock:
    return Clock(backend, url)


@pytest.fixture(params=KINDS)
def tokens(request: pytest.FixtureRequest, tmp_path: Path) -> AccessTokens:
    return make(tmp_path, request.param)
