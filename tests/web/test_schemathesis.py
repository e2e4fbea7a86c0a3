"""The running service keeps what its OpenAPI document promises: `schemathesis` tries.

All of its checks run, and none is left out. One of them has nothing to do here:
`object_level_authorization` compares several identities, and the hooks log in one; who may do
what is in test_authorisation.py, cell by cell.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service import Service
from tests.web.schemathesis_hooks import PASSWORD, can_be_had, can_be_used
from tests.web.test_authorisation import ROWS, WHO

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES, SEED = {"user": 4, "staff": 3}, 5
OF_STAFF = r"^/(users/\{user_id\}|users/by-name|kept-names|events|invitations|teams/\{team_id\})"
PHASES = ("Examples", "Coverage", "Fuzzing", "Stateful")


def run(port: int, folder: Path, who: str) -> str:
    """What it writes; every kind of wrong and right request, and sequences of them."""
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        f"http://127.0.0.1:{port}/openapi.json",
        *("--checks", "all", "--mode", "all", "--phases", "examples,coverage,fuzzing,stateful"),
        *("--max-examples", str(EXAMPLES[who]), "--seed", str(SEED)),
        *("--continue-on-failure", "--no-color"),
        *(("--include-path-regex", OF_STAFF) if who == "staff" else ()),
    ]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.web.schemathesis_hooks",
        "PYTHONPATH": str(ROOT),
        **({"SCHEMATHESIS_BOSS": "boss"} if who == "staff" else {}),
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("who", list(EXAMPLES))
def test_no_check_fails(tmp_path, who):
    """On every operation, in every phase, with no server error in the log either.

    For staff on those where the role counts: the others have been asked by somebody else.
    """
    settings = {"password": "required", "rate_limits": "off", "argon2_memory_kib": "64"}
    settings["namespaces"] = "projects,tenant-*"
    with Service(workers=1, **settings) as service:
        service.run("register", "boss", "--password", PASSWORD)
        service.run("staff", "grant", "boss")
        written = run(service.port, tmp_path, who)
        log = service.log()
    selected = re.search(r"Operations: +(\d+) selected / (\d+) total", written)
    assert selected
    assert (selected[1] == selected[2]) is (who == "user")
    assert f"Tested: {selected[1]}" in written
    assert all(f"✅ {phase}" in written.replace("  ", " ") for phase in PHASES)
    assert "Traceback" not in log


def test_staff_are_asked_all_that_the_role_changes():
    """As the table of cells has it."""
    for method, path, *cells in ROWS:
        told = dict(zip(WHO, cells, strict=True))
        if told["staff"] != told["other"]:
            assert re.match(OF_STAFF, re.sub(r"{(user|team)}", r"{\1_id}", path)), (method, path)


def test_what_is_drawn_can_be_had():
    """A strategy that drew what is refused would prove nothing."""
    assert can_be_had("王小明")
    assert not can_be_had("admin")
    assert not can_be_had("a b")
    assert can_be_used("correct horse battery")
    assert not can_be_used("password1")
