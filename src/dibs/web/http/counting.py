"""How often names were refused, and why: counted for staff to look at."""

from __future__ import annotations

from flask import Response, current_app, request

from dibs.cache import TakenNames
from dibs.errors import InvalidName, InvalidNameAndPassword, NameTaken
from dibs.web.http.auth import SAFE
from dibs.web.http.current import deadline, parts

REFUSED = "refused_"
"""What the names of these counts begin with; the error's code follows."""


def refused(error: InvalidName | NameTaken) -> None:
    """Count why somebody could not have a name, once a reason; mere questions do not count."""
    layers: TakenNames | None = current_app.extensions.get("dibs.cache")
    if layers is None or request.method in SAFE:
        return
    for code in _codes(error):
        layers.counters.add(f"{REFUSED}{code}")


def share(response: Response) -> Response:
    """Let the other workers know, now and then."""
    redis = parts().redis
    if redis is not None and (request.blueprint or "").startswith("dibs_"):
        redis.totals.share(deadline())
    return response


def _codes(error: InvalidName | NameTaken) -> set[str]:
    if isinstance(error, NameTaken):
        return {error.code}
    if isinstance(error, InvalidNameAndPassword):
        return {reason.code for field, reason in error.by_field if field == "username"}
    # A name that is only kept back is answered, and counted, as one that is taken: see `problems`.
    return set() if error.only_reserved else {reason.code for reason in error.reasons}
