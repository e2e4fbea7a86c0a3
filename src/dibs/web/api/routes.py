"""The routes of the API, with the page that describes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Flask

from dibs.config import site
from dibs.names import NamePolicy
from dibs.registry.restores import SENTENCE
from dibs.web.api import (
    invitations,
    kept,
    names,
    recovery,
    registration,
    schemas,
    sessions,
    teams,
    users,
)
from dibs.web.http import cookies
from dibs.web.http.current import deadline, parts
from dibs.web.http.openapi import (
    ACCEPT_LANGUAGE,
    LANGUAGE,
    SUGGESTIONS,
    Blueprint,
    DibsApi,
    OfRoutes,
    described,
)
from dibs.web.http.route import Route
from dibs.wiring import Parts

NAMESPACE_ASKED = {
    "in": "query",
    "name": "namespace",
    "schema": {"type": "string", **schemas.NAMESPACE},
}
checks = Blueprint(names.NAME, __name__, title="Names", description="Check names.")
"""The routes that check names, which also stand alone: see `dibs.web.api.names`."""

for rule, view in (
    ("/usernames/<dibs_any:name>", names.check),
    ("/usernames/check", names.check_itself),
):
    checks.route(rule, names.ROUTE)(
        described(
            view,
            checks.refuses(422, "There is no such namespace.", 503),
            checks.response(200, schemas.Verdict, headers=LANGUAGE),
            checks.doc(parameters=[ACCEPT_LANGUAGE, SUGGESTIONS, NAMESPACE_ASKED]),
        )
    )

checks.route("/usernames/check", names.ROUTE, methods=["POST"])(
    described(
        names.check_many,
        checks.refuses(422, "There is no such namespace, or no list of names.", 503),
        checks.response(200, schemas.Verdicts, headers=LANGUAGE),
        checks.reads(schemas.CheckBody),
        checks.doc(parameters=[ACCEPT_LANGUAGE]),
    )
)

health = Blueprint(
    "dibs_health", __name__, title="Health", description="For operators of the service."
)


HEALTH_ROUTE = Route(admits="anybody", limit=None, is_api=True)
ALIVE = {"status": "ok"}


@health.route("/healthz", HEALTH_ROUTE)
@health.response(200, schemas.Health)
def healthy() -> dict[str, str]:
    """The process is alive. The database is not checked: a restart would not mend it."""
    return ALIVE


@health.route("/readyz", HEALTH_ROUTE)
@health.response(200, schemas.Readiness)
@health.refuses(503, "The database does not answer, takes no writes, or is not set up.")
def ready() -> dict[str, str]:
    """The database is in order and can be written to; otherwise a 503.

    A database that went back in time has the status `restored` until that is accepted: it is
    for people to judge, and no server of them all would do better.
    """
    parts().store.verify(deadline=deadline())
    parts().store.verify_writable(deadline=deadline())
    if parts().restores.went_back(deadline=deadline()):
        return {"status": "restored", "detail": SENTENCE}
    return {"status": "ready"}


BLUEPRINTS = (
    registration.blueprint,
    checks,
    registration.holds,
    sessions.blueprint,
    users.blueprint,
    teams.blueprint,
    invitations.blueprint,
    kept.blueprint,
    health,
)
# A blueprint's own name is for `url_for` in a host app; these are for readers.
TAGS = [
    {"name": one.title, "description": one.description}
    for one in (*BLUEPRINTS[:4], recovery.blueprint, *BLUEPRINTS[4:])
]

TOKEN = {"type": "http", "scheme": "bearer"}
COOKIE = {"type": "apiKey", "in": "cookie"}
# Those of cookies have a prefix with https: `__Host-` and `__Secure-`.
SECURITY = {
    "bearer": {**TOKEN, "bearerFormat": "JWT", "description": "An access token."},
    "refresh": {**TOKEN, "description": "A refresh token."},
    "cookie": {**COOKIE, "name": cookies.ACCESS},
    "refresh_cookie": {**COOKIE, "name": cookies.REFRESH},
}


def register_api(app: Flask, parts: Parts, url_prefix: str, places: Mapping[str, str]) -> None:
    """Mount the whole API, and the page that describes it.

    Args:
        app: The app.
        parts: What its views work with.
        url_prefix: What stands before each address.
        places: Further prefixes of the routes that check names, by what each is called.
    """
    settings = parts.settings
    parts.accounts  # noqa: B018  # says now, and not to a user, what is wrong with a setting
    plugins = [OfRoutes(app, settings.check)]
    finish = partial(_finish, parts=parts)
    api = DibsApi(
        app, url_prefix, finish, tags=TAGS, info={"description": INTRO}, extra_plugins=plugins
    )
    # Without passwords there is no login, and none is lost.
    entrances = (sessions.entrance, recovery.blueprint) if settings.hashes else ()
    for blueprint in (*entrances, *BLUEPRINTS):
        api.register_blueprint(blueprint, url_prefix=url_prefix)
    for name, prefix in places.items():
        api.register_blueprint(checks, name=name, url_prefix=prefix)


# What Swagger UI would send unchanged: fields that go together, and nothing that does harm.
EXAMPLES: dict[str, dict[str, object]] = {
    "RegisterBody": {"username": "ada"},
    "ChangeBody": {"username": "ada"},
    "StaffChangeBody": {"disabled": False},
}
INTRO = (
    "Usernames that belong to one person. `POST /register` makes a user; `POST /login` answers"
    " with an `access_token`: press Authorize and enter it under `bearer`. A page in a browser can"
    ' have cookies instead, by `POST /login` with `"cookies": true`.'
)


def _finish(spec: Any, *, parts: Parts) -> None:
    """What no blueprint says."""
    settings, password = parts.settings, parts.settings.password
    spec.title = site.parse(settings.site).name
    if settings.url_prefix:
        # A relative one is beside the document itself.
        spec.options["servers"] = [{"url": settings.path or "."}]
    _say_names(spec, parts.parser.policy)
    for name, scheme in SECURITY.items():
        spec.components.security_scheme(name, scheme)
    for name, example in EXAMPLES.items():
        spec.components.schemas[name]["examples"] = [{**example}]
    _say_password(spec, password)
    spec.components.schemas["StaffChangeBody"]["minProperties"] = 1
    _say_one_change(spec, password)


def _say_names(spec: Any, policy: NamePolicy) -> None:
    """Names by the app's own policy."""
    for schema in spec.components.schemas.values():
        for field in schema.get("properties", {}).values():
            if field.get("format") == schemas.NAME_FORMAT:
                field |= schemas.name_limits(policy)


def _say_password(spec: Any, mode: str) -> None:
    """DIBS_PASSWORD, as the OpenAPI page has it: required, optional, or no such field."""
    body = spec.components.schemas["RegisterBody"]
    if mode == "required":
        body["required"] = ["username", "password"]
    if mode == "off":
        del body["properties"]["password"]
    else:
        body["examples"][0] |= schemas.EXAMPLE_PASSWORD


def _say_one_change(spec: Any, mode: str) -> None:
    """Of a name and a password a request changes one: no schema of marshmallow's can say so."""
    body = spec.components.schemas["ChangeBody"]
    if mode == "off":
        del body["properties"]["password"], body["properties"]["current_password"]
        body["required"] = ["username"]
        return
    body["oneOf"] = [
        {"required": ["username"]},
        {"required": ["password"], "properties": {"hold_token": False}},
    ]
