"""What a route says of itself, where it stands: limit, password, origins, who may come in.

It knows no Flask, so that whatever else serves the same routes may read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

View = TypeVar("View", bound=Callable[..., Any])

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""

Admits = Literal["anybody", "reader", "asker", "user", "staff"]
Limit = Literal["register", "login", "refresh", "check", "rest"]
Credential = Literal["chosen", "named", "own"]

NOTE = "dibs_route"
"""The attribute of a view; `functools.wraps` hands it on to what is put around the view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a route says of itself.

    Attributes:
        admits: Who may come in: `anybody`; `reader`, which is anybody too, but a token that is
            sent must be valid; `asker`, whoever DIBS_CHECK lets ask about names; `user`, who is
            logged in; `staff`.
        limit: The group of DIBS_RATE_LIMITS in which its requests count. None for what an
            orchestrator asks: a limit would have it restart what is healthy.
        credential: What becomes of a password that is sent: `chosen` is a new one, which nothing
            is compared with; `named` is tried as that of the user whom the request names, `own`
            as that of who is logged in. Wrong ones count by account. None where none is sent.
        sent: How the request's fields come.
        cors: Whether pages of any origin that DIBS_CORS_ORIGINS lets in may ask it, also of `*`.
        is_api: Whether it answers JSON: then pages of origins that are listed there may ask it.
    """

    admits: Admits
    limit: Limit | None
    credential: Credential | None = None
    sent: Literal["json", "form"] = "json"
    cors: bool = False
    is_api: bool = False

    @property
    def tries_password(self) -> bool:
        """Whether an answer says that a password is right."""
        return self.credential in ("named", "own")


def says(route: Route) -> Callable[[View], View]:
    """Have a view say this of its route."""

    def decorate(view: View) -> View:
        setattr(view, NOTE, route)
        return view

    return decorate


def route_of(view: object) -> Route | None:
    """What a view says of its route; None for one that is not ours."""
    found: Route | None = getattr(view, NOTE, None)
    return found


def refuse_silent(views: dict[str, Callable[..., Any]]) -> None:
    """See that every route of dibs says what it is: one that is forgotten would have no limits.

    Args:
        views: Those that dibs has put on an app, by endpoint; of Flask-Smorest's own, which are
            among them, nothing is asked.

    Raises:
        TypeError: One says nothing.
    """
    for endpoint, view in views.items():
        if endpoint.startswith("dibs_") and route_of(view) is None:
            raise TypeError(f"The route {endpoint} does not say what it is: give it a Route")
