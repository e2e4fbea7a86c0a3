"""What every page has in common: who may see it, headers, size, words, and no script."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser

import pytest

from tests.web.pages.browser import Browser, member
from tests.web.site import Site

# Of a page: for nobody, for somebody, for an owner of the team. A redirect is written as its place.
TABLE = """
GET  /                                  200       200      200
GET  /sign-up                           200       /account /account
POST /sign-up                           400       400      400
GET  /sign-in                           200       /account /account
POST /sign-in                           401       401      401
GET  /forgot-password                   200       200      200
POST /forgot-password                   401       401      401
POST /forgot-password/link              404       404      404
GET  /new-password/{name}               200       200      200
POST /new-password/{name}               401       401      401
POST /sign-out                          /sign-in  /sign-in /sign-in
GET  /account                           /sign-in  200      200
POST /account/name                      /sign-in  400      400
POST /account/password                  /sign-in  422      422
POST /account/codes                     /sign-in  403      403
POST /account/sessions/end              /sign-in  404      404
GET  /account/delete                    /sign-in  200      200
POST /account/delete                    /sign-in  422      422
POST /account/teams                     /sign-in  400      400
POST /account/teams/{team}/name         /sign-in  403      400
POST /account/teams/{team}/members      /sign-in  404      404
POST /account/teams/{team}/members/{id} /sign-in  403      409
GET  /account/teams/{team}/end          /sign-in  200      200
POST /account/teams/{team}/end          /sign-in  422      422
GET  /@{name}                           200       200      200
GET  /staff                             /sign-in  403      403
POST /staff/reserve                     /sign-in  403      403
POST /staff/unreserve                   /sign-in  403      403
POST /staff/assign                      /sign-in  403      403
POST /staff/transfer                    /sign-in  403      403
POST /staff/free                        /sign-in  403      403
POST /staff/link                        /sign-in  403      403
GET  /staff/users                       /sign-in  403      403
GET  /staff/log                         /sign-in  403      403
GET  /join/{name}                       200       /account /account
GET  /staff/names                       /sign-in  403      403
GET  /staff/invitations                 /sign-in  403      403
POST /staff/invitations                 /sign-in  403      403
POST /staff/invitations/end             /sign-in  403      403
POST /staff/disable                     /sign-in  403      403
POST /staff/role                        /sign-in  403      403
POST /staff/rename                      /sign-in  403      403
POST /staff/sign-out                    /sign-in  403      403
POST /staff/delete                      /sign-in  403      403
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]
PAGES = [
    *("/", "/sign-up", "/sign-in", "/account", "/account/delete", "/@Ada", "/@Rockets", "/@x"),
    *("/forgot-password", "/new-password/x", "/join/x"),
]
CSP = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}


class World:
    """Nobody, somebody, and who owns a team."""

    def __init__(self, site: Site) -> None:
        self.people = [Browser(site), member(site, "Grace"), member(site, "Ada")]
        self.people[2].send("/account", "/account/teams", {"name": "Rockets"})
        self.team = site.get("/teams").get_json()["items"][0]["id"]
        self.owner = site.get("/users/by-name/ada").get_json()["id"]

    def path(self, template: str) -> str:
        return template.format(team=self.team, id=self.owner, name="Rockets")


@pytest.fixture
def world(paged) -> World:
    return World(paged)


def test_who_may_see_what(world):
    """Every cell; each form is sent with its token and nothing typed."""
    found = []
    for method, template, *_ in ROWS:
        cells = []
        for browser in world.people:
            answer = visited(browser, method, world.path(template))
            cells.append((answer.location or str(answer.status_code)).partition("?")[0])
        found.append([method, template, *cells])
        if template == "/sign-out":
            for browser, name in zip(world.people[1:], ("grace", "ada"), strict=True):
                browser.sign_in(name)
    assert found == ROWS


def visited(browser: Browser, method: str, path: str):
    if method == "GET":
        return browser.get(path)
    page = "/account" if browser.is_signed_in() else "/sign-in"
    action = "/sign-out" if browser.is_signed_in() else "/sign-in"
    token = browser.form(page, action).fields["csrf_token"]
    return browser.post(path, {"csrf_token": token})


def test_every_route_has_a_row(paged):
    """A new one is decided on before it is there."""
    rows = {(method, re.sub(r"\{\w+\}", "<>", path)) for method, path, *_ in ROWS}
    assert rows == {
        (method, re.sub(r"<[^>]+>", "<>", rule.rule))
        for rule in paged.app.url_map.iter_rules()
        if rule.endpoint.startswith("dibs_pages.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


@pytest.mark.parametrize("path", PAGES)
def test_headers(world, path):
    """Whether there is such a page or not, and whoever reads it."""
    for browser in world.people:
        answer = browser.get(path)
        assert set(answer.headers["Content-Security-Policy"].split("; ")) == CSP
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=()" in answer.headers["Permissions-Policy"]
        assert "Strict-Transport-Security" not in answer.headers
        assert {"Accept-Language", "Cookie"} <= set(answer.vary)
        private = browser is not world.people[0]
        assert ("no-store" in answer.headers["Cache-Control"]) >= private
        assert "public" not in answer.headers["Cache-Control"]


@pytest.mark.parametrize("path", [*PAGES, "/docs/", "/healthz", "/dibs.css", "/usernames/x"])
def test_with_tls_it_stays_tls(paged, path):
    """For this host, and not for those below it."""
    answer = paged.client.get(path, base_url="https://localhost", buffered=True)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    plain = paged.client.get(path, buffered=True)
    assert "Strict-Transport-Security" not in plain.headers
    assert plain.headers["X-Content-Type-Options"] == "nosniff"


def test_no_other_site_frames_the_docs(paged):
    """And has somebody press what they do not see."""
    policy = paged.client.get("/docs/", buffered=True).headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy


class Loads(HTMLParser):
    """What a page fetches, and what a policy without `unsafe-inline` would stop."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.inline: list[str] = []
        self.ids: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        said = {name: value or "" for name, value in attrs}
        self.ids += [said["id"]] if "id" in said else []
        if tag in ("link", "script", "img", "iframe"):
            self.fetched.append(said.get("href") or said.get("src") or "")
        self.inline += [name for name in said if name.startswith("on") or name == "style"]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in said) else []


@pytest.mark.parametrize("path", PAGES)
def test_size_and_what_is_fetched(world, path):
    """At most 60 kB with all that belongs to it, all of it from here, none of it inline."""
    for browser in world.people:
        answer = browser.get(path)
        loads = Loads(answer.text)
        assert loads.inline == []
        assert len(loads.ids) == len(set(loads.ids))
        assert all(one.startswith("/") and not one.startswith("//") for one in loads.fetched)
        parts = [browser.get(one) for one in loads.fetched]
        assert all(part.status_code == 200 for part in parts)
        assert len(answer.data) + sum(len(part.data) for part in parts) <= 60_000


def test_the_look_is_kept_for_good(paged):
    """By its address, which changes with it; without that it is asked for anew."""
    page = paged.get("/").text
    address = re.search(r'href="(/dibs\.css\?v=\w+)"', page)
    assert address
    assert "immutable" in paged.get(address[1]).headers["Cache-Control"]
    assert paged.get("/dibs.css").headers["Cache-Control"] == "no-cache"
    etag = paged.get("/dibs.css").headers["ETag"]
    assert paged.get("/dibs.css", If_None_Match=etag).status_code == 304


@pytest.mark.parametrize("path", ["/dibs.css", "/dibs.svg"])
def test_the_look_is_compressed(paged, path):
    """A fourth of it goes over the line."""
    plain, packed = paged.get(path), paged.get(path, Accept_Encoding="gzip")
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["Vary"] == "Accept-Encoding"


def test_browsers_find_an_icon_by_themselves(paged):
    """Where a page names none, as an answer in JSON that is opened."""
    answer = paged.get("/favicon.ico")
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")


def test_pages_can_be_turned_off(make_site):
    """Then there is the API alone, and who opens it looks for that."""
    site = make_site(pages="off")
    assert site.get("/").location == "/docs/"
    for path in ("/sign-up", "/@ada", "/dibs.css", "/favicon.ico"):
        assert site.get(path).status_code == 404
        assert site.get(path, Accept="text/html").content_type == "application/problem+json"
