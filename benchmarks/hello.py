"""The least that Flask can do: what a request costs before dibs does anything."""

import sys
from pathlib import Path

from flask import Flask

from dibs.config import Settings
from tests.service import Service

ROOT = Path(__file__).parents[1]

app = Flask(__name__)


@app.get("/healthz")
def hello() -> dict[str, str]:
    return {"hello": "world"}


class Hello(Service):
    """The app above on the quickest server for Flask, with as many workers and threads."""

    app = "benchmarks.hello:app"

    def _command(self) -> list[str]:
        options = f"--interface wsgi --port {self.port} --workers {self.workers}"
        options += f" --blocking-threads {Settings().pool_size} --no-ws --log-level error"
        granian = str(Path(sys.executable).parent / "granian")
        return [granian, *options.split(), "--working-dir", str(ROOT), self.app]
