"""Accounts as the service makes them, with passwords that cost next to nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dibs.accounts.login import Tokens
from dibs.accounts.teams import Team
from dibs.config import load
from dibs.context import Deadline
from dibs.store.accounts.sessions import Living
from dibs.wiring import Parts, build
from tests.backends import Backend
from tests.support.contract import soon

PASSWORD = "correct horse battery"
OTHER_PASSWORD = "another horse entirely"

CHEAP = {"quarantine": "0", "argon2_memory_kib": 8, "argon2_passes": 1}

A_SECRET = "c3a1f0b27d9e4c58a6b41e0f97d2835c"
"""Long enough, and random."""


class Process:
    """One worker process of a service, as far as accounts go.

    Args:
        url: The database, which others may be on too.
        home: Folder of the keys, which others share.
        settings: DIBS_ settings, by their names in small letters.
    """

    def __init__(self, url: str, home: Path, **settings: Any) -> None:
        given = {"database_url": url, "home": str(home), **CHEAP, **settings}
        self.parts: Parts = build(load({f"DIBS_{k.upper()}": str(v) for k, v in given.items()}))
        self.logins = self.parts.accounts.logins
        self.profiles = self.parts.accounts.profiles
        self.teams = self.parts.accounts.teams

    def register(self, name: str = "ada", password: str | None = PASSWORD) -> str:
        """A new user; returns her id."""
        request = (secrets.token_bytes(16),)
        registration = self.parts.registration
        return registration.register(name, password, request=request, deadline=soon()).id

    def login(
        self, name: str = "ada", password: str = PASSWORD, *, deadline: Deadline | None = None
    ) -> Tokens:
        return self.logins.login(name, password, device="a test", deadline=deadline or soon())

    def refresh(self, token: str) -> Tokens:
        return self.logins.refresh(token, deadline=soon())

    def who(self, tokens: Tokens, *, deadline: Deadline | None = None) -> Living:
        return self.logins.who(tokens.access_token, deadline=deadline or soon())

    def newcomer(self, name: str) -> Living:
        """A new user, signed in."""
        self.register(name)
        return self.who(self.login(name))

    def team(self, name: str, owner: Living, *, request: bytes | None = None) -> Team:
        return self.teams.create(
            name,
            owner=owner,
            request=(request or secrets.token_bytes(16),),
            repeatable=request is not None,
            deadline=soon(),
        )

    def roles(self, team: Team) -> dict[str, str]:
        """Who is what in a team, by user id."""
        found = self.parts.accounts.teams.rows.members([team.id], deadline=soon())
        return {member.user_id: member.role for member in found[team.id]}

    def close(self) -> None:
        self.parts.close()


@contextmanager
def processes(number: int, url: str, home: Path, **settings: Any) -> Iterator[list[Process]]:
    """So many of them on one database."""
    made = [Process(url, home, **settings) for _ in range(number)]
    try:
        yield made
    finally:
        for process in made:
            process.close()


class Clock:
    """Moves a session's rows through time: the clock is the database's, and nobody waits."""

    def __init__(self, backend: Backend, url: str) -> None:
        self._backend, self._url = backend, url

    def age(self, session_id: str, seconds: float) -> None:
        """As if its last refresh were so much longer ago."""
        earlier = ", ".join(
            f"{column} = {column} - {round(1000 * seconds)}"
            for column in ("created_at", "used_at", "rotated_at", "expires_at")
        )
        self._run(f"UPDATE dibs_sessions SET {earlier} WHERE id = '{session_id}'")

    def count(self, table: str = "dibs_sessions") -> int:
        ((number,),) = self._backend.execute(f"SELECT COUNT(*) FROM {table}", self._url)
        return int(number)

    def _run(self, sql: str) -> None:
        self._backend.execute(sql, self._url)
