"""The routes that check names as the OpenAPI page has them, on the blueprint of the whole API."""

from __future__ import annotations

from dibs.web.api.names import NAME, ROUTE, check, check_itself, check_many
from dibs.web.api.schemas import NAMESPACE, CheckBody, Verdict, Verdicts
from dibs.web.http.blueprint import ACCEPT_LANGUAGE, LANGUAGE, SUGGESTIONS, Blueprint, described

IN_QUERY = {"in": "query", "name": "namespace", "schema": {"type": "string", **NAMESPACE}}

blueprint = Blueprint(NAME, __name__, title="Names", description="Check names.")

for rule, view in (("/usernames/<dibs_any:name>", check), ("/usernames/check", check_itself)):
    blueprint.route(rule, ROUTE)(
        described(
            view,
            blueprint.refuses(503, "The database cannot answer; see Retry-After."),
            blueprint.refuses(422, "There is no such namespace."),
            blueprint.response(200, Verdict, headers=LANGUAGE),
            blueprint.doc(parameters=[ACCEPT_LANGUAGE, SUGGESTIONS, IN_QUERY]),
        )
    )

blueprint.route("/usernames/check", ROUTE, methods=["POST"])(
    described(
        check_many,
        blueprint.refuses(503, "The database cannot answer; see Retry-After."),
        blueprint.refuses(422, "There is no such namespace, or no list of names."),
        blueprint.refuses_usually(400, 413, 415),
        blueprint.response(200, Verdicts, headers=LANGUAGE),
        blueprint.arguments(CheckBody),
        blueprint.doc(parameters=[ACCEPT_LANGUAGE]),
    )
)
