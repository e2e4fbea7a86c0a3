"""What every blueprint shares."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar, cast

from flask import current_app
from flask_smorest import Blueprint as SmorestBlueprint

from dibs.web.bodies import StrictParser
from dibs.web.problems import CONTENT_TYPE, Problem
from dibs.wiring import Parts

View = TypeVar("View", bound=Callable[..., Any])

TEXT = {"type": "string"}
RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which another try makes sense.",
        "schema": {"type": "integer"},
    }
}
LANGUAGE = {
    "Content-Language": {"description": "The language of the answer.", "schema": TEXT},
    "Vary": {"schema": TEXT},
}
ACCEPT_LANGUAGE = {
    "in": "header",
    "name": "Accept-Language",
    "description": "The language of the answer: en, zh or ja.",
    "schema": {**TEXT, "examples": ["zh-CN, en;q=0.5"]},
}
SUGGESTIONS = {
    "in": "query",
    "name": "suggestions",
    "description": "0 for an answer without other names.",
    "schema": {**TEXT, "enum": ["0", "1"], "default": "1"},
}


class Blueprint(SmorestBlueprint):  # type: ignore[misc]  # flask-smorest has no types
    """A blueprint that reads bodies strictly."""

    ARGUMENTS_PARSER = StrictParser()

    def refuses(self, status: int, description: str) -> Callable[[View], View]:
        """Document an error that a view may answer with."""
        return self.alt_response(  # type: ignore[no-any-return]
            status,
            schema=Problem,
            content_type=CONTENT_TYPE,
            description=description,
            headers=LANGUAGE | (RETRY_AFTER if status == HTTPStatus.SERVICE_UNAVAILABLE else {}),
        )


def parts() -> Parts:
    """The parts of the app that serves this request."""
    return cast(Parts, current_app.extensions["dibs.parts"])
