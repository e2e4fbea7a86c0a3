"""The first page."""

from __future__ import annotations

from flask import Response, url_for
from werkzeug.routing import BuildError

from dibs.web.here import parts
from dibs.web.pages.base import page

FRONT = "dibs_pages.home"


def home() -> Response:
    """What this is, and where to begin."""
    return page("home.html", docs=_docs(), asks=parts().settings.check == "open")


def _docs() -> str | None:
    """Where the API is described, in an app that says so."""
    try:
        return url_for("swagger_ui.show")
    except BuildError:
        return None
