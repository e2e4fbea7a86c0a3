"""Forms that come back: with what was typed, and each error beside its field."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from flask import Response, json, request

from dibs.errors import (
    DibsError,
    InvalidName,
    NameTaken,
    OutcomeUnknown,
    UserNotFound,
    WrongPassword,
)
from dibs.web.http.idempotency import is_key
from dibs.web.http.problems import from_error

SECRETS = {"password", "current_password", "new_password", "code", "csrf_token"}
"""Fields that no page ever shows again."""

KEPT_HEADERS = ("Retry-After", "WWW-Authenticate", "Idempotency-Key")

View = TypeVar("View", bound=Callable[..., Any])


class NotConfirmed(DibsError):
    """What cannot be undone needs the name, and another one was typed."""

    code = "invalid"
    message = "Type the name exactly as shown above."


ABOUT_NAME = (InvalidName, NameTaken, NotConfirmed)
"""Errors that stand beside the field of the name, if the form has one."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it is shown: empty, or with what was wrong.

    Attributes:
        typed: By field; never a password.
        broken: What is wrong with each field, in the reader's language.
        summary: All that is wrong: the field, if it is of one, and the sentence.
        others: Names that can be had instead.
        name: Which form of the page it is; empty for none.
        key: By which the same form is known when it is sent again.
        status: Of the answer.
        headers: Of the answer.
    """

    typed: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, Sequence[str]] = field(default_factory=dict)
    summary: Sequence[tuple[str, str]] = ()
    others: Sequence[str] = ()
    name: str = ""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def errors(self, name: str, of: str) -> Sequence[str]:
        """What is wrong with a field of that form."""
        return self.broken.get(name, ()) if of == self.name else ()

    def value(self, name: str, of: str) -> str:
        """What was typed into it."""
        return self.typed.get(name, "") if of in (self.name, "") or not self.name else ""


@dataclass(frozen=True, slots=True)
class Shown:
    """By which page a form comes back.

    Attributes:
        page: Makes it.
        names: The field of a name that somebody wants.
        passwords: The field of a password that somebody wants.
        people: The field of somebody's name.
        others: Further errors, each with its field.
    """

    page: Callable[[Form], Response]
    names: str
    passwords: str
    people: str
    others: Mapping[type[DibsError], str]


SHOWN: dict[str, Shown] = {}
"""By endpoint."""


def redisplays(
    page: Callable[[Form], Response],
    *,
    names: str = "username",
    passwords: str = "password",
    people: str = "username",
    others: Mapping[type[DibsError], str] = MappingProxyType({}),
) -> Callable[[View], View]:
    """Have this page show the form again if the view raises an error of dibs; see `Shown`."""

    def decorate(view: View) -> View:
        SHOWN[f"dibs_pages.{view.__name__}"] = Shown(page, names, passwords, people, others)
        return view

    return decorate


def answer_of(error: DibsError) -> tuple[dict[str, Any], Response]:
    """What the API says of this error: pages have no words and no statuses of their own."""
    if isinstance(error, OutcomeUnknown):
        error = OutcomeUnknown()  # the key is in the form; nobody need be told of it
    response = from_error(error)
    return json.loads(response.get_data()), response


def kept(response: Response) -> dict[str, str]:
    """The headers that a page has from the API's answer."""
    return {name: value for name, value in response.headers.items() if name in KEPT_HEADERS}


def form_of(error: DibsError, shown: Shown) -> Form:
    """The form of this request, with this error."""
    said, response = answer_of(error)
    found = _sentences(error, said, shown)
    broken: dict[str, list[str]] = {}
    for name, sentence in found:
        if name:
            broken.setdefault(name, []).append(sentence)
    return Form(
        typed={name: text for name, text in request.form.items() if name not in SECRETS},
        broken=broken,
        summary=found,
        others=[one["name"] for one in said.get("suggestions", ())],
        name=(request.endpoint or "").rpartition(".")[2],
        status=response.status_code,
        headers=kept(response),
        **_same_key(error),
    )


def key_of_form() -> tuple[str, bool]:
    """What makes this request this one, and whether it may have been sent before.

    A form may be: by an impatient hand, or by a browser whose answer was lost.
    """
    sent = request.form.get("key", "")
    return (sent, True) if is_key(sent) else (secrets.token_urlsafe(24), False)


def _same_key(error: DibsError) -> dict[str, str]:
    """The outcome is unknown: if the form is sent again, it must be the same request."""
    sent = request.form.get("key", "")
    return {"key": sent} if isinstance(error, OutcomeUnknown) and is_key(sent) else {}


def _sentences(error: DibsError, said: dict[str, Any], shown: Shown) -> list[tuple[str, str]]:
    fields = {"username": shown.names, "password": shown.passwords}
    if reasons := said.get("reasons"):
        return [(fields.get(one["field"], one["field"]), one["detail"]) for one in reasons]
    if isinstance(error, ABOUT_NAME) and shown.names in request.form:
        return [(shown.names, said["detail"])]
    if isinstance(error, UserNotFound) and shown.people in request.form:
        return [(shown.people, said["detail"])]
    if isinstance(error, WrongPassword):
        return [("current_password", said["detail"])]
    return [(shown.others.get(type(error), ""), said["detail"])]
