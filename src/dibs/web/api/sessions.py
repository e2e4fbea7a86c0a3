"""Logging in and out, and the sessions in between."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from dibs.accounts.login import Tokens
from dibs.errors import SessionNotFound, Unauthenticated
from dibs.web.api import schemas
from dibs.web.api.representations import is_id
from dibs.web.http import cookies
from dibs.web.http.auth import bearer, signed_in
from dibs.web.http.bodies import answered, done
from dibs.web.http.current import deadline, parts
from dibs.web.http.openapi import CSRF, LANGUAGE, Blueprint
from dibs.web.http.route import Route
from dibs.web.i18n import iso

LOGGED_OUT = "You are signed out."
LOGGED_OUT_EVERYWHERE = "You are signed out on every device."
MESSAGES = (LOGGED_OUT, LOGGED_OUT_EVERYWHERE)

KEYS_SECONDS = 300

blueprint = Blueprint("dibs_sessions", __name__, title="Sessions", description="Sign in and out.")
# Not mounted without passwords; who is signed in since there were some may stay and leave.
entrance = Blueprint("dibs_login", __name__, title="Sessions", description="Sign in.")


@entrance.route(
    "/login", Route(admits="anybody", limit="login", credential="named"), methods=["POST"]
)
@entrance.reads(schemas.LoginBody())
@entrance.response(200, schemas.TokenSchema)
@entrance.refuses(400, "The body cannot be read, or contains no name.")
@entrance.refuses(401, "The username or the password is wrong; the answer does not say which.", 503)
def login(body: dict[str, Any]) -> Response:
    """Sign in, with any spelling of the name."""
    tokens = parts().accounts.logins.login(
        body["username"],
        body["password"],
        device=request.headers.get("User-Agent", ""),
        deadline=deadline(),
    )
    return _answer(tokens, as_cookies=body["cookies"])


@blueprint.route("/refresh", Route(admits="anybody", limit="refresh"), methods=["POST"])
@blueprint.doc(security=[{}, {"refresh": []}, {"refresh_cookie": []}], parameters=[CSRF])
@blueprint.reads(schemas.RefreshBody(), required=False)
@blueprint.response(200, schemas.TokenSchema)
@blueprint.refuses(403, "The token came by cookie, without its CSRF token.", 401, 503)
def refresh(body: dict[str, str]) -> Response:
    """Exchange a refresh token, which can be used once.

    Send it as a Bearer token, in the body, or as a cookie; the first of these counts.
    """
    token = bearer() or body.get("refresh_token")
    if token is not None:
        return _answer(parts().accounts.logins.refresh(token, deadline=deadline()))
    token = cookies.refresh_token()
    if token is None:
        raise Unauthenticated
    # Its first part is the session; a token that lies about it is refused right after.
    cookies.refuse_forged(token.partition(".")[0])
    return _answer(parts().accounts.logins.refresh(token, deadline=deadline()), as_cookies=True)


@blueprint.route("/logout", Route(admits="user", limit="rest"), methods=["POST"])
@blueprint.response(200, schemas.Done, headers=LANGUAGE)
@blueprint.refuses(503)
def logout() -> Response:
    """End this session."""
    parts().accounts.logins.logout(signed_in(), deadline=deadline())
    return cookies.drop(done(LOGGED_OUT))


@blueprint.route("/logout/all", Route(admits="user", limit="rest"), methods=["POST"])
@blueprint.response(200, schemas.Done, headers=LANGUAGE)
@blueprint.refuses(503)
def logout_all() -> Response:
    """End all sessions of the signed-in user."""
    parts().accounts.logins.logout_all(signed_in().user_id, deadline=deadline())
    return cookies.drop(done(LOGGED_OUT_EVERYWHERE))


@blueprint.route("/sessions", Route(admits="user", limit="rest"))
@blueprint.response(200, schemas.SessionList)
@blueprint.refuses(503)
def sessions() -> dict[str, Any]:
    """List the sessions of the signed-in user."""
    return {"items": sessions_shown()}


def sessions_shown() -> list[dict[str, Any]]:
    """Those of the signed-in user that go on, the one used last first."""
    living = signed_in()
    found = parts().accounts.logins.sessions.of(living.user_id, deadline=deadline())
    return [
        {
            "id": one.id,
            "device": one.device,
            "created_at": iso(one.created_at),
            "used_at": iso(one.used_at),
            "expires_at": iso(one.expires_at),
            "current": one.id == living.session_id,
        }
        for one in found
    ]


@blueprint.route(
    "/sessions/<session_id>",
    Route(admits="user", limit="rest"),
    methods=["DELETE"],
)
@blueprint.response(204)
@blueprint.refuses(404, "There is no such session, or it is somebody else's.", 503)
def end_session(session_id: str) -> None:
    """End one session of the signed-in user."""
    logins, owner = parts().accounts.logins, signed_in().user_id
    if not is_id(session_id) or not logins.end(session_id, user_id=owner, deadline=deadline()):
        raise SessionNotFound


@blueprint.route("/.well-known/jwks.json", Route(admits="anybody", limit="rest"))
@blueprint.response(200, schemas.KeySet)
def public_keys() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Show the keys for verifying access tokens; there are none with DIBS_TOKEN_SECRET."""
    keys = parts().accounts.logins.access.public_keys()
    return dict(keys), 200, {"Cache-Control": f"public, max-age={KEYS_SECONDS}"}


def _answer(tokens: Tokens, *, as_cookies: bool = False) -> Response:
    shown: dict[str, Any] = {"expires_in": tokens.expires_in}
    if as_cookies:
        shown["csrf_token"] = cookies.csrf_token(tokens.session_id)
    else:
        shown["access_token"] = tokens.access_token
        shown["refresh_token"] = tokens.refresh_token
        shown["token_type"] = "Bearer"  # noqa: S105  # a kind of token, no token
    response = answered(200, {"Cache-Control": "no-store"}, shown)
    return cookies.put(response, tokens, shown["csrf_token"]) if as_cookies else response
