"""The service as a WSGI app: `dibs.app:create_app()`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, redirect, url_for
from flask_swagger_ui import get_swaggerui_blueprint

from dibs.config import load
from dibs.config.environment import settings_from_environment as settings_from_environment
from dibs.state import CheckToken
from dibs.web import ALL, register_blueprints
from dibs.web.http.bodies import MAX_BODY
from dibs.web.http.headers import init_headers, unframed
from dibs.web.http.prefix import init_prefix
from dibs.web.http.problems import register_http_error_handlers
from dibs.web.http.request_log import init_request_log
from dibs.web.pages.errors import register_page_errors
from dibs.web.pages.templating import refuse_broken_templates
from dibs.wiring import build


def create_app(
    config: Mapping[str, Any] | None = None, *, check_token: CheckToken | None = None
) -> Flask:
    """The service.

    Args:
        config: DIBS_ keys; the environment's when absent.
        check_token: Says of a request whether it holds what a check of names, a hold or a
            registration costs where DIBS_CHECK is `token`, by True: a captcha that was solved.

    Raises:
        ConfigError: A setting cannot be used.
    """
    settings = settings_from_environment() if config is None else load(config)
    app = Flask("dibs", template_folder=Path(settings.home).absolute() / "templates")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # names are readable in answers
    init_request_log(app)
    with_pages = settings.pages == "on"
    mounted = ALL if with_pages else ("api",)
    register_blueprints(app, build(settings), mounted=mounted, check_token=check_token)
    register_http_error_handlers(app)
    init_headers(app)
    # Without the badge that a server of others would draw, and without a bar to load other files.
    quiet = {"validatorUrl": None, "layout": "BaseLayout"}
    if with_pages:
        register_page_errors(app)
        refuse_broken_templates(app)
    else:
        # Who opens it wants the API.
        app.add_url_rule("/", "home", lambda: redirect(url_for("swagger_ui.show")))
    # Addresses beside its own, wherever that is.
    docs = get_swaggerui_blueprint(".", "../openapi.json", config=quiet)
    docs.after_request(unframed)
    app.register_blueprint(docs, url_prefix="/docs")
    init_prefix(app, settings.url_prefix)
    return app
