"""`GET /users` and `GET /users/<id>`."""

from __future__ import annotations

import re
from typing import Any

from dibs.store import UserRow
from dibs.web.base import Blueprint, parts
from dibs.web.problems import UserNotFound
from dibs.web.schemas import ID, PageQuery, UserPage, UserSchema

blueprint = Blueprint("dibs_users", __name__, description="Read users.")


@blueprint.route("/users", tags=["Users"])
@blueprint.arguments(PageQuery(), location="query")
@blueprint.response(200, UserPage)
def users(page: dict[str, Any]) -> dict[str, Any]:
    """List users, page by page."""
    limit = page["limit"]
    # One more than is shown tells whether there is a next page.
    found = parts().store.users(
        limit=limit + 1,
        after=page["after"],
        namespace=parts().settings.namespace,
        deadline=parts().budget.start(),
    )
    shown = found[:limit]
    return {
        "items": [public(user) for user in shown],
        "next": shown[-1].id if len(found) > limit else None,
    }


@blueprint.route("/users/<user_id>", tags=["Users"])
@blueprint.response(200, UserSchema)
@blueprint.refuses(404, "There is no such user.")
def user(user_id: str) -> dict[str, str]:
    """Show one user."""
    # What is no id is not asked for: a NUL, for one, is an error to PostgreSQL.
    is_id = re.fullmatch(ID, user_id) is not None
    if not is_id:
        raise UserNotFound
    namespace, deadline = parts().settings.namespace, parts().budget.start()
    found = parts().store.user(user_id, namespace=namespace, deadline=deadline)
    if found is None:
        raise UserNotFound
    return public(found)


def public(user: UserRow) -> dict[str, str]:
    """What everybody may know of a user."""
    return {"id": user.id, "username": user.username}
