"""Forms that come back: with what was typed, and each error beside its field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Response, json, request

from dibs.accounts.policy import STAFF
from dibs.errors import (
    DibsError,
    InvalidName,
    NameTaken,
    NotAllowed,
    OutcomeUnknown,
    UserNotFound,
    WrongPassword,
)
from dibs.web.http.idempotency import is_key, new_key
from dibs.web.http.problems import from_error
from dibs.web.http.route import Admits, Credential, Limit, Route, says
from dibs.web.pages.base import blueprint
from dibs.web.pages.browser_session import signed_in

SECRETS = {"password", "current_password", "new_password", "code", "csrf_token"}
"""Fields that no page ever shows again."""

KEPT_HEADERS = ("Retry-After", "WWW-Authenticate", "Idempotency-Key")

View = TypeVar("View", bound=Callable[..., Any])
Page = Callable[["Form"], Response]
"""Shows a form."""


class NotConfirmed(DibsError):
    """What cannot be undone needs the name, and another one was typed."""

    code = "invalid"
    message = "Type the name exactly as shown above."


class StaffOnly(NotAllowed):
    """The reader is not staff."""

    message = "This page is for staff only."


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
        status, headers: Of the answer.
    """

    typed: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, Sequence[str]] = field(default_factory=dict)
    summary: Sequence[tuple[str, str]] = ()
    others: Sequence[str] = ()
    name: str = ""
    key: str = field(default_factory=new_key)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def errors(self, name: str, of: str) -> Sequence[str]:
        """What is wrong with a field of that form."""
        return self.broken.get(name, ()) if of == self.name else ()

    @property
    def first(self) -> str:
        """The first field with something wrong, which is where a reader goes on."""
        return next(iter(self.broken), "")

    def value(self, name: str, of: str) -> str:
        """What was typed into it."""
        return self.typed.get(name, "") if of in (self.name, "") or not self.name else ""


@dataclass(frozen=True, slots=True)
class Shown:
    """By which page a form comes back.

    Attributes:
        names: The field of a name that somebody wants.
        passwords: The field of a password that somebody wants.
        people: The field of somebody's name.
        others: Further errors, each with its field.
    """

    page: Page
    names: str = "username"
    passwords: str = "password"
    people: str = "username"
    others: Mapping[type[DibsError], str] = field(default_factory=dict)


SHOWN: dict[str, Shown] = {}
"""By endpoint."""


def require_staff() -> None:
    """See that the reader is signed in, and staff."""
    if signed_in().role != STAFF:
        raise StaffOnly


def _of(route: Route, view: View) -> View:
    """A view of this route, for staff alone where it says so."""
    if route.admits != "staff":
        return says(route)(view)

    @wraps(view)
    def for_staff(*args: Any, **kwargs: Any) -> Any:
        require_staff()
        return view(*args, **kwargs)

    return cast(View, says(route)(for_staff))


def takes_form(
    rule: str,
    shown: Shown | Page,
    *,
    admits: Admits,
    limit: Limit = "rest",
    credential: Credential | None = None,
) -> Callable[[View], View]:
    """Put a view at an address that takes a form, shown again if an error of dibs is raised."""

    def decorate(view: View) -> View:
        again = shown if isinstance(shown, Shown) else Shown(shown)
        SHOWN[f"{blueprint.name}.{view.__name__}"] = again
        route = Route(admits=admits, limit=limit, credential=credential, sent="form")
        return blueprint.post(rule)(_of(route, view))

    return decorate


def shows(rule: str, *, admits: Admits, limit: Limit = "rest") -> Callable[[View], View]:
    """Put a view at an address that shows a page."""

    def decorate(view: View) -> View:
        return blueprint.get(rule)(_of(Route(admits=admits, limit=limit), view))

    return decorate


def shows_form(rule: str, endpoint: str, *, admits: Admits) -> Callable[[Page], Page]:
    """Have an address show a page's form as it is at first."""

    def decorate(page: Page) -> Page:
        def empty(**_: str) -> Response:
            return page(Form())

        blueprint.add_url_rule(rule, endpoint, _of(Route(admits=admits, limit="rest"), empty))
        return page

    return decorate


def sent(name: str) -> str:
    """What was typed into a field of the form that was sent; empty if nothing was.

    But for secrets without blanks at the ends: a phone's keyboard puts one there.
    """
    typed = request.form.get(name, "")
    return typed if name in SECRETS else typed.strip()


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
    # The outcome is unknown: if the form is sent again, it must be the same request.
    key, is_same = key_of_form()
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
        key=key if is_same and isinstance(error, OutcomeUnknown) else new_key(),
    )


def key_of_form() -> tuple[str, bool]:
    """What makes this request this one, and whether it may have been sent before.

    A form may be: by an impatient hand, or by a browser whose answer was lost.
    """
    key = sent("key")
    return (key, True) if is_key(key) else (new_key(), False)


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
