"""What a Flask app keeps of dibs, in one place: `app.extensions["dibs"]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakSet

from flask import Flask, Request, current_app, has_app_context

from dibs.config.namespaces import NONE, Namespaces

if TYPE_CHECKING:
    from dibs.cache import TakenNames
    from dibs.extension import Dibs
    from dibs.web.http.limits import Limits
    from dibs.wiring import Parts

CheckToken = Callable[[Request], bool]
"""Says of a request whether it holds what a check costs: a solved captcha."""

Place = str | Callable[[], str]
"""A namespace, or what says which one the current request is about."""


@dataclass(slots=True)
class AppState:
    """What one app keeps; each is there from the moment that its part is put on the app.

    Attributes:
        names: By namespace, the `Dibs` by which the app's own views use its names.
        namespaces: Those whose names are freed with their owners.
        quarantine: Milliseconds for which nobody else can have what owners give up; None for ever.
        adopt: What guards do: nothing, record names and refuse nobody, or refuse too.
        cache: Is told of names that the app's own transactions free.
        parts: What the routes work with; None in an app without them.
        check_token: What else than a token of dibs is accepted where DIBS_CHECK is `token`.
        places: By the blueprint of each further address for checks, the namespace it is for.
        limits: Of the routes; None where there are none.
        has_pages: Whether it has pages of ours, which go on without a script.
        locale: The language of answers to clients that ask for none of ours.
        offers_languages: Whether a reader's own choice of language counts in pages.
        answers_escaped: Whether what views raise of dibs is answered before others see it.
        exempt: Keeps the app's own tokens of forms off the routes, from the first request on.
        component: The module of `<dibs-username>`, once somebody has asked for it.
    """

    names: dict[str, Dibs] = field(default_factory=dict)
    namespaces: Namespaces = NONE
    quarantine: int | None = None
    adopt: str = "on"
    cache: TakenNames | None = None
    parts: Parts | None = None
    check_token: CheckToken | None = None
    places: Mapping[str, Place] = field(default_factory=dict)
    limits: Limits | None = None
    has_pages: bool = False
    locale: str = "en"
    offers_languages: bool = False
    answers_escaped: bool = False
    exempt: Callable[..., None] | None = None
    component: bytes | None = None


def state_of(app: Flask) -> AppState:
    """What an app keeps of dibs: nothing yet, perhaps."""
    found: AppState | None = app.extensions.get("dibs")
    if found is None:
        found = app.extensions["dibs"] = AppState()
    return found


APPS: WeakSet[Flask] = WeakSet()
"""Those of this process that have dibs."""


def current_state() -> AppState:
    """That of the current app; outside of every app that of the only one, or an empty one."""
    if has_app_context():
        return state_of(current_app)
    return state_of(next(iter(APPS))) if len(APPS) == 1 else AppState()


def parts_of(app: Flask) -> Parts:
    """What the routes of this app work with.

    Raises:
        RuntimeError: It has none: dibs is used without its routes.
    """
    parts = state_of(app).parts
    if parts is None:
        raise RuntimeError("Logins need the service's routes: init_app(app, api=True)")
    return parts
