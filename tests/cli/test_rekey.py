"""`dibs adopt rekey`, typed."""

from __future__ import annotations

import json

import pytest

from dibs.store.names import rekey
from tests.cli.terminal import Terminal


@pytest.fixture(autouse=True)
def no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is there to hear of it."""
    monkeypatch.setattr(rekey, "LEASE_S", 0.0)


def test_from_standard_to_strict(terminal: Terminal) -> None:
    """Each step says what it did, what comes next, and check tells of it meanwhile."""
    terminal.set(home=str(terminal.folder / "instance"))
    terminal.dibs("db", "upgrade")
    for name in ("mike", "paypal"):
        assert terminal.dibs("register", name).status == 0
    assert (
        terminal.dibs("adopt", "rekey", "--status").out == "Rules version 40 (standard) decides.\n"
    )
    said = terminal.dibs("adopt", "rekey", "--to", "strict")
    assert "         2  names\n         1  with another key\n" in said.out
    assert "the keys of 41 (strict) are taken too.\nStart servers with the new rules" in said.out
    assert terminal.dibs("adopt", "rekey", "--status").status == 1
    assert "on their way: rules version 40 (standard) decides" in terminal.dibs("check").err
    assert terminal.dibs("register", "paypai").status == 1
    assert terminal.dibs("adopt", "rekey", "--switch").status == 0
    said = terminal.dibs("register", "eve")
    assert (said.status, "rules version 41 (strict), and are on their way" in said.err) == (1, True)
    terminal.set(lookalikes="strict")
    assert terminal.dibs("register", "eve").status == 0
    said = terminal.dibs("adopt", "rekey", "--finish", "--json")
    assert json.loads(said.out)["rules"] == 41
    assert "user: " in terminal.dibs("names", "show", "mike").out
    assert terminal.dibs("check").err == ""


@pytest.mark.parametrize("step", ["--switch", "--finish", "--back"])
def test_a_step_that_is_not_due(terminal: Terminal, step: str) -> None:
    """One sentence, and nothing is done."""
    terminal.dibs("db", "upgrade")
    said = terminal.dibs("adopt", "rekey", step)
    assert (said.status, "rules version 40 (standard) decides" in said.err) == (1, True)
    said = terminal.dibs("adopt", "rekey")
    assert (said.status, "version 40 (standard) already: say by --to" in said.err) == (
        1,
        True,
    )
