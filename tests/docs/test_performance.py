"""docs/performance.md: its tables and its chart say the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.performance_page import BASE, drawn, lines
from tests.services.tools import TESTED

ROOT = Path(__file__).parents[2]


def side(name: str, ratio: float) -> dict[str, Any]:
    figures = {"low": ratio / 2, "high": ratio * 2, "rate": 5000 * ratio, "worker_us": 300.0}
    return {
        "name": name,
        "ratio": ratio,
        "database_us": 20.0,
        "p50_ms": 3.0,
        "p99_ms": None,
        **figures,
    }


def test_chart():
    """Each line of the tables is drawn with its ratio; the baseline is a rate, told once."""
    cases = {
        "new name": [side(BASE, 1), side("pgbench", 2.04), side("dibs", 0.512)],
        "login": [side(BASE, 1), side("dibs", 0.0123)],
    }
    about = {"about": "a day", "rounds": 2, "seconds": 3, "started": {"dibs": (1, 50)}}
    report = {**about, "cases": cases}
    rows = re.findall(r"^\| ([^|]+) \| ([\d.]+)[^|]* \| [\d,]+ \|", "\n".join(lines(report)), re.M)
    shown = [word for row in rows if row[0] != BASE for word in row]
    said = re.findall(r"<!-- (.*?) -->", drawn(report))
    assert shown == ["pgbench", "2.0", "dibs", "0.51", "dibs", "0.012"]
    assert [word for word in said if word in shown] == shown
    assert sum("5,000" in word for word in said) == 1


def test_each_commit_is_on_the_disk() -> None:
    """What tests keep in memory, the benchmarks do not."""
    environ = {name: value for name, value in os.environ.items() if name != TESTED}
    code = "from tests.services.tools import new_folder as new; print(new('disk-').resolve())"
    made = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    folder = Path(made.stdout.strip())
    folder.rmdir()
    assert folder.parent == Path(tempfile.gettempdir()).resolve()
