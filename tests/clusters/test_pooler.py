"""Two services behind Debian's PgBouncer as it comes, in transaction mode, for a minute."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from dibs.store.schema import upgrade
from tests.backends import POSTGRESQL
from tests.checker.http import SETTINGS
from tests.clusters.traffic import survive
from tests.conftest import missing
from tests.service import Service
from tests.services import PgBouncer, ServiceMissing

pytestmark = [pytest.mark.race, pytest.mark.timeout(300)]

SECONDS, EACH = 60.0, 6


def test_mixed_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign-ups, holds, renames, deletions and looks: no 500, and nothing that cannot be."""
    with ExitStack() as stack:
        try:
            pooler = stack.enter_context(PgBouncer(POSTGRESQL.server))
        except ServiceMissing as error:
            missing(error)
            raise
        url = pooler.url_via(POSTGRESQL.empty(), pooler.port)
        upgrade(url)
        services = [stack.enter_context(Service(url, deadline=20.0, **SETTINGS)) for _ in range(2)]
        told = survive(services, lambda: None, SECONDS, monkeypatch, EACH)
    assert max(told) < 500, sorted(set(told))
