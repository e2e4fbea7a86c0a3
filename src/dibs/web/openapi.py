"""The API as OpenAPI has it, at /openapi.json."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any

from flask import Flask
from flask_smorest import Api
from flask_smorest.spec import openapi_cli

from dibs.web.base import Blueprint
from dibs.web.problems import CONTENT_TYPE
from dibs.web.schemas.problems import Problem


class DibsApi(Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest's API, with our problem details where it has errors of its own.

    Its description is written when somebody first asks for it: that takes longer than all the
    rest of an app's start, and few of its processes are ever asked.

    Args:
        app: The app.
        finish: What is still to be said once all blueprints have been described.
        options: For apispec.
    """

    ERROR_SCHEMA = Problem
    DEFAULT_RESPONSE_CONTENT_TYPE = "application/json"

    def __init__(self, app: Flask, finish: Callable[[Any], None], **options: Any) -> None:
        self._finish = finish
        self._blueprints: list[tuple[str, Blueprint]] = []
        self._written: Any = None
        self._lock = RLock()  # who writes reads what is there so far
        super().__init__(app, spec_kwargs=options)

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
        self._options = options
        self._app.cli.add_command(openapi_cli)

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
        """Leave them to `dibs.web.problems`."""
