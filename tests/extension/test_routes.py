"""The service's routes, mounted in a host app: one table with the host's own claims."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from dibs import Dibs
from dibs.errors import ConfigError
from dibs.state import parts_of


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Flask]:
    """An app whose own view claims names, with the routes beside it."""
    db = SQLAlchemy()
    dibs = Dibs(metadata=db.metadata)
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'host.db'}"
    app.config["DIBS_PASSWORD"] = "off"
    db.init_app(app)
    dibs.init_app(app, api=True)
    with app.app_context():
        db.create_all()

    @app.post("/join/<name>")
    def join(name: str):
        dibs.claim(name, owner=7, kind="player")
        db.session.commit()
        return "", 204

    yield app
    parts_of(app).store.close()
    with app.app_context():
        db.engine.dispose()


def test_routes_and_claims_share_one_table(host: Flask) -> None:
    """A name taken by either is taken for both."""
    client = host.test_client()
    assert client.post("/register", json={"username": "ada"}).status_code == 201
    assert client.post("/join/ADA").status_code == 409
    assert client.post("/join/bob").status_code == 204
    assert client.post("/register", json={"username": "Bob"}).status_code == 409


def test_the_hosts_own_errors_stay_its_own(host: Flask) -> None:
    """Only what dibs raises is answered as a problem."""
    assert host.test_client().get("/nowhere").content_type.startswith("text/html")


def test_an_unknown_database_is_refused_in_words() -> None:
    """Rather than names kept in a database of their own."""
    app = Flask(__name__)
    with pytest.raises(ConfigError, match="DIBS_DATABASE_URL"):
        Dibs().init_app(app, api=True)
