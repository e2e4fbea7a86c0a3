"""Refusals that leave a view: nothing of the request is stored, and they are answered as such.

A view that lets a refusal escape has not done what was asked. Whatever commits after it (a
teardown, a library's `after_this_request`) must not store half of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from flask import Flask, Response, g, has_app_context
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.orm import Session

from dibs.errors import DibsError
from dibs.state import state_of
from dibs.store.host.refused import REFUSED

NOTED = "_dibs_sessions"


def note_session(session: Session) -> None:
    """Remember a session that dibs has been in, for when a refusal leaves the view."""
    if has_app_context():
        g.setdefault(NOTED, WeakSet()).add(session)


def _last_refusal() -> DibsError | None:
    """What the last flush of a session was refused for, if it was; told once."""
    told = [session.info.pop(REFUSED, None) for session in g.get(NOTED, ())]
    return next(filter(None, told), None)


def answer_escaped(app: Flask) -> None:
    """Answer what dibs raises in a view before anybody else does.

    Frameworks put themselves before Flask's error handlers, and answer 500 for an exception that
    they do not know. So it is caught where the view was called, and around what runs after it: a
    library may have its commit wait until the answer is made. Some even answer inside the view:
    a 500 whose last flush was refused is that refusal; so is a session that was used after it,
    without a rollback. Which handler answers is still Flask's choice: an app may have one of its
    own for errors of dibs.
    """
    state = state_of(app)
    if state.answers_escaped:
        return
    state.answers_escaped = True
    dispatch: Callable[[], Any] = app.dispatch_request
    dispatch_all: Callable[[], Response] = app.full_dispatch_request

    def answer(error: DibsError) -> Any:
        for session in g.pop(NOTED, ()):
            session.rollback()
        return type(app).handle_user_exception(app, error)

    def dispatch_request() -> Any:
        try:
            answered = dispatch()
        except DibsError as error:
            return answer(error)
        except PendingRollbackError:
            if refused := _last_refusal():
                return answer(refused)
            raise
        refused = _last_refusal()
        if refused and (answered := app.make_response(answered)).status_code == 500:
            return answer(refused)
        return answered

    def full_dispatch_request() -> Response:
        try:
            return dispatch_all()
        except DibsError as error:
            # As Flask answers what fails here: `after_request` is called again.
            return app.finalize_request(answer(error), from_error_handler=True)

    app.dispatch_request = dispatch_request  # type: ignore[method-assign]
    app.full_dispatch_request = full_dispatch_request  # type: ignore[method-assign]
