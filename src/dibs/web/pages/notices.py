"""What was done, said on the next page: a word in a cookie, taken away when it is shown."""

from __future__ import annotations

from flask import Response, request

from dibs.errors import SessionEnded
from dibs.web.registration import REGISTERED
from dibs.web.sessions import LOGGED_OUT, LOGGED_OUT_EVERYWHERE
from dibs.web.users import CHANGED
from dibs.web.words import say

COOKIE = "dibs_notice"
SECONDS = 60
NOTICES = {
    "registered": REGISTERED,
    "signed_out": LOGGED_OUT,
    "signed_out_everywhere": LOGGED_OUT_EVERYWHERE,
    "password": CHANGED,
    "session_ended": SessionEnded.message,
    "session_closed": "That device is signed out.",
    "renamed": "This is your name now.",
    "deleted": "Your account is deleted.",
    "team_made": "The team has been made.",
    "team_ended": "The team has ended.",
    "left": "You have left the team.",
    "members": "The members are as you wanted.",
    "reserved": "The name is reserved.",
    "unreserved": "The name is no longer reserved.",
    "assigned": "The name is theirs now.",
    "transferred": "The name has been passed on.",
    "freed": "The name is free.",
}
MESSAGES = tuple(NOTICES.values())


def leave(response: Response, notice: str) -> None:
    """Have the next page say this."""
    response.set_cookie(
        COOKIE, notice, SECONDS, secure=request.is_secure, httponly=True, samesite="Lax"
    )


def shown() -> str | None:
    """What this page is to say, if anything: only sentences of ours."""
    message = NOTICES.get(request.cookies.get(COOKIE, ""))
    return say(message) if message else None


def take(response: Response) -> None:
    """Have it said once."""
    if COOKIE in request.cookies and response.status_code != 303:
        response.delete_cookie(COOKIE, secure=request.is_secure, httponly=True, samesite="Lax")
