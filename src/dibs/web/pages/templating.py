"""Templates of the service's own folder, which go before ours."""

from __future__ import annotations

from flask import Flask
from jinja2 import TemplateSyntaxError

from dibs.errors import ConfigError


def refuse_broken_templates(app: Flask) -> None:
    """See, before anybody opens a page, that the templates in the app's folder can be read.

    Raises:
        ConfigError: One cannot be; the message says which, and where.
    """
    loader = app.jinja_loader
    for name in loader.list_templates() if loader else ():
        if not name.startswith("dibs/") or not name.endswith(".html"):
            continue
        try:
            app.jinja_env.get_template(name)
        except TemplateSyntaxError as error:
            where = f"line {error.lineno} of the template {error.filename}"
            raise ConfigError(f"{where} cannot be used: {error.message}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the template {name} cannot be read: {error}") from error
