"""`GET /usernames/<name>` and `POST /usernames/check`: are they free? And whose names are meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, current_app, request

from dibs.errors import (
    ConfigError,
    InvalidName,
    InvalidToken,
    NameHeld,
    NameQuarantined,
    NameTaken,
    Reason,
)
from dibs.names.messages import ENCODING
from dibs.registry import Registry
from dibs.state import CheckToken, Place, state_of
from dibs.store import Deadline, NameRow
from dibs.web.api.representations import as_taken, moved_to, other_names
from dibs.web.api.schemas import NAMESPACE, CheckBody, Verdict, Verdicts
from dibs.web.http.auth import current_user
from dibs.web.http.blueprint import (
    ACCEPT_LANGUAGE,
    LANGUAGE,
    SUGGESTIONS,
    Blueprint,
    deadline,
    parts,
)
from dibs.web.http.bodies import BodyInvalid
from dibs.web.http.limits import count_more
from dibs.web.http.problems import reason_items
from dibs.web.http.route import Route
from dibs.web.i18n import localised, say, together
from dibs.wiring import Parts

Refused = InvalidName | NameTaken | None

IN_QUERY = {"in": "query", "name": "namespace", "schema": {"type": "string", **NAMESPACE}}

NO_NAMESPACE = "There is no such namespace. Leave %(field)s out or give one that exists."
MESSAGES = (NO_NAMESPACE,)

blueprint = Blueprint("dibs_names", __name__, title="Names", description="Check names.")


@blueprint.route("/usernames/<dibs_any:name>", Route(admits="asker", limit="check", cors=True))
@blueprint.doc(parameters=[ACCEPT_LANGUAGE, SUGGESTIONS, IN_QUERY])
@blueprint.response(200, Verdict, headers=LANGUAGE)
@blueprint.refuses(422, "There is no such namespace.")
@blueprint.refuses(503, "The database cannot answer; see Retry-After.")
def check(name: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Say whether a name is available: advice, never a promise."""
    return _answer(name)


# A rule of its own: the address takes lists by POST, and the OpenAPI page has all its methods.
@blueprint.route("/usernames/check", Route(admits="asker", limit="check", cors=True))
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


@blueprint.route(
    "/usernames/check", Route(admits="asker", limit="check", cors=True), methods=["POST"]
)
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


# --- DIBS_NAMESPACES and DIBS_CHECK ---------------------------------------------


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
    state = state_of(app)
    state.check_token, state.places = token, places


def is_blind() -> bool:
    """Whether nobody is told who has a name."""
    return parts().settings.check == "blind"


def registry_for(given: str | None) -> Registry:
    """The names that a request is about.

    Args:
        given: The namespace that it says, if it says one.

    Raises:
        BodyInvalid: There is no such namespace here.
    """
    settings, place = parts().settings, state_of(current_app).places.get(request.blueprint or "")
    own = settings.namespace if place is None else place if isinstance(place, str) else place()
    wanted = own if given is None else given
    # An address of one namespace is not a way to another.
    if (place is not None and wanted != own) or wanted not in settings.all_namespaces:
        reason = Reason("no_namespace", NO_NAMESPACE, {"field": "namespace"})
        raise BodyInvalid([("namespace", reason)])
    return parts().registry.within(wanted)
