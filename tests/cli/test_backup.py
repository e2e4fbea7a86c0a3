"""`dibs backup`, `dibs restore`, `dibs db restored`; docs/backup.md under a running service."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing

import pytest

from tests.cli.terminal import Terminal

TAKEN, FREE = "owned", "free"


@pytest.fixture
def saved(terminal: Terminal) -> Terminal:
    """One with a backup in which ada is, and a database in which grace is, too."""
    terminal.dibs("db", "upgrade")
    terminal.dibs("register", "ada")
    assert terminal.dibs("backup", "saved").out.startswith("saved: 1 name of sqlite:///")
    terminal.dibs("register", "grace")
    return terminal


def state(terminal: Terminal, name: str) -> str:
    return terminal.dibs("names", "show", name).out.splitlines()[0].rpartition(": ")[2]


def test_what_was_saved_comes_back(saved):
    said = saved.dibs("restore", "saved", "--yes")
    assert (said.status, ": 1 name of saved" in said.out) == (0, True)
    assert (state(saved, "ada"), state(saved, "grace")) == (TAKEN, FREE)
    assert saved.dibs("check").status == 0


def test_a_backup_is_one_file_for_its_owner_alone(saved):
    """With hashes in it, and a secret."""
    assert (saved.folder / "saved").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in saved.folder.iterdir()} == {"instance", "saved"}
    with closing(sqlite3.connect(saved.folder / "saved")) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_nothing_is_replaced_unasked(saved):
    """Neither a backup nor a database that has names."""
    before = (saved.folder / "saved").read_bytes()
    again, back = saved.dibs("backup", "saved"), saved.dibs("restore", "saved")
    assert (again.status, "--yes" in again.err) == (1, True)
    assert (back.status, "has 2 names" in back.err) == (1, True)
    assert (saved.folder / "saved").read_bytes() == before
    assert state(saved, "grace") == TAKEN
    assert saved.dibs("backup", "saved", "--yes").out.startswith("saved: 2 names")


def test_a_database_that_is_lost(saved):
    """No `--yes` is needed where nothing is replaced."""
    for path in (saved.folder / "instance").iterdir():
        path.unlink()
    assert saved.dibs("restore", "saved").status == 0
    assert state(saved, "ada") == TAKEN
    assert (saved.folder / "instance/dibs.db").stat().st_mode & 0o777 == 0o600


def test_a_database_that_is_damaged(saved):
    """Is not in any backup, and not written over either: the servers may still have it."""
    (saved.folder / "instance/dibs.db").write_text("no database" * 1000)
    for words in (["backup", "another"], ["restore", "saved", "--yes"]):
        said = saved.dibs(*words)
        assert (said.status, "move it away" in said.err) == (1, True)
    assert not (saved.folder / "another").exists()


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("nowhere", "there is no file nowhere"),
        ("text", "cannot be read as a database"),
        ("cut", "cannot be read as a database"),
        ("other", "no table of dibs"),
        ("strange", "a backup of another database"),
        ("strict", "rules version"),
    ],
)
def test_what_is_no_backup(saved, monkeypatch, file, words):
    """Or none of this database: then everything stays as it is."""
    folder = saved.folder
    (folder / "text").write_text("ada" * 1000)
    (folder / "cut").write_bytes((folder / "saved").read_bytes()[:40_000])
    with closing(sqlite3.connect(folder / "other")) as other:
        other.execute("CREATE TABLE people (name)")
    saved.set(database_url="sqlite:///foreign.db", lookalikes="strict" if file == "strict" else "")
    saved.dibs("db", "upgrade")
    saved.dibs("backup", "strict" if file == "strict" else "strange")
    saved.set(database_url="", lookalikes="")
    said = saved.dibs("restore", file, "--yes")
    assert (said.status, words in said.err, said.err.count("\n")) == (1, True, 1)
    assert state(saved, "grace") == TAKEN


def test_a_backup_of_an_older_dibs(saved):
    """Has the tables of today when it is back."""
    with closing(sqlite3.connect(saved.folder / "saved")) as old, old:
        old.execute("DROP TABLE dibs_restores")
        old.execute("DROP TABLE dibs_invitations")
        old.execute("DROP INDEX dibs_events_kind")
        old.execute("UPDATE dibs_alembic_version SET version_num = '0012'")
    assert saved.dibs("restore", "saved", "--yes").status == 0
    assert saved.dibs("check").status == 0
    with closing(sqlite3.connect(saved.folder / "instance/dibs.db")) as now:
        assert now.execute("SELECT COUNT(*) FROM dibs_invitations").fetchone() == (0,)


def test_a_redis_that_is_away(saved):
    """The database is back all the same, and the sentence says what is left to do."""
    saved.set(redis_url="redis://127.0.0.1:1")
    said = saved.dibs("restore", "saved", "--yes")
    assert (said.status, "dibs db restored" in said.err) == (1, True)
    assert state(saved, "grace") == FREE


@pytest.mark.parametrize(
    ("url", "tool"), [("postgresql://x/y", "pg_restore"), ("mariadb://x/y", "mariadb-dump")]
)
@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_database_with_tools_of_its_own(terminal, command, url, tool):
    terminal.set(database_url=url)
    said = terminal.dibs(command, "file")
    assert (said.status, tool in said.err, said.err.count("\n")) == (1, True, 1)


def test_a_backup_that_cannot_be_written(saved):
    """And leaves nothing behind."""
    said = saved.dibs("backup", "no/such/folder")
    assert (said.status, "No such file or directory" in said.err) == (1, True)


def test_a_backup_for_which_there_is_no_room(saved):
    """Is no fault of the database, which nobody is told to move away."""
    before = (saved.folder / "saved").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        said = saved.dibs("backup", "saved", "--yes")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (said.status, "saved was not written" in said.err) == (1, True), said.err
    assert (saved.folder / "saved").read_bytes() == before
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        back = saved.dibs("restore", "saved", "--yes")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (back.status, "move it away" in back.err, back.err.count("\n")) == (1, False, 1)
    assert state(saved, "grace") == TAKEN


def test_what_stands_where_a_backup_is_made(saved):
    """A link leads nowhere, and who opened a file there before reads nothing of the secret."""
    (saved.folder / "others").write_text("theirs")
    (saved.folder / "saved.new").symlink_to("others")
    assert saved.dibs("backup", "saved", "--yes").status == 0
    assert (saved.folder / "others").read_text() == "theirs"
    (saved.folder / "saved.new").touch(mode=0o644)
    assert saved.dibs("backup", "saved", "--yes").status == 0
    assert (saved.folder / "saved").stat().st_mode & 0o777 == 0o600
