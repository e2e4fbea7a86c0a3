"""What every blueprint shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import current_app
from flask_smorest import Blueprint as SmorestBlueprint

from dibs.web.bodies import StrictParser
from dibs.web.problems import CONTENT_TYPE, Problem
from dibs.wiring import Parts

View = TypeVar("View", bound=Callable[..., Any])


class Blueprint(SmorestBlueprint):  # type: ignore[misc]  # flask-smorest has no types
    """A blueprint that reads bodies strictly."""

    ARGUMENTS_PARSER = StrictParser()

    def refuses(self, status: int, description: str) -> Callable[[View], View]:
        """Document an error that a view may answer with."""
        return self.alt_response(  # type: ignore[no-any-return]
            status, schema=Problem, content_type=CONTENT_TYPE, description=description
        )


def parts() -> Parts:
    """The parts of the app that serves this request."""
    return cast(Parts, current_app.extensions["dibs.parts"])
