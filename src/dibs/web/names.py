"""`GET /usernames/<name>`: is it free?"""

from __future__ import annotations

from typing import Any

from dibs.errors import DibsError, InvalidName, NameReserved
from dibs.names import parse
from dibs.web.base import Blueprint, parts
from dibs.web.problems import is_reserved, reason_items
from dibs.web.schemas import Verdict
from dibs.web.words import localised, say, together

blueprint = Blueprint("dibs_names", __name__, description="Ask about a name.")


@blueprint.route("/usernames/<path:name>")
@blueprint.response(200, Verdict)
def check(name: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Say whether a name can be had: advice, never a promise."""
    return verdict(name), 200, {"Cache-Control": "no-store", **localised()}


def verdict(name: str) -> dict[str, Any]:
    """What is to be said of a name.

    Raises:
        StoreUnavailable: The database cannot answer.
    """
    try:
        username = parse(name)
    except InvalidName as error:
        shown: DibsError = NameReserved() if is_reserved(error) else error
        reasons = reason_items([("username", reason) for reason in error.reasons])
        detail = together(item["detail"] for item in reasons)
        return _verdict(name, None, reason=shown.code, message=detail, reasons=reasons)
    taken = parts().registry.check(username, deadline=parts().budget.start())
    if taken is None:
        return _verdict(name, username.canonical)
    return _verdict(name, username.canonical, reason=taken.code, message=say(taken.message))


def _verdict(
    name: str,
    canonical: str | None,
    *,
    reason: str | None = None,
    message: str | None = None,
    reasons: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "canonical": canonical,
        "available": reason is None,
        "reason": reason,
        "message": message,
        "reasons": reasons or [],
        "renamed_to": None,
        "suggestions": [],
    }
