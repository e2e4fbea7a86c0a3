"""`GET /usernames/<name>`: is it free?"""

from __future__ import annotations

from typing import Any

from flask import request

from dibs.errors import InvalidName, NameHeld, NameQuarantined, NameTaken, Reason
from dibs.names.messages import ENCODING
from dibs.store import Deadline
from dibs.web.base import ACCEPT_LANGUAGE, LANGUAGE, SUGGESTIONS, Blueprint, parts
from dibs.web.problems import reason_items
from dibs.web.schemas import Verdict
from dibs.web.suggestions import as_taken, other_names
from dibs.web.words import localised, say, together

NOTHING_AGAINST: dict[str, Any] = {
    "reason": None,
    "message": None,
    "reasons": [],
    "suggestions": [],
}

blueprint = Blueprint("dibs_names", __name__, description="Ask about a name.")


@blueprint.route("/usernames/<dibs_any:name>", tags=["Names"])
@blueprint.doc(parameters=[ACCEPT_LANGUAGE, SUGGESTIONS])
@blueprint.response(200, Verdict, headers=LANGUAGE)
@blueprint.refuses(503, "The database cannot answer; see Retry-After.")
def check(name: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Say whether a name can be had: advice, never a promise."""
    return verdict(name), 200, {"Cache-Control": "no-store", **localised()}


def verdict(name: str) -> dict[str, Any]:
    """What is to be said of a name.

    Raises:
        StoreUnavailable: The database cannot answer.
    """
    deadline = parts().budget.start()
    said: dict[str, Any] = {"name": name, "canonical": None, "renamed_to": None}
    try:
        _refuse_bad_bytes(name)
        username = parts().registry.parse(name, deadline=deadline)
        said["canonical"] = username.canonical
        refused: InvalidName | NameTaken | None = parts().registry.check(
            username, deadline=deadline
        )
        if isinstance(refused, NameQuarantined):
            said["renamed_to"] = _renamed_to(name, deadline)
    except (InvalidName, NameTaken) as error:
        refused = error
    said["available"] = refused is None
    return said | (_why_not(refused, deadline, name) if refused else NOTHING_AGAINST)


def _renamed_to(name: str, deadline: Deadline) -> str | None:
    row = parts().registry.row_of(name, deadline=deadline)
    return None if row is None else parts().renames.renamed_to(row, deadline=deadline)


def _refuse_bad_bytes(name: str) -> None:
    """Say of a name that was no UTF-8 what is wrong with it; the routing has replaced its bytes.

    Raises:
        InvalidName: It was none.
    """
    if "\ufffd" in name and request.url_rule is not None:
        # WSGI (PEP 3333) gives the bytes of the path as Latin-1.
        path = request.environ["PATH_INFO"].encode("latin-1", "replace")
        before = request.url_rule.rule.partition("<")[0]
        try:
            path[len(before.encode()) :].decode()
        except UnicodeDecodeError as error:
            raise InvalidName((Reason("encoding", ENCODING),)) from error


def _why_not(refused: InvalidName | NameTaken, deadline: Deadline, name: str) -> dict[str, Any]:
    taken = as_taken(refused)
    if taken is not None:
        others = other_names(name, deadline)
        message = say(taken.message)
        said: dict[str, Any] = {
            "reason": taken.code,
            "message": message,
            "reasons": [],
            "suggestions": others,
        }
        if isinstance(taken, NameHeld) and taken.retry_after is not None:
            said["retry_after"] = taken.retry_after
        return said
    broken = refused.reasons if isinstance(refused, InvalidName) else ()
    reasons = reason_items([("username", reason) for reason in broken])
    return {
        "reason": refused.code,
        "message": together(item["detail"] for item in reasons),
        "reasons": reasons,
        "suggestions": [],
    }
