"""The extension's own tests at the oldest versions that it supports, and with marshmallow 3."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.conftest import missing
from tests.services import ServiceMissing

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-lowest" / "bin" / "python"
MODULES = ["claims", "guard", "flush", "escaped", "signals", "schema", "inputs"]


def test_they_pass_at_the_oldest_versions():
    if not PYTHON.exists():
        missing(ServiceMissing(".venv-lowest: `make setup-hosts` makes it"))
    files = [f"tests/extension/test_{name}.py" for name in MODULES]
    options = ["-n", "0", "-q", "-k", "sqlite", "-p", "no:cacheprovider", "-W", "default"]
    ran = subprocess.run(
        [PYTHON, "-P", "-m", "pytest", *options, *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert " passed" in ran.stdout
