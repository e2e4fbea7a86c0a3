"""docs/performance.md: its tables and its chart say the same."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.performance_page import BASE, drawn, lines


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
