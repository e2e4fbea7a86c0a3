"""What tests of teams share."""

from __future__ import annotations

from collections.abc import Callable

from dibs.errors import DibsError
from dibs.store.accounts.sessions import Living
from tests.accounts.people import Process
from tests.support.contract import soon

NOBODY = "00000000-0000-4000-8000-000000000000"
ROUNDS = 5


def outcome(job: Callable[[], object]) -> object:
    """What it returns, or the class of what it raises."""
    try:
        return job()
    except DibsError as error:
        return type(error)


def put(process: Process, team_id: str, user: Living, role: str, by: Living) -> None:
    process.teams.put_member(team_id, user.user_id, role, by=by, deadline=soon())  # type: ignore[arg-type]


def remove(process: Process, team_id: str, user: Living, by: Living) -> None:
    process.teams.remove_member(team_id, user.user_id, by=by, deadline=soon())


def delete(process: Process, team_id: str, by: Living) -> None:
    process.teams.delete(team_id, by=by, deadline=soon())
