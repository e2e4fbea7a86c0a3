"""A service and a host app, both on an SQLite file of their own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from dibs import Dibs
from dibs.app import create_app
from dibs.cli import group
from dibs.state import parts_of, state_of


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database that `dibs db upgrade` made."""
    monkeypatch.chdir(tmp_path)  # where no `.env` lies
    made = tmp_path / "dibs.db"
    environment = {"DIBS_DATABASE_URL": f"sqlite:///{made}"}
    ran = CliRunner().invoke(group, ["db", "upgrade"], env=environment, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return made


@pytest.fixture
def database(file: Path) -> Iterator[sqlite3.Connection]:
    """The same database, beside the service."""
    connection = sqlite3.connect(file, isolation_level=None)
    yield connection
    connection.close()


Make = Callable[..., Flask]


@pytest.fixture
def serve(file: Path, tmp_path: Path) -> Iterator[Make]:
    """Makes the service, with settings by their names in small letters."""
    made: list[Flask] = []

    def make(**settings: str) -> Flask:
        usual = {"database_url": f"sqlite:///{file}", "home": str(tmp_path), "rate_limits": "off"}
        given = {**usual, **settings}
        made.append(create_app({f"DIBS_{key.upper()}": text for key, text in given.items()}))
        return made[-1]

    yield make
    for app in made:
        parts_of(app).close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Make]:
    """Makes an app of somebody else's, with the options of `init_app`."""
    made: list[tuple[Flask, SQLAlchemy]] = []

    def make(**options: Any) -> Flask:
        app, db = Flask("host"), SQLAlchemy()
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'host.db'}"
        app.config["DIBS_HOME"] = str(tmp_path)
        db.init_app(app)
        Dibs(metadata=db.metadata).init_app(app, **options)
        made.append((app, db))
        return app

    yield make
    for app, db in made:
        if parts := state_of(app).parts:
            parts.close()
        with app.app_context():
            db.engine.dispose()
