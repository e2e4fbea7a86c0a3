"""The service in this process, on a real store, with everything it does written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import event
from werkzeug.test import TestResponse

from dibs.app import create_app
from dibs.state import parts_of
from dibs.wiring import Parts
from tests.backends import path_of
from tests.web.doors import BothDoors

PASSWORD = "correct horse battery"


class Site:
    """`create_app` on an SQLite file, and a client of it.

    Args:
        url: The database.
        settings: DIBS_ settings, by their names in small letters.

    Attributes:
        sql: Every statement that the database was sent.
        doors: Compares what Flask answers with what the front would have answered.
    """

    def __init__(self, url: str, **settings: str) -> None:
        keys = {f"DIBS_{name.upper()}": value for name, value in settings.items()}
        home = str(Path(path_of(url)).parent)  # where the keys are made that sign tokens
        # Most tests ask more often than anybody may, and none of these is about guessing hashes.
        usual = {
            "DIBS_DATABASE_URL": url,
            "DIBS_HOME": home,
            "DIBS_RATE_LIMITS": "off",
            "DIBS_QUARANTINE": "0",
            "DIBS_ARGON2_MEMORY_KIB": "64",
        }
        self.app = create_app({**usual, **keys})
        self.client = self.app.test_client()
        self.sql: list[str] = []
        self.parts: Parts = parts_of(self.app)
        event.listen(self.parts.store.engine, "connect", self._watch)
        self.doors = BothDoors(self)
        self.app.wsgi_app = self.doors  # type: ignore[method-assign]

    def _watch(self, connection: Any, _: object) -> None:
        connection.set_trace_callback(self.sql.append)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers=_named(headers))

    def register(self, name: object, password: object = None, **headers: str) -> TestResponse:
        """Registers a name, with a password if there is one."""
        body = {"username": name} | ({} if password is None else {"password": password})
        return self.send(json.dumps(body).encode(), **headers)

    def send(
        self, body: bytes, content_type: str | None = "application/json", **headers: str
    ) -> TestResponse:
        """Posts these very bytes to /register."""
        kind = {} if content_type is None else {"Content-Type": content_type}
        return self.client.post("/register", data=body, headers={**kind, **_named(headers)})

    def users(self) -> list[dict[str, str]]:
        """Every user there is."""
        items: list[dict[str, str]] = self.get("/users?limit=100").get_json()["items"]
        return items

    def close(self) -> None:
        self.parts.close()


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The members of a problem, after seeing that it is a well-formed one (RFC 9457)."""
    body: dict[str, Any] = answer.get_json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert answer.content_type == "application/problem+json"
    assert body["detail"] == body["error"] == body["message"]
    assert body["title"]
    assert body["detail"]
    assert answer.headers["Content-Language"] in ("en", "zh", "ja")
    assert "Accept-Language" in answer.headers["Vary"]
    return body
