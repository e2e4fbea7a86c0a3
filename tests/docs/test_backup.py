"""What docs/backup.md says: its own steps, while a service runs that people go on using."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import pytest

from dibs.registry.restores import LOOK_SECONDS
from tests.backends import MARIADB, POSTGRESQL
from tests.caches import REDIS
from tests.conftest import missing
from tests.docs.blocks import ROOT, blocks
from tests.fault.helpers import eventually
from tests.load import get, register
from tests.service import DIBS, Service
from tests.services import MariaDBServer, ServiceMissing

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "backup.md"
PATIENCE_S = 60.0


def steps(tool: str) -> str:
    """The commands of the page that begin with this one."""
    (found,) = [b.text for b in blocks(PAGE) if b.language == "bash" and b.text.startswith(tool)]
    return found


@dataclass(slots=True)
class Newcomers:
    """People who register one after another, and what they were told.

    Attributes:
        confirmed: Who was told that they have their name, with when they asked and were told.
    """

    service: Service
    confirmed: dict[str, tuple[float, float]] = field(default_factory=dict)
    strange: list[int] = field(default_factory=list)

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Have them come until the end of this."""
        enough = Event()
        thread = Thread(target=self._come, args=(enough,))
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join()

    def _come(self, enough: Event) -> None:
        number = 0
        while not enough.is_set():
            name, asked = f"newcomer-{number}", monotonic()
            status = self.service.one(register(name)).status
            if status == 201:
                self.confirmed[name] = (asked, monotonic())
            elif status != 503:
                self.strange.append(status)
            number += 1
            sleep(0.01)  # or there are thousands to be looked for

    def see_nothing_lost(self) -> None:
        """Who was told so after somebody whose name is there is there, too."""
        assert self.strange == []
        there = {name for name in self.confirmed if taken(self.service, name)}
        first = min((told for name, (_, told) in self.confirmed.items() if name in there))
        gone = [n for n, (asked, _) in self.confirmed.items() if asked > first and n not in there]
        # A filter may be two seconds late, and the last of them came just now.
        assert [name for name in gone if not eventually(partial(taken, self.service, name))] == []
        assert len(there) < len(self.confirmed), "those before the restore are gone"


def taken(service: Service, name: str) -> bool:
    answer = service.one(get(f"/usernames/{name}"))
    assert answer.status == 200
    return not answer.json()["available"]


def restored_under_people(service: Service, backup: str, restore: str) -> None:
    """What the page promises of both: the backup serves, and nobody is told wrong.

    Args:
        backup: What makes it, as a shell reads it.
        restore: What puts it back.
    """
    folder = Path(service.settings["home"])
    environment = os.environ | {"PATH": f"{DIBS.parent}:{os.environ['PATH']}"}
    environment |= {f"DIBS_{name.upper()}": str(it) for name, it in service.settings.items()}

    def run(commands: str) -> None:
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr

    assert service.one(register("ada")).status == 201
    run(backup)
    assert service.one(register("grace")).status == 201
    # A filter may be two seconds late.
    assert eventually(lambda: taken(service, "grace"))  # so whoever remembers such things does
    people = Newcomers(service)
    with people.coming():
        run(restore)
        assert not taken(service, "grace")
        assert taken(service, "ada")
        assert service.one(register("grace")).status == 201
        seen = len(people.confirmed)
        assert eventually(lambda: people.strange or len(people.confirmed) >= seen + 3)
    people.see_nothing_lost()
    assert service.one(register("ada")).status == 409
    sleep(2 * LOOK_SECONDS)  # by which a server would have noticed what nobody accepted
    assert service.one(get("/readyz")).json() == {"status": "ready"}


@pytest.fixture
def redis() -> str:
    try:
        return REDIS.empty()
    except ServiceMissing as error:
        missing(error)
        raise


@pytest.mark.parametrize("strategy", ["cache_aside", "membership_filter"])
def test_sqlite(tmp_path, redis, strategy):
    """Both caches know names by then that nobody has."""
    with Service(home=str(tmp_path), redis_url=redis, strategy=strategy) as service:
        restored_under_people(service, steps("dibs backup"), steps("dibs restore"))


@pytest.mark.parametrize("backend", [POSTGRESQL], indirect=True, ids=str)
def test_postgresql(own_url, tmp_path, redis):
    url = own_url.replace("+psycopg", "")
    with Service(url, home=str(tmp_path), redis_url=redis, strategy="cache_aside") as service:
        restored_under_people(service, steps("pg_dump"), steps("pg_restore"))


def test_mariadb(tmp_path, redis):
    """Named as on the page."""
    try:
        server = MARIADB.server
    except ServiceMissing as error:
        missing(error)
        raise
    assert isinstance(server, MariaDBServer)
    (shown,) = [block.text for block in blocks(PAGE) if block.language == "ini"]
    assert "[client]" in shown
    (tmp_path / "dibs.cnf").write_text(f"[client]\nsocket = {server.socket_path}\nuser = root\n")
    url = server.create_database("dibs")
    try:
        with Service(url, home=str(tmp_path), redis_url=redis, strategy="cache_aside") as service:
            restored_under_people(service, steps("mariadb-dump"), steps("mariadb --defaults"))
    finally:
        server.drop_database(url)
