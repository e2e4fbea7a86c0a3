"""Refusals that leave a view: nothing of the request is stored, and they are answered as such.

A view that lets a refusal escape has not done what was asked. Whatever commits after it (a
teardown, a library's `after_this_request`) must not store half of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from flask import Flask, g, has_app_context
from sqlalchemy.orm import Session

from dibs.errors import DibsError
from dibs.state import state_of

NOTED = "_dibs_sessions"


def note_session(session: Session) -> None:
    """Remember a session that dibs has been in, for when a refusal leaves the view."""
    if has_app_context():
        g.setdefault(NOTED, WeakSet()).add(session)


def answer_escaped(app: Flask) -> None:
    """Answer what dibs raises in a view before anybody else does.

    Frameworks put themselves before Flask's error handlers, and answer 500 for an exception that
    they do not know. So it is caught where the view was called. Which handler answers is still
    Flask's choice: an app may have one of its own for errors of dibs.
    """
    state = state_of(app)
    if state.answers_escaped:
        return
    state.answers_escaped = True
    dispatch: Callable[[], Any] = app.dispatch_request

    def dispatch_request() -> Any:
        try:
            return dispatch()
        except DibsError as error:
            for session in g.pop(NOTED, ()):
                session.rollback()
            return type(app).handle_user_exception(app, error)

    app.dispatch_request = dispatch_request  # type: ignore[method-assign]
