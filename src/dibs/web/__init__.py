"""The only place that knows HTTP."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any

from flask import Flask
from werkzeug.routing import BaseConverter

from dibs.names import NamePolicy
from dibs.state import CheckToken, Place, state_of
from dibs.web import component
from dibs.web.api import health, holds, names, registration, sessions, teams, users
from dibs.web.api.schemas import NAME_FORMAT, name_limits
from dibs.web.http import cookies
from dibs.web.http.auth import init_proofs
from dibs.web.http.blueprint import Blueprint
from dibs.web.http.current import init_tracing
from dibs.web.http.headers import init_cors
from dibs.web.http.hosting import stand_apart
from dibs.web.http.limits import init_limits
from dibs.web.http.openapi import DibsApi, Proofs, Refusals
from dibs.web.http.problems import register_error_handlers
from dibs.web.http.route import refuse_silent
from dibs.web.i18n import init_babel
from dibs.web.pages import register_pages
from dibs.wiring import Parts

BLUEPRINTS = (
    registration.blueprint,
    names.blueprint,
    holds.blueprint,
    sessions.blueprint,
    users.blueprint,
    teams.blueprint,
    health.blueprint,
)
# A blueprint's own name is for `url_for` in a host app; these are for readers.
TAGS = [{"name": one.title, "description": one.description} for one in BLUEPRINTS]

TOKEN = {"type": "http", "scheme": "bearer"}
COOKIE = {"type": "apiKey", "in": "cookie"}
# Those of cookies have a prefix with https: `__Host-` and `__Secure-`.
SECURITY = {
    "bearer": {**TOKEN, "bearerFormat": "JWT", "description": "An access token."},
    "refresh": {**TOKEN, "description": "A refresh token."},
    "cookie": {**COOKIE, "name": cookies.ACCESS},
    "refresh_cookie": {**COOKIE, "name": cookies.REFRESH},
}

__all__ = ["register_blueprints", "register_error_handlers"]


class AnyText(BaseConverter):
    """All that is left of an address, with slashes, also where they come first or doubled."""

    regex = "(?s:.+)"
    part_isolating = False


ALL = ("api", "pages", "front")


def register_blueprints(
    app: Flask,
    parts: Parts,
    *,
    url_prefix: str = "",
    mounted: Collection[str] = ("api",),
    check_token: CheckToken | None = None,
    checks: Mapping[str, Place] | None = None,
) -> None:
    """Mount the routes on an app, and let its views find the parts.

    Args:
        app: The app.
        parts: What its views work with.
        url_prefix: What stands before each address.
        mounted: `api`, or `component` for what a field needs that checks names; and with the
            API `pages`, and `front` for the first of them.
        check_token: Accepts proofs of the app's own where DIBS_CHECK is `token`.
        checks: Further addresses of the routes that check names, each with its namespace.

    Raises:
        ConfigError: A setting cannot be used.
        TypeError: A route does not say what it is.
    """
    hosts = set(app.view_functions)
    further = {f"{names.blueprint.name}-{i}": one for i, one in enumerate((checks or {}).items())}
    names.init_checks(
        app, parts, check_token, {name: place for name, (_, place) in further.items()}
    )
    _introduce(app, parts)
    password = parts.settings.password if "api" in mounted else None
    api = _api(app, parts, url_prefix, password=password)
    for blueprint in _blueprints(mounted, hashes=parts.settings.hashes):
        api.register_blueprint(blueprint, url_prefix=url_prefix)
    for name, (prefix, _) in further.items():
        api.register_blueprint(names.blueprint, name=name, url_prefix=prefix)
    if "pages" in mounted:
        register_pages(app, url_prefix=url_prefix, front="front" in mounted)
    app.register_blueprint(component.blueprint, url_prefix=url_prefix or None)
    refuse_silent({at: view for at, view in app.view_functions.items() if at not in hosts})
    stand_apart(app, app.view_functions.keys() - hosts)
    init_proofs(app, parts.settings.check)
    init_limits(app, parts)
    init_cors(app, parts.settings.cors_origins)
    parts.registry.reserve_routes(_first_parts(app))


def _blueprints(mounted: Collection[str], *, hashes: bool) -> Iterable[Blueprint]:
    """Those of the API, or the one that a field needs; without passwords there is no login."""
    if "api" not in mounted:
        return (names.blueprint,)
    return (sessions.entrance, *BLUEPRINTS) if hashes else BLUEPRINTS


def _introduce(app: Flask, parts: Parts) -> None:
    """Let the app's views find the parts, and be answered in the reader's language."""
    state = state_of(app)
    state.parts, state.cache = parts, parts.cache
    app.extensions["dibs.parts"] = parts  # docs/namespaces.md has told hosts to close them by this
    init_babel(app, default=parts.settings.locale)
    init_tracing(app)
    register_error_handlers(app)
    app.url_map.converters["dibs_any"] = AnyText


def _api(app: Flask, parts: Parts, url_prefix: str, *, password: str | None) -> DibsApi:
    finish = partial(_finish, policy=parts.parser.policy, password=password)
    plugins = [Refusals(app), Proofs(app, parts.settings.check)]
    return DibsApi(app, url_prefix, finish, tags=TAGS, extra_plugins=plugins)


def _finish(spec: Any, *, policy: NamePolicy, password: str | None) -> None:
    """What no blueprint says; DIBS_PASSWORD is None where there is none of the API's bodies."""
    _say_names(spec, policy)
    for name, scheme in SECURITY.items():
        spec.components.security_scheme(name, scheme)
    if password is not None:
        _say_password(spec, password)
        _say_one_change(spec, password)


def _say_names(spec: Any, policy: NamePolicy) -> None:
    """Names by the app's own policy."""
    for schema in spec.components.schemas.values():
        for field in schema.get("properties", {}).values():
            if field.get("format") == NAME_FORMAT:
                field |= name_limits(policy)


def _say_password(spec: Any, mode: str) -> None:
    """DIBS_PASSWORD, as the OpenAPI page has it: required, optional, or no such field."""
    body = spec.components.schemas["RegisterBody"]
    if mode == "required":
        body["required"] = ["username", "password"]
    if mode == "off":
        del body["properties"]["password"]


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


def _first_parts(app: Flask) -> set[str]:
    """What every address of the app begins with: `users` for /users/<id>."""
    return {rule.rule.strip("/").partition("/")[0] for rule in app.url_map.iter_rules()}
