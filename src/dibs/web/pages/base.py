"""What all pages share: the blueprint, its look, and what every template may use."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from time import time
from typing import Any, cast
from urllib.parse import urlencode

from babel import Locale
from babel.dates import format_timedelta
from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from markupsafe import Markup, escape
from werkzeug.routing import BuildError

from dibs.config.site import Site
from dibs.config.site import parse as parse_site
from dibs.errors import DibsError, InvitationNeeded, RegistrationClosed
from dibs.names.graphemes import graphemes
from dibs.web.http import files
from dibs.web.http.current import current, deadline, parts
from dibs.web.http.route import Route, says
from dibs.web.i18n import flowing, is_choice_offered, locale, localised, say
from dibs.web.pages import browser_session
from dibs.web.pages.accent import stylesheet
from dibs.web.words import spoken

FOLDER = Path(__file__).parent
STYLE, ICON, SHOW, TIMES = "dibs.css", "dibs.svg", "show-password.js", "local-times.js"
KEPT_SECONDS = 31_536_000
LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
ASKED = ("open", "blind")
MODULE_ENDPOINT = "dibs_component.module"
"""Where the script is that checks a name while it is typed, if the app has it."""

NAME_HINT = "%(min)s to %(max)s letters or numbers."
SIGNS_HINT = "Between them you can use %(signs)s"
MESSAGES = (NAME_HINT, SIGNS_HINT)

LANGUAGES = {"en": "English", "zh": "简体中文", "ja": "日本語"}

blueprint = Blueprint("dibs_pages", __name__, template_folder="templates")
look = Blueprint("dibs_look", __name__)


def render(template: str, **values: Any) -> str:
    """A page; templates of the host app with the same name go before ours."""
    return render_template(f"dibs/{template}", **{**common(), **values})


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A page as an answer."""
    return Response(render(template, **values), status, localised(), mimetype="text/html")


def go(endpoint: str, notice: str | None = None, **values: Any) -> Response:
    """Send a browser on after a form, so that reloading does not send the form again."""
    return go_to(url_for(f"dibs_pages.{endpoint}", **values), notice)


def go_out(notice: str) -> Response:
    """Send on readers whose session has ended: to the sign-in form, if there is one."""
    return go("sign_in", notice) if parts().settings.hashes else go_to(front(), notice)


def go_to(address: str, notice: str | None = None, status: int = 303) -> Response:
    """The same, to an address."""
    response = cast(Response, redirect(address, status, Response=Response))
    if notice:
        browser_session.leave(response, notice)
    return response


def common() -> dict[str, Any]:
    """What every template may use."""
    tongue, shown = spoken(locale()), site()
    return {
        "_": translated,
        "bdi": isolated,
        "ago": ago,
        "join": flowing,
        "initial": initial,
        "lang": tongue,
        "dir": Locale.parse(tongue).text_direction,
        "languages": LANGUAGES if is_choice_offered() else {},
        # Not looked up here: a page about a database that is away has no reader.
        "reader": current().reader,
        "who": _who(),
        "notice": browser_session.shown(),
        "is_plain": browser_session.is_plain(),
        "front": front(),
        "hashes": parts().settings.hashes,
        "name_hint": name_hint,
        "closed": say(CLOSED[mode].message) if (mode := registration()) in CLOSED else None,
        # It would be told nothing where a check costs something.
        "module": address_of(MODULE_ENDPOINT) if parts().settings.check in ASKED else None,
        "stylesheet": url_for("dibs_look.style", v=_version(STYLE)),
        "show_password": url_for("dibs_look.show_password", v=_version(SHOW)),
        "local_times": url_for("dibs_look.local_times", v=_version(TIMES)),
        "site": shown,
        "accent": _at("accent", stylesheet(shown.accent)) if shown.accent else None,
        "logo": _at("logo", shown.logo.data) if shown.logo else None,
        "icon": url_for("dibs_look.icon", v=_version(ICON)),
        "form_token": browser_session.form_token,
        "here": here(),
        # For a link to the same page in another language.
        "also": f"&{urlencode(asked)}" if (asked := without_language()) else "",
    }


def site() -> Site:
    """Under whose name the pages are: DIBS_SITE."""
    return parse_site(parts().settings.site)


def _who() -> str | None:
    """What the reader is called, unless nobody can tell."""
    if (reader := current().reader) is None:
        return None
    try:
        names = parts().history.names_now([reader.user_id], deadline=deadline())
    except DibsError:
        return None
    return names.get(reader.user_id)


def name_hint() -> str:
    """What a name may be, before somebody breaks a rule."""
    policy = parts().parser.policy
    hint = say(NAME_HINT, {"min": policy.min_length, "max": policy.max_length})
    signs = " ".join(policy.separators)
    return flowing((hint, say(SIGNS_HINT, {"signs": signs}))) if signs else hint


CLOSED = {"invite": InvitationNeeded, "closed": RegistrationClosed}
"""Why not anybody may register."""


def registration() -> str:
    """Who may register: DIBS_REGISTRATION."""
    return parts().settings.registration


def here() -> str:
    """The address of the page that is read, without what was asked for by it."""
    return request.script_root + request.path


def without_language() -> list[tuple[str, str]]:
    """What was asked for but another language; by a form, nothing."""
    if request.method != "GET":
        return []
    return [(key, text) for key, text in request.args.items(multi=True) if key != "lang"]


def front() -> str:
    """Where the first page is: ours, or the host app's."""
    return address_of("dibs_pages.home") or f"{request.script_root}/"


def address_of(endpoint: str) -> str | None:
    """Where a page is, if the app has it."""
    try:
        return url_for(endpoint)
    except BuildError:
        return None


def translated(message: str, **params: object) -> Markup:
    """The message in the reader's language; what fills it is escaped unless it is markup."""
    words = Markup(escape(say(message)))  # noqa: S704  # escaped right here
    return words % params if params else words


def isolated(name: str) -> Markup:
    """The name, isolated so that a right-to-left one does not reorder the text around it."""
    return Markup("<bdi>{}</bdi>").format(name)


def initial(name: str) -> str:
    """What a reader takes for the name's first letter, however many code points it is."""
    return graphemes(name)[0].upper()


def ago(milliseconds: int) -> str:
    """How long ago a moment was: a server does not know what time it is at the reader's."""
    # Of no time at all Babel says that it is yet to come.
    seconds = max(1, time() - milliseconds / 1000)
    return format_timedelta(-seconds, add_direction=True, locale=locale())  # type: ignore[arg-type]


@cache
def _data(name: str) -> bytes:
    return (FOLDER / "static" / name).read_bytes()


def _version(name: str) -> str:
    """What changes with a file, so that browsers may keep it for good."""
    return files.version(_data(name))


def _serve(endpoint: str, name: str, kind: str) -> Callable[[], Response]:
    """Put a file at the address of its name."""

    @look.get(f"/{name}", endpoint=endpoint)
    @says(Route(admits="anybody", limit="rest"))
    def file() -> Response:
        return _kept(_data(name), kind)

    return file


def _kept(data: bytes, kind: str) -> Response:
    """A file that browsers keep for good, if they asked for this very version."""
    response = files.answered(data, kind)
    if request.args.get("v") == files.version(data):
        response.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}, immutable"
    else:
        response.headers["Cache-Control"] = "no-cache"
    return cast(Response, response.make_conditional(request))


def _at(endpoint: str, data: bytes) -> str:
    """Where that is kept."""
    return url_for(f"dibs_look.{endpoint}", v=files.version(data))


@look.get("/dibs-site.css")
@says(Route(admits="anybody", limit="rest"))
def accent() -> Response:
    """The site's accent colour: the pages' policy lets in no style that stands in a page."""
    if not (colour := site().accent):
        abort(404)
    return _kept(stylesheet(colour), "text/css")


@look.get("/dibs-site.logo")
@says(Route(admits="anybody", limit="rest"))
def logo() -> Response:
    """The site's logo. Opened by itself, an SVG is a document: its scripts are not run."""
    if (found := site().logo) is None:
        abort(404)
    response = _kept(found.data, found.kind)
    response.headers["Content-Security-Policy"] = LOGO_POLICY
    return response


_serve("style", STYLE, "text/css")
icon = _serve("icon", ICON, "image/svg+xml")
_serve("show_password", SHOW, "text/javascript")
_serve("local_times", TIMES, "text/javascript")
