"""Names that are kept back: reserved by staff, or held for a sign-up."""

from __future__ import annotations

from typing import Any

from dibs.store import NameRow
from dibs.web.api import schemas
from dibs.web.http.current import deadline, parts
from dibs.web.http.openapi import Blueprint
from dibs.web.http.route import Route

blueprint = Blueprint(
    "dibs_kept",
    __name__,
    title="Names kept back",
    description="Names that are reserved or held, for staff.",
)


@blueprint.route("/kept-names", Route(admits="staff", limit="rest"))
@blueprint.arguments(schemas.KeptQuery(), location="query")
@blueprint.response(200, schemas.KeptPage)
@blueprint.refuses(403, 422, 503)
def kept(page: dict[str, Any]) -> dict[str, Any]:
    """List reserved names, in the order of their keys, page by page; or the newest holds."""
    limit = page["limit"]
    if page["state"] == "held":
        found, following = parts().holds.going_on(limit=limit, deadline=deadline()), None
    else:
        found, following = reserved(page["after"], limit)
    return {"items": [_shown(row) for row in found], "next": following}


def reserved(after: str, limit: int) -> tuple[list[NameRow], str | None]:
    """So many reserved names past this one, and the last of them if there are more."""
    registry = parts().registry
    found = registry.reserved(after=after, limit=limit + 1, deadline=deadline())
    return found[:limit], found[limit - 1].display if len(found) > limit else None


def _shown(row: NameRow) -> dict[str, Any]:
    is_held = row.state == "held"
    return {
        "name": row.display,
        "state": row.state,
        "reason": None if is_held else row.owner,
        "expires_in": max(0, -(-(row.expires_in or 0) // 1000)) if is_held else None,
    }
