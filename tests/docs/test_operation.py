"""What docs/install.md says to who runs dibs for many."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from contextlib import ExitStack, closing
from pathlib import Path

from dibs.cli import group
from dibs.config import load
from dibs.serving.workers import GRACE
from tests.backends import open_store
from tests.cli.terminal import SCRIPT
from tests.docs.blocks import blocks
from tests.docs.front import PAGE, PORTS
from tests.load import get, post, register
from tests.service import Service
from tests.support.contract import soon

PROGRAM = "/opt/dibs/bin/dibs"


def unit() -> str:
    """The unit that the page shows."""
    (found,) = [block.text for block in blocks(PAGE) if "[Unit]" in block.text]
    return found


def parsed() -> ConfigParser:
    """The same, as keys and values; `%i` is systemd's."""
    found = ConfigParser(interpolation=None)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read_string(unit())
    return found


def test_the_unit_starts_dibs():
    """With a command that there is, on each of the ports that nginx knows."""
    program, command, *options = parsed()["Service"]["ExecStart"].split()
    assert (program, command) == (PROGRAM, "serve")
    for port in PORTS:
        words = [option.replace("%i", str(port)) for option in options]
        with group.commands[command].make_context(command, words) as context:
            assert context.params["port"] == port
        assert f"dibs@{port}" in PAGE.read_text(encoding="utf-8")


def test_the_unit_leaves_time_to_end():
    """For all that is under way; and it is the parent that tells the workers."""
    service = parsed()["Service"]
    assert float(service["TimeoutStopSec"]) > load({}).deadline + GRACE
    assert service["KillMode"] == "mixed"
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"


def test_systemd_takes_the_unit(tmp_path):
    """Every key of it, where there is a systemd to ask; else the tests above have to do."""
    text = unit().replace(PROGRAM, str(SCRIPT))
    if shutil.which("systemd-analyze"):
        assert systemd_says(text, tmp_path) == []
        for right, wrong in (("KillMode", "KlllMode"), (str(SCRIPT), "/nowhere/dibs")):
            assert systemd_says(text.replace(right, wrong), tmp_path)


def systemd_says(text: str, folder: Path) -> list[str]:
    """What it says about the unit; it also reads, and judges, those that other packages have."""
    file = folder / "dibs@.service"
    file.write_text(text)
    said = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, timeout=60
    )
    return [line for line in (said.stdout + said.stderr).splitlines() if "dibs@" in line]


def test_a_backup_of_sqlite(tmp_path):
    """All that was answered before is in it, while the service runs; the mere file has less."""
    with Service(home=str(tmp_path), workers=1) as service:
        assert service.one(register("ada")).status == 201
        copy, mere = tmp_path / "copy.db", tmp_path / "mere.db"
        with (
            closing(sqlite3.connect(tmp_path / "dibs.db")) as live,
            closing(sqlite3.connect(copy)) as saved,
        ):
            live.backup(saved)
            shutil.copy(tmp_path / "dibs.db", mere)
    assert names(copy) == ["ada"]
    with closing(sqlite3.connect(mere)) as file:
        tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
        assert "dibs_users" not in tables or names(mere) == []


def names(file: Path) -> list[str]:
    """Whoever is registered there."""
    store = open_store(f"sqlite:///{file}")
    found = [user.username for user in store.users(limit=10, after=None, deadline=soon())]
    store.close()
    return found


def test_the_log_is_of_trouble_alone():
    """A line when it starts, and none for what went well or was the client's own mistake."""
    with Service(workers=1) as service:
        before = service.log()
        for name in ("ada", "ada", "no spaces"):
            service.one(register(name))
        service.one(get("/nowhere"))
        assert service.log() == before


def test_two_that_start_at_once(tmp_path):
    """For the first time, in one folder: they agree on the tables and on the key."""
    more = {"home": str(tmp_path), "password": "required", "argon2_memory_kib": "64"}
    services = [Service(workers=1, **more) for _ in PORTS]
    body = {"username": "ada", "password": "correct horse battery"}
    with ExitStack() as open_:
        with ThreadPoolExecutor() as pool:
            list(pool.map(open_.enter_context, services))
        first, second = services
        assert first.one(post("/register", body)).status == 201
        for one, other in ((first, second), (second, first)):
            token = one.one(post("/login", body)).json()["access_token"]
            header = f"\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            asked = get("/users/me").replace(b"\r\n\r\n", header)
            assert other.one(asked).status == 200
