"""The API as OpenAPI has it, at /openapi.json."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any

from apispec import BasePlugin
from flask import Flask
from flask_smorest import Api
from flask_smorest.spec import openapi_cli

from dibs.state import state_of
from dibs.web.api.schemas import Problem
from dibs.web.http.auth import HOLD_TOKEN
from dibs.web.http.blueprint import CHALLENGE, CSRF, SCHEMES, USUAL, Blueprint, sent
from dibs.web.http.problems import CONTENT_TYPE
from dibs.web.http.route import route_of

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
        finish: What is still to be said once all blueprints have been described.
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
WHOLE = {"schema": {"type": "integer"}}
FIELD = {"schema": {"type": "string"}}
DRAFT = "As in draft-ietf-httpapi-ratelimit-headers-11."
TOO_MANY = {
    "description": "Too many requests, or too many wrong passwords; see Retry-After.",
    "headers": {
        "Retry-After": {"description": "Seconds after which another try makes sense.", **WHOLE},
        "RateLimit": {"description": f"What is left. {DRAFT}", **FIELD},
        "RateLimit-Policy": {"description": f"What is allowed. {DRAFT}", **FIELD},
        "Content-Language": {"description": "The language of the answer.", **FIELD},
        "Vary": FIELD,
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
