"""`<dibs-username>`: the field that any page can use, as one module of JavaScript."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import cast

from flask import Blueprint, Response, current_app, request

from dibs.state import state_of
from dibs.web.http import files as packed
from dibs.web.http.current import parts
from dibs.web.http.route import Route, says
from dibs.web.words import LOCALES
from dibs.web.words import said as say_in

FILE = "dibs-username.js"
SECONDS = 3600
PLACE = "const SAID = {}"
"""Where the words go."""

WORDS = {
    "checking": "Checking…",
    "free": "%(name)s is free.",
    "offline": "You are offline. The username will be checked as soon as you are back online.",
    "unknown": "The username cannot be checked right now. You can go on anyway.",
    "suggestions": "Try one of these:",
}
"""What the element says by itself, without an answer of the service or around it."""

MESSAGES = tuple(WORDS.values())

blueprint = Blueprint("dibs_component", __name__)


@blueprint.get(f"/{FILE}")
@says(Route(admits="anybody", limit="rest"))
def module() -> Response:
    """The module, which pages of every origin may load: it is the same for everybody."""
    state = state_of(current_app)
    if state.component is None:
        state.component = _with_words().encode()
    response = packed.answered(state.component, "text/javascript")
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.cache_control.public = True
    response.cache_control.max_age = SECONDS
    return cast(Response, response.make_conditional(request))


def _with_words() -> str:
    """The module with the words of every language in it, so that they are there offline too."""
    said: dict[str, dict[str, str]] = {}
    for locale in LOCALES:
        said[locale] = {name: say_in(locale, message) for name, message in WORDS.items()}
    words = json.dumps({"words": said, "locale": parts().settings.locale}, ensure_ascii=False)
    source = files(__name__).joinpath(FILE).read_text(encoding="utf-8")
    return source.replace(PLACE, f"const SAID = {words}", 1)
