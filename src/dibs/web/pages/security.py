"""What a browser is told to refuse, and which forms are refused here.

Flask-Talisman was looked at. It sets its headers on the whole app and rewrites the app's own
SESSION_COOKIE settings, which are a host's and not ours; and it knows nothing of forms. What is
left of it is the table below.
"""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from flask import Response, request

from dibs.web.http.bodies import MAX_BODY
from dibs.web.http.cookies import CsrfFailed
from dibs.web.http.current import current, current_route
from dibs.web.http.headers import hardened
from dibs.web.http.route import SAFE
from dibs.web.i18n import LANGUAGE_COOKIE, is_choice_offered
from dibs.web.pages import browser_session
from dibs.web.pages.base import blueprint, go_to, here, without_language
from dibs.web.words import LOCALES

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    # With `no-referrer` a browser would send our own forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(),"
    " payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
YEAR_SECONDS = 31_536_000


class OtherSite(CsrfFailed):
    """The browser says that another site has sent this form."""

    message = (
        "This request came from another site, so nothing was done. "
        "Please use the form on this site."
    )


class FormExpired(CsrfFailed):
    """The form was made for another session, or the browser keeps no cookies."""

    message = (
        "This page was open for too long, or your browser blocks cookies. "
        "Please send the form again."
    )


@blueprint.before_request
def admit() -> Response | None:
    """Find the reader, and refuse changes that no page of ours has sent.

    Before the limits count a wrong password, which another site's form is not.

    Raises:
        CsrfFailed: It was not.
        StoreUnavailable: Who reads cannot be told.
    """
    current().is_page = True
    request.max_content_length = MAX_BODY
    if request.method not in SAFE:
        _refuse_other_sites()
        _refuse_forged()
    living = browser_session.visitor()
    changes = request.method not in SAFE and not _is_for_anybody()
    # The access token may be of another session, which has ended, than the refresh token that
    # lets them in.
    if changes and living is not None and not browser_session.is_of(living.session_id):
        raise FormExpired
    return _choose_language() if request.method == "GET" else None


def _refuse_other_sites() -> None:
    """By what the browser itself says, and no page can say for it (Fetch, 3.2; RFC 6454)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise OtherSite
        return
    origin = request.headers.get("Origin")
    # Whether it was https, a proxy that is not trusted may have hidden from us.
    if origin is not None and _host_of(origin) != request.host:
        raise OtherSite


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # a bracket that is not closed
        return None


def _refuse_forged() -> None:
    of_session = browser_session.is_of_session()
    if of_session:
        return
    if _is_for_anybody():
        if not browser_session.is_of_browser():
            raise FormExpired
    elif of_session is False:
        raise FormExpired
    # Nobody is signed in, so the view does nothing.


def _is_for_anybody() -> bool:
    """Whether nobody need be logged in for this form."""
    route = current_route()
    return route is not None and route.admits == "anybody"


def _choose_language() -> Response | None:
    """Keep the language of `?lang=`, and show the same page without that."""
    wanted = request.args.get("lang")
    if wanted not in LOCALES or not is_choice_offered():
        return None
    asked = urlencode(without_language())
    response = go_to(here() + (f"?{asked}" if asked else ""))
    browser_session.keep(response, LANGUAGE_COOKIE, wanted, YEAR_SECONDS)
    return response


@blueprint.after_request
def protect(response: Response) -> Response:
    """Every page's headers and cookies; headers of a host app's own stay."""
    if browser_session.COOKIE in request.cookies:
        browser_session.take(response)
    browser_session.settle(response)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.vary.update(("Accept-Language", "Cookie"))
    private = current().reader is not None or "Set-Cookie" in response.headers
    if private or request.method not in SAFE:
        response.headers["Cache-Control"] = "no-store"
    response.headers.setdefault("Cache-Control", "private, no-cache")
    return hardened(response)
