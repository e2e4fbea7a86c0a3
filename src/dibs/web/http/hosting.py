"""What a host app puts before every view, and what of it is not for the routes of dibs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flask import Flask, request_started

from dibs.state import state_of


def stand_apart(app: Flask, endpoints: Collection[str]) -> None:
    """Have these routes be asked for no token of Flask-WTF's: they have their own, or need none.

    Its CSRFProtect may come to the app later than dibs does. That a request has started is told
    before all that a host has be asked first, in whatever order it was put there.

    Args:
        app: The app.
        endpoints: Of the routes of dibs.
    """

    def exempt(*_: Any, **__: Any) -> None:
        request_started.disconnect(exempt, app)
        state_of(app).exempt = None
        if (protection := app.extensions.get("csrf")) is not None:
            for endpoint in endpoints:
                protection.exempt(app.view_functions[endpoint])

    state_of(app).exempt = exempt  # a signal keeps nobody alive
    request_started.connect(exempt, app)
