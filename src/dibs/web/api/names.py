"""`GET /usernames/<name>` and `POST /usernames/check`: are they free?"""

from __future__ import annotations

from typing import Any

from flask import request

from dibs.errors import InvalidName, InvalidToken, NameHeld, NameQuarantined, NameTaken, Reason
from dibs.names.messages import ENCODING
from dibs.registry import Registry
from dibs.store import Deadline, NameRow
from dibs.web.api.checking import is_blind, proof_required, registry_for
from dibs.web.api.representations import as_taken, moved_to, other_names
from dibs.web.api.schemas import NAMESPACE, CheckBody, Verdict, Verdicts
from dibs.web.http.auth import current_user
from dibs.web.http.blueprint import ACCEPT_LANGUAGE, LANGUAGE, SUGGESTIONS, Blueprint, deadline
from dibs.web.http.limits import count_more
from dibs.web.http.problems import reason_items
from dibs.web.i18n import localised, say, together

Refused = InvalidName | NameTaken | None

IN_QUERY = {"in": "query", "name": "namespace", "schema": {"type": "string", **NAMESPACE}}

blueprint = Blueprint("dibs_names", __name__, description="Check names.")


@blueprint.route("/usernames/<dibs_any:name>", tags=["Names"])
@proof_required
@blueprint.doc(parameters=[ACCEPT_LANGUAGE, SUGGESTIONS, IN_QUERY])
@blueprint.response(200, Verdict, headers=LANGUAGE)
@blueprint.refuses(422, "There is no such namespace.")
@blueprint.refuses(503, "The database cannot answer; see Retry-After.")
def check(name: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Say whether a name is available: advice, never a promise."""
    return _answer(name)


# A rule of its own: the address takes lists by POST, and the OpenAPI page has all its methods.
@blueprint.route("/usernames/check", tags=["Names"])
@proof_required
@blueprint.doc(parameters=[ACCEPT_LANGUAGE, SUGGESTIONS, IN_QUERY])
@blueprint.response(200, Verdict, headers=LANGUAGE)
@blueprint.refuses(422, "There is no such namespace.")
@blueprint.refuses(503, "The database cannot answer; see Retry-After.")
def check_itself() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Say whether the name `check` is available, like any other name."""
    return _answer("check")


def _answer(name: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    registry = registry_for(request.args.get("namespace"))
    said = verdict(name, registry, deadline())
    return said, 200, {"Cache-Control": "no-store", **localised()}


@blueprint.route("/usernames/check", methods=["POST"], tags=["Names"])
@proof_required
@blueprint.doc(parameters=[ACCEPT_LANGUAGE])
@blueprint.arguments(CheckBody)
@blueprint.response(200, Verdicts, headers=LANGUAGE)
@blueprint.refuses_usually(400, 413, 415)
@blueprint.refuses(422, "There is no such namespace, or no list of names.")
@blueprint.refuses(503, "The database cannot answer; see Retry-After.")
def check_many(body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Say whether up to 100 names are available, in their order: advice, never a promise."""
    registry, names = registry_for(body["namespace"]), body["names"]
    count_more("check", len(names) - 1)
    found = registry.check_many(names, rules_only=is_blind(), deadline=deadline())
    results = [
        _said(name, canonical, refused)
        for name, (canonical, refused) in zip(names, found, strict=True)
    ]
    return {"results": results}, 200, {"Cache-Control": "no-store", **localised()}


def verdict(name: str, registry: Registry, until: Deadline) -> dict[str, Any]:
    """What is to be said of a name.

    Raises:
        StoreUnavailable: The database cannot answer.
    """
    canonical: str | None = None
    refused: Refused
    try:
        _refuse_bad_bytes(name)
        if is_blind():
            ((canonical, refused),) = registry.check_many([name], rules_only=True, deadline=until)
        else:
            username = registry.admit(name, deadline=until)
            canonical = username.canonical
            refused = registry.check(username, deadline=until)
    except (InvalidName, NameTaken) as error:
        refused = error
    row = registry.row_of(name, deadline=until) if isinstance(refused, NameQuarantined) else None
    if row is not None and _is_readers(row):
        refused = None  # they may take it back
    helps = refused is not None and as_taken(refused) is not None and not is_blind()
    others = other_names(name, until, registry) if helps else []
    said = {**_said(name, canonical, refused), "suggestions": others}
    if refused is not None and row is not None:
        said["renamed_to"] = moved_to(row)
    return said


def _is_readers(row: NameRow) -> bool:
    """Whether this is an old name of whoever asks; who that is, is only asked for such a name."""
    try:
        reader = current_user()
    except InvalidToken:
        return False
    return reader is not None and row.is_of("user", reader.user_id)


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


def _said(name: str, canonical: str | None, refused: Refused) -> dict[str, Any]:
    """A verdict without other names."""
    return {
        # JSON can spell half a surrogate pair, which no answer in UTF-8 can repeat.
        "name": name.encode(errors="backslashreplace").decode(),
        "canonical": canonical,
        "available": False if refused else None if is_blind() else True,
        "renamed_to": None,
        **_why_not(refused),
    }


def _why_not(refused: Refused) -> dict[str, Any]:
    if refused is None:
        return {"reason": None, "message": None, "reasons": []}
    taken = as_taken(refused)
    if taken is not None:
        said: dict[str, Any] = {"reason": taken.code, "message": say(taken.message), "reasons": []}
        if isinstance(taken, NameHeld) and taken.retry_after is not None:
            said["retry_after"] = taken.retry_after
        return said
    broken = refused.reasons if isinstance(refused, InvalidName) else ()
    reasons = reason_items([("username", reason) for reason in broken])
    message = together(item["detail"] for item in reasons)
    return {"reason": refused.code, "message": message, "reasons": reasons}
