"""`GET /usernames/<name>` and `POST /usernames/check`, as Flask has them; see `dibs.web.checks`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request

from dibs.errors import ConfigError, InvalidToken, Reason
from dibs.registry import Registry
from dibs.state import CheckToken, Place, state_of
from dibs.store import NameRow
from dibs.web import checks
from dibs.web.api.representations import moved_to, wants_suggestions
from dibs.web.checks import MAX_CHECKED, Question
from dibs.web.http.auth import current_user
from dibs.web.http.bodies import BodyInvalid, answered, broken, read_object
from dibs.web.http.current import apart, deadline, parts
from dibs.web.http.headers import unsniffed
from dibs.web.http.limits import count_more
from dibs.web.http.route import Route, says
from dibs.web.i18n import locale
from dibs.wiring import Parts

NO_NAMESPACE = "There is no such namespace. Leave %(field)s out or give one that exists."
MESSAGES = (NO_NAMESPACE,)

ROUTE = Route(admits="asker", limit="check", cors=True)
NAME = "dibs_names"
"""What the blueprint of these routes is called, with or without the rest of the API."""


@says(ROUTE)
def check(name: str) -> Response:
    """Say whether a name is available: advice, never a promise."""
    registry = registry_for(request.args.get("namespace"))
    asked = question(registry, suggests=wants_suggestions())
    return answered(*checks.check(name, asked, is_utf8=_was_utf8(name)))


@says(ROUTE)
def check_itself() -> Response:
    """Say whether the name `check` is available, like any other name."""
    return check("check")


@says(ROUTE)
def check_many() -> Response:
    """Say whether up to 100 names are available, in their order: advice, never a promise."""
    names, namespace = read(read_object(request))
    if "namespace" in request.args:  # it would be passed over, and it is the body that says it
        raise BodyInvalid([broken("namespace", "unknown")])
    asked = question(registry_for(namespace), suggests=wants_suggestions())
    count_more("check", len(names) - 1)
    return answered(*checks.check_many(names, asked))


def plain_blueprint(name: str) -> Blueprint:
    """These routes alone, without a page that describes them."""
    blueprint = Blueprint(name, __name__)
    blueprint.after_request(unsniffed)
    for rule, view, method in RULES:
        blueprint.add_url_rule(rule, view_func=view, methods=[method])
    return blueprint


RULES = (
    ("/usernames/<dibs_any:name>", check, "GET"),
    # A rule of its own: the address takes lists by POST, and the OpenAPI page has all its methods.
    ("/usernames/check", check_itself, "GET"),
    ("/usernames/check", check_many, "POST"),
)


def verdict(name: str, registry: Registry) -> dict[str, Any]:
    """What is to be said of a name to whoever sends this request."""
    return checks.verdict(name, question(registry, suggests=wants_suggestions()))


def question(registry: Registry, *, suggests: bool) -> Question:
    """Who asks about names of this registry, and how."""
    return Question(
        registry=registry,
        deadline=deadline(),
        locale=locale(),
        is_said=apart() is None and any(map(request.headers.get, ("Authorization", "Cookie"))),
        is_blind=parts().settings.check == "blind",
        suggests=suggests,
        is_readers=_is_readers,
        moved_to=moved_to,
    )


def _is_readers(row: NameRow) -> bool:
    """Whether this is a name of whoever asks, now or before; they may have it again."""
    try:
        reader = current_user()
    except InvalidToken:
        return False
    return reader is not None and row.is_of("user", reader.user_id)


def _was_utf8(name: str) -> bool:
    """Whether the name's bytes were UTF-8; the routing has replaced those that were not."""
    if "\ufffd" not in name or request.url_rule is None:
        return True
    # WSGI (PEP 3333) gives the bytes of the path as Latin-1.
    path = request.environ["PATH_INFO"].encode("latin-1", "replace")
    before = request.url_rule.rule.partition("<")[0]
    try:
        path[len(before.encode()) :].decode()
    except UnicodeDecodeError:
        return False
    return True


def read(body: dict[str, Any]) -> tuple[list[str], str | None]:
    """The names of a list, and their namespace if one is given.

    Raises:
        BodyInvalid: A field is missing, is none of these, or is not what it should be.
    """
    names, namespace = body.get("names"), body.get("namespace")
    wrong = dict.fromkeys(body.keys() - {"names", "namespace"}, "unknown")
    if "names" not in body:
        wrong["names"] = "required"
    elif (
        not isinstance(names, list)
        or not 1 <= len(names) <= MAX_CHECKED
        or not all(isinstance(one, str) for one in names)
    ):
        wrong["names"] = "not_names"
    if namespace is not None and not isinstance(namespace, str):
        wrong["namespace"] = "not_text"
    if wrong or names is None:
        raise BodyInvalid([broken(*item) for item in sorted(wrong.items())])
    return names, namespace


# --- DIBS_NAMESPACES and DIBS_CHECK ---------------------------------------------


def init_checks(
    app: Flask, parts: Parts, token: CheckToken | None, places: Mapping[str, Place]
) -> None:
    """Let views know what a host has said.

    Raises:
        ConfigError: A namespace is none of those that the settings have.
    """
    for place in places.values():
        if isinstance(place, str) and place not in parts.settings.all_namespaces:
            raise ConfigError(f"checks: {place!r} is no namespace of this app: see DIBS_NAMESPACES")
    state = state_of(app)
    state.check_token, state.places = token, places


def registry_for(given: str | None) -> Registry:
    """The names that a request is about.

    Args:
        given: The namespace that it says, if it says one.

    Raises:
        BodyInvalid: There is no such namespace here.
    """
    settings, place = parts().settings, state_of(current_app).places.get(request.blueprint or "")
    if place is None and given in (None, settings.namespace):
        return parts().registry  # nearly always
    own = settings.namespace if place is None else place if isinstance(place, str) else place()
    wanted = own if given is None else given
    # An address of one namespace is not a way to another.
    if (place is not None and wanted != own) or wanted not in settings.all_namespaces:
        reason = Reason("no_namespace", NO_NAMESPACE, {"field": "namespace"})
        raise BodyInvalid([("namespace", reason)])
    return parts().registry.within(wanted)
