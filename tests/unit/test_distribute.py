"""`dibs db distribute`: what Citus is told, of which only a stand-in is here."""

from __future__ import annotations

from pathlib import Path

import pytest

from dibs.store.schema import DISTRIBUTED
from tests.backends import POSTGRESQL
from tests.cli.terminal import Terminal
from tests.conftest import missing
from tests.services import ServiceMissing

CITUS = """
    CREATE TABLE told (table_name text, by text, with_table text);
    CREATE FUNCTION create_distributed_table(a regclass, b text, colocate_with text = 'default')
    RETURNS void LANGUAGE sql AS $$ INSERT INTO told VALUES (a::text, b, colocate_with) $$;
    GRANT ALL ON told TO dibs
"""


@pytest.fixture
def terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    return Terminal(tmp_path, monkeypatch, capsys)


def test_what_is_written(terminal: Terminal) -> None:
    said = terminal.dibs("db", "distribute")
    assert (said.status, said.out) == (0, "".join(f"{one};\n" for one in DISTRIBUTED))
    said = terminal.dibs("db", "distribute", "--run")
    assert (said.status, "there is no Citus" in said.err) == (1, True), said


def test_what_is_run(terminal: Terminal) -> None:
    """Names by their key, and their history beside them; without Citus a sentence."""
    try:
        url = POSTGRESQL.migrated()
    except ServiceMissing as error:
        missing(error)
        raise
    terminal.set(database_url=url)
    said = terminal.dibs("db", "distribute", "--run")
    assert (said.status, said.err.count("\n")) == (1, 1), said
    assert "The names cannot be distributed: function create_distributed_table" in said.err
    POSTGRESQL.execute(CITUS, url)
    assert terminal.dibs("db", "distribute", "--run").status == 0
    assert POSTGRESQL.execute("SELECT * FROM told", url) == [
        ("dibs_names", "name_key", "default"),
        ("dibs_history", "name_key", "dibs_names"),
    ]
    POSTGRESQL.drop(url)
