"""Who may ask about names, and about whose: DIBS_CHECK and DIBS_NAMESPACES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Flask, Request, current_app, request

from dibs.accounts.policy import STAFF
from dibs.errors import ConfigError, HoldNotFound, NotAllowed, Reason, Unauthenticated
from dibs.registry import Registry
from dibs.registry.holds import HoldToken
from dibs.web.http.auth import current_user, signed_in
from dibs.web.http.bodies import BodyInvalid
from dibs.web.http.current import deadline, parts
from dibs.wiring import Parts

View = TypeVar("View", bound=Callable[..., Any])
CheckToken = Callable[[Request], bool]
"""Says of a request whether it holds what a check costs: a solved captcha."""

Place = str | Callable[[], str]
"""A namespace, or what says which one the current request is about."""

KEY = "dibs.checks"
HOLD_TOKEN = "Dibs-Hold-Token"  # noqa: S105  # the name of a header
NO_NAMESPACE = "There is no such namespace. Leave %(field)s out or give one that exists."
MESSAGES = (NO_NAMESPACE,)


class ProofNeeded(Unauthenticated):
    """Asking about names costs something here, and the request holds nothing of it."""

    message = (
        "To check usernames you need an access token, sent as a Bearer token, or the token of a "
        "hold, in the header Dibs-Hold-Token, or a solved captcha where there is one."
    )


@dataclass(frozen=True, slots=True)
class Checks:
    """What a host has said about checks.

    Attributes:
        token: What else than a token of dibs is accepted as proof.
        places: By the blueprint of each further address, the namespace that it is for.
    """

    token: CheckToken | None
    places: Mapping[str, Place]


def init_checks(
    app: Flask, parts: Parts, token: CheckToken | None, places: Mapping[str, Place]
) -> None:
    """Let views know what a host has said.

    Raises:
        ConfigError: A namespace is none of those that the settings have.
    """
    for place in places.values():
        if isinstance(place, str) and place not in parts.settings.all_namespaces:
            raise ConfigError(f"checks: {place!r} is no namespace of this app: see DIBS_NAMESPACES")
    app.extensions[KEY] = Checks(token, places)


def is_blind() -> bool:
    """Whether nobody is told who has a name."""
    return parts().settings.check == "blind"


def proof_required(view: View) -> View:
    """Let a view be used by those whom DIBS_CHECK lets ask, before a body is read."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        _refuse_strangers()
        return current_app.ensure_sync(view)(*args, **kwargs)

    return cast(View, wrapper)


def _refuse_strangers() -> None:
    """See that who asks may.

    Raises:
        Unauthenticated: Nobody may who does not say who asks, or proves nothing.
        NotAllowed: Only staff may.
        StoreUnavailable: Who asks cannot be told.
    """
    mode = parts().settings.check
    if mode == "staff" and signed_in().role != STAFF:
        raise NotAllowed
    if mode == "token" and current_user() is None and not _has_proof():
        raise ProofNeeded


def _has_proof() -> bool:
    if (sent := request.headers.get(HOLD_TOKEN)) and is_hold_token(sent):
        return True
    accepts = _checks().token
    # `is True`: what a hook forgets to await is true as well.
    return accepts is not None and current_app.ensure_sync(accepts)(request) is True


def is_hold_token(token: str) -> bool:
    """Whether this is the token of a hold that has not expired.

    Raises:
        StoreUnavailable: The database cannot answer.
    """
    try:
        hold = HoldToken.read(token)
    except HoldNotFound:
        return False
    return parts().holds.find(hold, deadline=deadline()) is not None


def registry_for(given: str | None) -> Registry:
    """The names that a request is about.

    Args:
        given: The namespace that it says, if it says one.

    Raises:
        BodyInvalid: There is no such namespace here.
    """
    settings, place = parts().settings, _checks().places.get(request.blueprint or "")
    own = settings.namespace if place is None else place if isinstance(place, str) else place()
    wanted = own if given is None else given
    # An address of one namespace is not a way to another.
    if (place is not None and wanted != own) or wanted not in settings.all_namespaces:
        reason = Reason("no_namespace", NO_NAMESPACE, {"field": "namespace"})
        raise BodyInvalid([("namespace", reason)])
    return parts().registry.within(wanted)


def _checks() -> Checks:
    return cast(Checks, current_app.extensions[KEY])
