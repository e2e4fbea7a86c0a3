"""What schemathesis must know of dibs: names and passwords that can be had, and how to log in.

Loaded by schemathesis itself; see test_schemathesis.py.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

import httpx
import schemathesis
from hypothesis import strategies as st

from dibs.accounts import passwords
from dibs.errors import DibsError
from dibs.names import RESERVED, parse

SCRIPTS = (
    "abcdefghkmpqrstuwxyz",
    "áéíóúñüçøåß",
    "абвгдежзиклмнпрт",
    "αβγδεζηθκλμπρστ",
    "王小明李华張",
)
PASSWORD = "correct horse battery"


def can_be_had(name: str) -> bool:
    """Whether the rules allow it; whether somebody has it is another question."""
    try:
        return parse(name).canonical not in RESERVED
    except DibsError:
        return False


def can_be_used(password: str) -> bool:
    try:
        passwords.Rules().validate(password)
    except DibsError:
        return False
    return True


def names() -> st.SearchStrategy[str]:
    """Names in one script each, some with a separator and digits, all by the rules of `names/`."""
    words = st.sampled_from(SCRIPTS).flatmap(
        lambda letters: st.text(letters, min_size=3, max_size=12)
    )
    tails = st.sampled_from(["", "7", "_x", ".b2", "-42"])
    return st.builds(str.__add__, words, tails).filter(can_be_had)


schemathesis.openapi.format("dibs-username", names())
schemathesis.openapi.format("dibs-namespace", st.sampled_from(["default", "projects", "tenant-a"]))
schemathesis.openapi.format(
    "password", st.text(st.characters(codec="utf-8"), min_size=12, max_size=40).filter(can_be_used)
)


CLIENT = httpx.Client()
BOSS = os.environ.get("SCHEMATHESIS_BOSS")
"""Somebody with the staff role, and with the password, who gives it to whoever asks; or nobody."""


class User:
    """Somebody who is logged in; a new one when she has logged out, or is gone.

    Her team is another one when it has ended.
    """

    def __init__(self) -> None:
        self.id, self.name = "", ""
        self.tokens = {"access_token": "none"}
        self.team, self.mate = "", ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    def logged_in(self, base: str) -> dict[str, str]:
        if CLIENT.get(f"{base}/users/me", headers=self.headers).status_code != 200:
            self.begin(base)
            if BOSS:
                self.become_staff(base)
            self.found_team(base)
        elif CLIENT.get(f"{base}/teams/{self.team}").status_code != 200:
            self.found_team(base)
        return self.tokens

    def begin(self, base: str) -> None:
        self.name = f"user-{secrets.token_hex(6)}"
        body = {"username": self.name, "password": PASSWORD}
        self.id = CLIENT.post(f"{base}/register", json=body).raise_for_status().json()["id"]
        self.tokens = CLIENT.post(f"{base}/login", json=body).raise_for_status().json()

    def become_staff(self, base: str) -> None:
        body = {"username": BOSS, "password": PASSWORD}
        boss = CLIENT.post(f"{base}/login", json=body).raise_for_status().json()
        headers = {"Authorization": f"Bearer {boss['access_token']}"}
        given = CLIENT.patch(f"{base}/users/{self.id}", json={"role": "staff"}, headers=headers)
        given.raise_for_status()

    def found_team(self, base: str) -> None:
        """Makes a team that she owns, and somebody who could join it."""
        body = {"name": f"team-{secrets.token_hex(6)}"}
        made = CLIENT.post(f"{base}/teams", json=body, headers=self.headers).raise_for_status()
        mate = User()
        mate.begin(base)
        self.team, self.mate = made.json()["id"], mate.id


USER = User()


def is_chosen(drawn: object) -> bool:
    """Whether what was drawn gives way to something that is there: half of all."""
    return isinstance(drawn, str) and len(drawn) > 0 and ord(drawn[-1]) % 2 == 0


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Half of those who change their password know the old one."""
    is_change = context.operation.label == "PATCH /users/me" and isinstance(body, dict)
    if is_change and is_chosen(body.get("current_password")):
        return {**body, "current_password": PASSWORD}
    return body


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """A token is of one hold of one name, which cannot be drawn: those are tested elsewhere.

    Nor is a key that was sent before, with another body. What is meant to be valid is put
    together field by field, past the schema's `oneOf`.
    """
    if not isinstance(case.body, dict):
        return
    if isinstance(case.body.get("hold_token"), str):
        del case.body["hold_token"]
    is_valid = case.meta.generation.mode.value == "positive"
    if is_valid and case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = secrets.token_hex(8)  # good for one body alone
    if is_valid and case.operation.label == "PATCH /users/me":
        if "password" in case.body:
            case.body.pop("username", None)
        else:
            case.body.setdefault("username", USER.name)


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Half of the names, teams and users that are asked for are there."""
    there = {"user_id": USER.mate, "team_id": USER.team, "name": USER.name}
    return path_parameters and {
        name: there[name] if there.get(name) and is_chosen(value) else value
        for name, value in path_parameters.items()
    }


@schemathesis.auth(refresh_interval=None).apply_to(path="/refresh")
class RefreshAuth:
    """A refresh token, which is good for once."""

    def get(self, case: Any, context: Any) -> str:
        someone = User()
        someone.begin(case.operation.base_url.rstrip("/"))
        return someone.tokens["refresh_token"]

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.auth(refresh_interval=None).skip_for(path="/refresh")
class AccessAuth:
    """An access token."""

    def get(self, case: Any, context: Any) -> str:
        return USER.logged_in(case.operation.base_url.rstrip("/"))["access_token"]

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}
