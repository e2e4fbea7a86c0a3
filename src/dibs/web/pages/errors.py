"""Errors as pages, in the words and with the status that the API has for them."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus

from flask import Flask, Response, current_app, json, request, url_for
from werkzeug.exceptions import BadHost, HTTPException, MethodNotAllowed
from werkzeug.routing import RoutingException

from dibs.errors import DibsError, Unauthenticated
from dibs.web.http import problems
from dibs.web.http.current import current, parts
from dibs.web.pages import browser_session, security
from dibs.web.pages.base import blueprint, go, go_to, here, page
from dibs.web.pages.forms import SHOWN, answer_of, form_of, kept
from dibs.web.pages.sign_in import NoSignIn


@blueprint.errorhandler(DibsError)
def on_error(error: DibsError) -> Response:
    """The page with the form that cannot be done, or one that says why there is nothing to see."""
    if type(error) is Unauthenticated:
        return to_sign_in()
    shown = SHOWN.get(request.endpoint or "")
    if shown and not isinstance(error, security.OtherSite):
        form = form_of(error, shown)
        try:
            response = shown.page(form)
        except Unauthenticated:
            return to_sign_in()
        except DibsError:
            pass  # what the page needs cannot be had either, and this is what is said below
        else:
            response.headers.update(form.headers)
            return response
    said, answer = answer_of(error)
    return _page(said, answer)


@blueprint.errorhandler(HTTPException)
def on_http_error(error: HTTPException) -> Response:
    """What HTTP itself refuses."""
    answer = problems.from_http(error)
    if answer.mimetype != problems.CONTENT_TYPE:
        return answer
    return _page(json.loads(answer.get_data()), answer)


for _status in problems.HTTP_ERRORS:  # a host's own for a status would go before that
    blueprint.register_error_handler(_status, on_http_error)


def _page(said: dict[str, str], answer: Response) -> Response:
    status = answer.status_code
    # Elsewhere it is no better, and the same address may be read again.
    is_away = status == HTTPStatus.SERVICE_UNAVAILABLE and request.method == "GET"
    again = f"{request.script_root}{request.full_path}".rstrip("?") if is_away else None
    title, detail = said["title"], said["detail"]
    response = page("error.html", status, title=title, detail=detail, again=again)
    response.headers.update(kept(answer))
    if allow := answer.headers.get("Allow"):
        response.headers["Allow"] = allow
    return response


def to_sign_in() -> Response:
    """Send a reader to sign in first, and back afterwards if they only wanted to read."""
    if not parts().settings.hashes:
        return _page(*answer_of(NoSignIn()))
    why = "session_ended" if current().has_ended else "sign_in_first"
    back = here() if request.method == "GET" else None
    return go("sign_in", why, next=back)


# --- apps that are all ours ----------------------------------------------------


def register_page_errors(app: Flask) -> None:
    """Answer an address that has no route as a page too, where pages are."""
    app.register_error_handler(HTTPException, from_http)


def from_http(error: HTTPException) -> Response:
    """As a page or as a problem: decided by the address, since no view was found."""
    # Without a host no page can link to another one, not even the page that says so.
    if isinstance(error, BadHost) or not _is_page():
        return problems.from_http(error)
    current().is_page = True
    opened = isinstance(error, MethodNotAllowed) and request.method == "GET" and _wants_html()
    if opened and (form := _form_of_it()):
        return form
    with suppress(DibsError):
        browser_session.visitor()  # for the links above; nothing else is wanted of them
    return security.protect(on_http_error(error))


def _form_of_it() -> Response | None:
    """Redirect to the page of a form: a refused form leaves its own address in the browser."""
    adapter, path = current_app.create_url_adapter(request), request.path
    while adapter and path.strip("/"):
        path = path.rpartition("/")[0]
        with suppress(HTTPException, RoutingException):
            endpoint, values = adapter.match(path or "/", "GET")
            if endpoint.startswith(f"{blueprint.name}."):
                return go_to(url_for(endpoint, **values))
    return None


def _is_page() -> bool:
    """Whether this address belongs to the pages; an unknown one does if HTML is wanted."""
    if request.blueprint is not None:
        return request.blueprint == blueprint.name
    first = _first(request.path)
    if first.startswith("@"):
        return True
    rules = [one for one in current_app.url_map.iter_rules() if _first(one.rule) == first]
    owners = {rule.endpoint.rpartition(".")[0] for rule in rules}
    return owners == {blueprint.name} if owners else _wants_html()


def _wants_html() -> bool:
    wanted = request.accept_mimetypes
    # Not `best`: Chrome names a type of its own, with a parameter, that werkzeug puts first.
    best = wanted.best_match(["application/json", "text/html"])
    return "text/html" in wanted.values() and best == "text/html"


def _first(path: str) -> str:
    return path.strip("/").partition("/")[0]
