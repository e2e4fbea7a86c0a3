"""The only place that knows HTTP."""

from __future__ import annotations

from flask import Flask
from flask_smorest import Api

from dibs.web import health, names, registration, users
from dibs.web.problems import CONTENT_TYPE, Problem, register_error_handlers
from dibs.web.words import init_babel
from dibs.wiring import Parts

BLUEPRINTS = (registration.blueprint, names.blueprint, users.blueprint, health.blueprint)

__all__ = ["register_blueprints", "register_error_handlers"]


class DibsApi(Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest's API, with our problem details where it has errors of its own."""

    ERROR_SCHEMA = Problem
    DEFAULT_RESPONSE_CONTENT_TYPE = "application/json"

    def _register_responses(self) -> None:
        usual = self.DEFAULT_RESPONSE_CONTENT_TYPE
        self.DEFAULT_RESPONSE_CONTENT_TYPE = CONTENT_TYPE
        super()._register_responses()
        self.DEFAULT_RESPONSE_CONTENT_TYPE = usual

    def _register_error_handlers(self) -> None:
        """Leave them to `dibs.web.problems`."""


def register_blueprints(app: Flask, parts: Parts, *, url_prefix: str = "") -> None:
    """Mount the routes on an app, and let its views find the parts."""
    app.extensions["dibs.parts"] = parts
    init_babel(app, default=parts.settings.locale)
    register_error_handlers(app)
    app.config.setdefault("API_TITLE", "dibs")
    app.config.setdefault("API_VERSION", "v1")
    app.config.setdefault("OPENAPI_VERSION", "3.1.0")
    app.config.setdefault("OPENAPI_URL_PREFIX", url_prefix or "/")
    app.config.setdefault("OPENAPI_JSON_PATH", "openapi.json")
    api = DibsApi(app)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint, url_prefix=url_prefix)
