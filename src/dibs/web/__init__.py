"""The only place that knows HTTP.

Routes are read where they are mounted: an app that has none answers errors all the same, and
the whole API takes an extra.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, request_started
from werkzeug.routing import BaseConverter

from dibs.config.extras import needs
from dibs.state import CheckToken, Place, state_of

if TYPE_CHECKING:
    from dibs.wiring import Parts


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
        app, parts: The app, and what its views work with.
        url_prefix: What stands before each address.
        mounted: `api`, or `component` for what a field needs that checks names; and with the
            API `pages`, and `front` for the first of them.
        check_token: Accepts proofs of the app's own where DIBS_CHECK is `token`.
        checks: Further addresses of the routes that check names, each with its namespace.

    Raises:
        ConfigError: A setting cannot be used, or an extra is missing.
        TypeError: A route does not say what it is.
    """
    from dibs.web import component
    from dibs.web.api import names
    from dibs.web.http.auth import init_proofs
    from dibs.web.http.headers import init_cors
    from dibs.web.http.limits import init_limits
    from dibs.web.http.route import refuse_silent

    hosts = set(app.view_functions)
    further = {f"{names.NAME}-{i}": one for i, one in enumerate((checks or {}).items())}
    names.init_checks(
        app, parts, check_token, {name: place for name, (_, place) in further.items()}
    )
    _introduce(app, parts)
    places = {name: prefix for name, (prefix, _) in further.items()}
    if "api" in mounted:
        with needs("service", "init_app(api=True)"):
            from dibs.web.api.routes import register_api

        register_api(app, parts, url_prefix, places)
    else:
        for name, prefix in {names.NAME: url_prefix, **places}.items():
            app.register_blueprint(names.plain_blueprint(name), url_prefix=prefix or None)
    if "pages" in mounted:
        from dibs.web.pages import register_pages

        register_pages(app, url_prefix=url_prefix, front="front" in mounted)
    app.register_blueprint(component.blueprint, url_prefix=url_prefix or None)
    refuse_silent({at: view for at, view in app.view_functions.items() if at not in hosts})
    stand_apart(app, app.view_functions.keys() - hosts)
    init_proofs(app, parts.settings.check)
    init_limits(app, parts)
    init_cors(app, parts.settings.cors_origins)
    # What every address of the app begins with: `users` for /users/<id>.
    firsts = {rule.rule.strip("/").partition("/")[0] for rule in app.url_map.iter_rules()}
    parts.registry.reserve_routes(firsts)


def stand_apart(app: Flask, endpoints: Collection[str]) -> None:
    """Have these routes of dibs be asked for no token of Flask-WTF's: they have their own.

    Its CSRFProtect may come to the app later than dibs does. That a request has started is told
    before all that a host has be asked first, in whatever order it was put there.
    """

    def exempt(*_: Any, **__: Any) -> None:
        request_started.disconnect(exempt, app)
        state_of(app).exempt = None
        if (protection := app.extensions.get("csrf")) is not None:
            for endpoint in endpoints:
                protection.exempt(app.view_functions[endpoint])

    state_of(app).exempt = exempt  # a signal keeps nobody alive
    request_started.connect(exempt, app)


def _introduce(app: Flask, parts: Parts) -> None:
    """Let the app's views find the parts, and be answered in the reader's language."""
    from dibs.web.http.current import init_tracing
    from dibs.web.http.problems import register_error_handlers
    from dibs.web.i18n import init_languages

    state = state_of(app)
    state.parts, state.cache = parts, parts.cache
    app.extensions["dibs.parts"] = parts  # docs/namespaces.md has told hosts to close them by this
    init_languages(app, default=parts.settings.locale)
    init_tracing(app)
    register_error_handlers(app)
    app.url_map.converters["dibs_any"] = AnyText
