"""flask-smorest as dibs uses it: blueprints that are strict, and the API at /openapi.json."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from threading import RLock
from typing import Any, TypeVar

from apispec import BasePlugin
from flask import Flask
from flask_smorest import Api
from flask_smorest import Blueprint as SmorestBlueprint
from flask_smorest.spec import openapi_cli
from marshmallow import Schema
from werkzeug.exceptions import HTTPException

from dibs.state import state_of
from dibs.web.api.schemas import Problem, id_in_path
from dibs.web.api.strict import StrictParser
from dibs.web.http.auth import HOLD_TOKEN, login_optional, login_required, staff_required
from dibs.web.http.cookies import CSRF_HEADER
from dibs.web.http.headers import unsniffed
from dibs.web.http.problems import CONTENT_TYPE, HTTP_ERRORS, from_http
from dibs.web.http.route import SAFE, Route, route_of, says

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

        route = replace(route, is_api=True)

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


# --- the document --------------------------------------------------------------

PREFIX = "DIBS"
SETTINGS = {
    "API_TITLE": "dibs",
    "API_VERSION": "v1",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_JSON_PATH": "openapi.json",
}


class DibsApi(Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest's API, with our problem details where it has errors of its own.

    Its description is written when somebody first asks for it: that takes longer than all the
    rest of an app's start, and few of its processes are ever asked.

    A host may have one of its own, which takes the usual names: of the blueprint with the
    document, and of the settings in `app.config`, of which this one reads and writes none.

    Args:
        app: The app.
        url_prefix: What stands before the address of the document.
        finish: Says the rest, once all blueprints have been described.
        options: For apispec.
    """

    ERROR_SCHEMA = Problem
    DEFAULT_RESPONSE_CONTENT_TYPE = "application/json"

    def __init__(
        self, app: Flask, url_prefix: str, finish: Callable[[Any], None], **options: Any
    ) -> None:
        self._settings = {**SETTINGS, "OPENAPI_URL_PREFIX": url_prefix or "/"}
        self._finish = finish
        self._blueprints: list[tuple[str, Blueprint]] = []
        self._written: Any = None
        self._lock = RLock()  # who writes reads what is there so far
        # `flask openapi print` reads the one without a prefix: in the service's own app, this.
        prefix = PREFIX if state_of(app).names else ""
        super().__init__(app, spec_kwargs=options, config_prefix=prefix)

    @property
    def spec(self) -> Any:
        """The description."""
        with self._lock:
            if self._written is None:
                try:
                    self._write()
                except BaseException:
                    self._written = None  # half of it is none
                    raise
            return self._written

    @spec.setter
    def spec(self, spec: Any) -> None:
        self._written = spec

    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """See flask-smorest; the blueprint is described later."""
        name: str = options.get("name") or blueprint.name
        self._app.extensions["flask-smorest"]["blp_name_to_api"][name] = self
        self._app.register_blueprint(blueprint, **options)
        self._blueprints.append((name, blueprint))

    def _init_spec(self, **options: Any) -> None:
        self.config = self._settings
        self._options = options
        self._app.cli.add_command(openapi_cli)

    def _openapi_json(self) -> Any:
        """The document, unless the app has another one at the same address."""
        rules = list(self._app.url_map.iter_rules())
        own = f"{self._make_doc_blueprint_name()}.openapi_json"
        address = next(rule.rule for rule in rules if rule.endpoint == own)
        for rule in rules:
            if rule.rule == address and rule.endpoint not in (own, f"{own}_too"):
                return self._app.view_functions[rule.endpoint]()
        return super()._openapi_json()

    def _register_doc_blueprint(self) -> None:
        super()._register_doc_blueprint()
        if not state_of(self._app).names:  # an app that is all ours
            return
        at = f"{self._settings['OPENAPI_URL_PREFIX'].rstrip('/')}/dibs-openapi.json"
        view = super()._openapi_json
        self._app.add_url_rule(at, f"{self._make_doc_blueprint_name()}.openapi_json_too", view)

    def _write(self) -> None:
        super()._init_spec(**self._options)
        for name, blueprint in self._blueprints:
            blueprint.register_views_in_doc(
                self, self._app, self._written, name=name, parameters=None
            )
            self._written.tag({"name": name, "description": blueprint.description})
        self._finish(self._written)

    def _register_responses(self) -> None:
        usual = self.DEFAULT_RESPONSE_CONTENT_TYPE
        self.DEFAULT_RESPONSE_CONTENT_TYPE = CONTENT_TYPE
        super()._register_responses()
        self.DEFAULT_RESPONSE_CONTENT_TYPE = usual

    def _register_pagination_header(self) -> None:
        """Leave it out: pages are told by `next`."""

    def _register_error_handlers(self) -> None:
        """Leave them to `dibs.web.http.problems`."""


PROBLEM = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
FIELD = {"schema": TEXT}
DRAFT = "As in draft-ietf-httpapi-ratelimit-headers-11."
TOO_MANY = {
    "description": "Too many requests, or too many wrong passwords; see Retry-After.",
    "headers": {
        **RETRY_AFTER,
        **LANGUAGE,
        "RateLimit": {"description": f"What is left. {DRAFT}", **FIELD},
        "RateLimit-Policy": {"description": f"What is allowed. {DRAFT}", **FIELD},
    },
    "content": PROBLEM,
}
HOLD = sent("header", HOLD_TOKEN, "The token of a hold, instead of an access token.")


class OfRoutes(BasePlugin):
    """Adds to operations what their routes say, so that no view has to.

    To each that has limits the 429, and to each check of names what DIBS_CHECK has it ask for.

    Args:
        app: Whose routes are described.
        mode: DIBS_CHECK.
    """

    def __init__(self, app: Flask, mode: str) -> None:
        self._app, self._mode = app, mode

    def operation_helper(
        self,
        path: str | None = None,
        operations: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """See apispec."""
        del path
        route = route_of(self._app.view_functions[kwargs["rule"].endpoint])
        for method, operation in (operations or {}).items():
            if route is not None and route.limit is not None:
                operation.setdefault("responses", {})["429"] = TOO_MANY
            if route is not None and route.admits == "asker" and self._mode in ("token", "staff"):
                self._add_proof(method, operation)

    def _add_proof(self, method: str, operation: dict[str, Any]) -> None:
        # A proof of another kind takes the place of every scheme that has a name here.
        operation["security"] = [*([{}] if self._mode == "token" else []), *SCHEMES]
        for status, headers in ((401, CHALLENGE), (403, {})):
            operation["responses"][str(status)] = {
                "description": USUAL[status],
                "headers": {"Content-Language": FIELD, "Vary": FIELD, **headers},
                "content": PROBLEM,
            }
        parameters = operation.setdefault("parameters", [])
        if self._mode == "token":
            parameters.append(HOLD)
        if method != "get":
            parameters.append(CSRF)
