"""Users of a site, logged in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from werkzeug.test import TestResponse

from tests.web.site import PASSWORD, Site


def long_ago(site: Site) -> None:
    """Has everybody have signed in so long ago that it counts no more."""
    with site.parts.store.engine.begin() as connection:
        connection.execute(text("UPDATE dibs_sessions SET created_at = 0"))


@dataclass
class Person:
    """Who has a name and a password, and perhaps tokens."""

    site: Site
    name: str
    id: str = ""
    tokens: dict[str, Any] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        """What says who asks; nothing for somebody who is not logged in."""
        access = self.tokens.get("access_token")
        return {"Authorization": f"Bearer {access}"} if access else {}

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> TestResponse:
        """Sends a request as this person."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        more: dict[str, Any] = {} if body is None else {"json": body}
        return self.site.client.open(path, method=method, headers={**self.headers, **named}, **more)

    def login(self, **more: object) -> TestResponse:
        body = {"username": self.name, "password": PASSWORD, **more}
        answer = self.site.client.post("/login", json=body)
        self.tokens = answer.get_json()
        return answer


def nobody(site: Site) -> Person:
    return Person(site, "")


def newcomer(site: Site, name: str = "ada", *, staff: bool = False) -> Person:
    """Registers somebody and logs her in."""
    answer = site.register(name, PASSWORD)
    assert answer.status_code == 201, answer.text
    person = Person(site, name, answer.get_json()["id"])
    if staff:
        site.parts.store.set_role(person.id, "staff", deadline=site.parts.budget.start())
    assert person.login().status_code == 200
    return person
