"""The path below which the service is shown: DIBS_URL_PREFIX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask

from dibs.config.site import FORWARDED, PREFIX
from dibs.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def init_prefix(app: Flask, prefix: str) -> None:
    """Have an app that is all ours answer below this path, once it has all its routes.

    Raises:
        ConfigError: One of the routes begins like it.
    """
    firsts = {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()}
    if prefix and (first := prefix.split("/")[1:2]) and first[0] in firsts:
        raise ConfigError(
            f"DIBS_URL_PREFIX is {prefix}, and /{first[0]} is an address of dibs itself"
        )
    if prefix:
        app.wsgi_app = _below(app.wsgi_app, prefix)  # type: ignore[method-assign,assignment]


def _below(app: WSGIApplication, prefix: str) -> WSGIApplication:
    """Tell the app by SCRIPT_NAME where it is (PEP 3333), for the links that it makes.

    The path may come with the prefix, or without it from a proxy that has taken it away; an
    orchestrator asks `/healthz` as ever.
    """

    def below(environ: dict[str, Any], start_response: Any) -> Any:
        at, path = prefix, environ["PATH_INFO"]
        if prefix == FORWARDED:
            # The nearest proxy's word is the last. Not just any: `//host` would lead elsewhere.
            at = environ.get("HTTP_X_FORWARDED_PREFIX", "").rpartition(",")[2].strip().rstrip("/")
            at = at if PREFIX.fullmatch(at) else ""
        elif path == prefix or path.startswith(f"{prefix}/"):
            environ["PATH_INFO"] = path[len(prefix) :] or "/"
        environ["SCRIPT_NAME"] = at
        return app(environ, start_response)

    return below
