"""What every blueprint shares."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import Schema
from werkzeug.exceptions import HTTPException

from dibs.web.api.schemas import Problem, id_in_path
from dibs.web.http.auth import login_optional, login_required, staff_required
from dibs.web.http.cookies import CSRF_HEADER
from dibs.web.http.current import deadline as deadline
from dibs.web.http.current import parts as parts
from dibs.web.http.fields import StrictParser
from dibs.web.http.headers import unsniffed
from dibs.web.http.problems import CONTENT_TYPE, HTTP_ERRORS, from_http
from dibs.web.http.route import SAFE, Route, says

View = TypeVar("View", bound=Callable[..., Any])

TEXT = {"type": "string"}
RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which another try makes sense.",
        "schema": {"type": "integer"},
    }
}
CHALLENGE = {
    "WWW-Authenticate": {"description": "`Bearer`, and what is wrong (RFC 6750).", "schema": TEXT}
}
LANGUAGE = {
    "Content-Language": {"description": "The language of the answer.", "schema": TEXT},
    "Vary": {"schema": TEXT},
}


def sent(place: str, name: str, description: str, **schema: Any) -> dict[str, Any]:
    """How the OpenAPI page has a text that comes in a header or in the query."""
    return {"in": place, "name": name, "description": description, "schema": TEXT | schema}


ACCEPT_LANGUAGE = sent(
    "header",
    "Accept-Language",
    "The language of the answer: en, zh or ja.",
    examples=["zh-CN, en;q=0.5"],
)
SUGGESTIONS = sent("query", "suggestions", "0 for an answer without suggestions.", examples=["0"])
CSRF = sent("header", CSRF_HEADER, "The value of the cookie dibs_csrf; only needed with cookies.")
# The names under which the OpenAPI page has these ways to log in; see `dibs.web`.
SCHEMES: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]

USUAL = {
    400: "The request cannot be read.",
    401: "No token, or none that can be used; see WWW-Authenticate.",
    403: "Not allowed.",
    404: "There is no such thing.",
    409: "It cannot be done as things are; `code` says why.",
    413: "The body is larger than 64 KiB.",
    415: "The body is not JSON.",
    422: "The input is not valid; `reasons` says why.",
    503: "The database cannot answer; see Retry-After.",
}
HEADERS: dict[int, dict[str, Any]] = {401: CHALLENGE, 409: RETRY_AFTER, 503: RETRY_AFTER}
BODIES = (400, 413, 415, 422)
"""With which a body is refused that cannot be read."""

DOORS: dict[str, tuple[Callable[[Any], Any], list[dict[str, list[str]]]]] = {
    "user": (login_required, SCHEMES),
    "reader": (login_optional, [{}, *SCHEMES]),
    "staff": (staff_required, SCHEMES),
}
"""Of whom a route admits: what lets them in, and how that is documented."""


def described(view: View, *decorators: Callable[[View], Any]) -> View:
    """The view itself, with what decorators note of it: it reads and answers on its own."""
    for decorate in decorators:
        view._apidoc = decorate(view)._apidoc  # type: ignore[attr-defined]
    return view


class Blueprint(SmorestBlueprint):  # type: ignore[misc]  # flask-smorest has no types
    """A blueprint that reads bodies strictly and sees who may come in.

    Args:
        name: For `url_for` in a host app.
        title: The same for readers of the OpenAPI page.
    """

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, import_name: str, *, title: str, description: str) -> None:
        super().__init__(name, import_name, description=description)
        self.title = title
        self.after_request(unsniffed)
        # By status too: a host's own `errorhandler(404)` goes before any for HTTPException.
        for refused in (HTTPException, *HTTP_ERRORS):
            self.register_error_handler(refused, from_http)

    @staticmethod
    def _make_doc_response_schema(schema: Any) -> Any:
        # flask-smorest copies what is noted of a view, fields and all, with each decorator that
        # follows; classes it does not copy. That took a sixth of all that a start imports.
        return type(schema) if isinstance(schema, Problem) else schema

    def refuses(self, *said: int | str) -> Callable[[View], View]:
        """Document errors that a view may answer with.

        Args:
            said: Statuses. A sentence behind one is what it means here; else it means what it
                means everywhere.
        """

        def decorate(view: View) -> View:
            for status, own in zip(said, (*said[1:], 0), strict=True):
                if isinstance(status, str):
                    continue
                note = self.alt_response(
                    status,
                    schema=Problem,
                    content_type=CONTENT_TYPE,
                    description=own if isinstance(own, str) else USUAL[status],
                    headers=LANGUAGE | HEADERS.get(status, {}),
                )
                # The note alone: six functions around a view, each of which looks whether it is
                # asynchronous, are a twentieth of what a registration costs beside its hash.
                view._apidoc = note(view)._apidoc  # type: ignore[attr-defined]
            return view

        return decorate

    def reads(self, body: type[Schema] | Schema, **options: Any) -> Callable[[View], View]:
        """Have a view be given the fields of the body, and document how bodies are refused.

        What `refuses` says below it goes before that.
        """

        def decorate(view: View) -> View:
            noted = getattr(view, "_apidoc", {}).get("response", {}).get("responses", {})
            refused = [one for one in BODIES if one not in noted]
            read: View = self.arguments(body, **options)(self.refuses(*refused)(view))
            return read

        return decorate

    def route(self, rule: str, route: Route, **options: Any) -> Callable[[View], View]:
        """Put a view at an address, behind a door for those whom the route admits.

        The door is in front of all else that is put around the view: no body is read before.

        Args:
            rule: The address; what of it is called `..._id` is described as an id.
            route: What it says of itself.
            options: See flask-smorest.
        """
        if ids := re.findall(r"<(\w+_id)>", rule):
            options["parameters"] = [id_in_path(one) for one in ids]
        register: Callable[[View], View] = super().route(rule, tags=[self.title], **options)
        changes = not SAFE.issuperset(options.get("methods", ("GET",)))

        def decorate(view: View) -> View:
            says(route)(view)
            if route.admits not in DOORS:
                return register(view)  # who may be an asker, settings say: see `init_proofs`
            door, schemes = DOORS[route.admits]
            said: dict[str, Any] = {"security": schemes}
            if changes:
                noted: dict[str, Any] = getattr(view, "_apidoc", {})
                # A list that is given again takes the place of the earlier one.
                said["parameters"] = [*noted.get("manual_doc", {}).get("parameters", []), CSRF]
                if HTTPStatus.FORBIDDEN not in noted["response"]["responses"]:
                    view = self.refuses(403)(view)
            view = door(self.doc(**said)(self.refuses(401)(view)))
            return register(view)

        return decorate
