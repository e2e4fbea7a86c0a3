"""What dibs adds to a host app's start: `.venv/bin/python -m benchmarks.start`.

Processor time and memory of fresh processes, the median of ten each, in turns. Their modules are
compiled already, as those of an installed package are, whatever this process's environment says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROUNDS = 10
APP = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
app = Flask("host")
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
db = SQLAlchemy(app)
"""
WITH_DIBS = APP + "from dibs import Dibs\nDibs().init_app(app)\n"
MEASURED = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"

CASES = {
    "host app": ["-c", APP + MEASURED],
    "host app, init_app()": ["-c", WITH_DIBS + MEASURED],
    "host app, init_app(component=True)": [
        "-c",
        WITH_DIBS.replace("init_app(app)", "init_app(app, component=True)").replace(
            '"sqlite://"', '"sqlite:///host.db"'
        )
        + MEASURED,
    ],
    "flask routes, dibs not installed": ["-c", "FLASK"],
    "flask routes": ["-m", "flask", "--app", "host", "routes"],
    "dibs --version": ["-c", "from dibs.cli import main; main()", "--version"],
    "dibs names <TAB>": ["-c", "from dibs.cli import main; main()"],
}
WITHOUT = (
    "import importlib.metadata as m; real = m.entry_points;"
    "m.entry_points = lambda **k: [one for one in real(**k) if one.name != 'dibs'];"
    "import sys; sys.argv = ['flask', '--app', 'host', 'routes'];"
    "from flask.cli import main; main()"
)
COMPLETED = {"_DIBS_COMPLETE": "bash_complete", "COMP_WORDS": "dibs names ", "COMP_CWORD": "2"}


def once(name: str, arguments: list[str], folder: str) -> tuple[float, float]:
    """Seconds of processor time and MB."""
    arguments = [WITHOUT if one == "FLASK" else one for one in arguments]
    variables = {**os.environ, **(COMPLETED if "TAB" in name else {})}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    variables["PYTHONPYCACHEPREFIX"] = os.path.join(folder, "compiled")
    before = os.times()
    ran = subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    spent = sum(after[2:4]) - sum(before[2:4])
    memory = ran.stdout.strip().splitlines()[-1] if MEASURED in arguments[-1] else "0"
    return spent, int(memory) / 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "host.py").write_text(APP)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
        for name, arguments in CASES.items():
            once(name, arguments, folder)
        for _ in range(ROUNDS):
            for name, arguments in CASES.items():
                found[name].append(once(name, arguments, folder))
    for name, rounds in found.items():
        seconds, megabytes = (median(column) for column in zip(*rounds, strict=True))
        print(f"{name:40} {seconds:6.3f} s {f'{megabytes:6.1f} MB' if megabytes else ''}")
    print(json.dumps({name: min(rounds)[0] for name, rounds in found.items()}))


if __name__ == "__main__":
    main()
