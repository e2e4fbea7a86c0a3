"""`/@<name>`: the page that everybody sees of a user or a team."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from dibs.errors import DibsError, InvalidName, UserNotFound
from dibs.store.records import NameRow
from dibs.web.api.representations import may_see, moved_to, users_shown
from dibs.web.http.current import deadline, parts
from dibs.web.http.route import Route, says
from dibs.web.pages.base import blueprint, go_to, page
from dibs.web.pages.forms import Form
from dibs.web.pages.teams import team_page


class NobodyThere(DibsError):
    """Nobody has this name, or the reader may not see them."""

    code = "not_found"
    message = "Nobody has this name."


@blueprint.get("/@<dibs_any:name>")
@says(Route(admits="anybody", limit="rest"))
def profile(name: str) -> Response:
    """A user or a team, by any spelling of the name; a look-alike is somebody else."""
    try:
        row = parts().registry.row_of(name, deadline=deadline())
    except InvalidName as error:
        raise NobodyThere from error
    if row is None:
        raise NobodyThere
    if row.state != "owned":
        if (new := moved_to(row)) is not None:
            return _to(new, 308)
        raise NobodyThere
    if not may_see(row):
        raise NobodyThere
    if name != row.display:
        return _to(row.display, 302)
    if row.owner_kind == "team":
        return team_page(str(row.owner), Form())
    return page("profile.html", user=_user(row))


def _to(name: str, status: int) -> Response:
    """Where the name is spelt as its owner does; not for good, as a name may change hands."""
    response = go_to(url_for("dibs_pages.profile", name=name), status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _user(row: NameRow) -> dict[str, Any]:
    namespace = parts().settings.namespace
    found = parts().store.user(str(row.owner), namespace=namespace, deadline=deadline())
    shown = users_shown([found]) if found else []
    if not shown:
        raise UserNotFound
    return shown[0]
