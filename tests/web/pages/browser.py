"""A browser without scripts: it keeps cookies, reads forms and sends them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from werkzeug.test import Client, TestResponse

from tests.web.site import PASSWORD, Site


@dataclass
class Form:
    """A form of a page, with what it would send."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Forms(HTMLParser):
    """Finds them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(said["action"], said["method"]))
        if tag == "input" and self.found and "name" in said:
            self.found[-1].fields[said["name"]] = said.get("value", "")


class Browser:
    """One browser on one site.

    Attributes:
        client: Its cookies.
    """

    def __init__(self, site: Site, base_url: str = "http://localhost") -> None:
        self.site = site
        self.base_url = base_url
        self.client: Client = site.app.test_client()

    def get(self, path: str, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(path, headers=named, base_url=self.base_url)

    def post(self, path: str, data: dict[str, str], **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, data=data, headers=named, base_url=self.base_url)

    def form(self, path: str, action: str) -> Form:
        """The first form of a page that goes there."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return next(one for one in Forms(answer.text).found if one.action == action)

    def send(self, path: str, action: str, typed: dict[str, str], **headers: str) -> TestResponse:
        """Fills in a form of a page and sends it."""
        form = self.form(path, action)
        return self.post(form.action, {**form.fields, **typed}, **headers)

    def sign_up(self, name: str, password: str = PASSWORD) -> TestResponse:
        return self.send("/sign-up", "/sign-up", {"username": name, "password": password})

    def sign_in(self, name: str, password: str = PASSWORD, path: str = "/sign-in") -> TestResponse:
        return self.send(path, "/sign-in", {"username": name, "password": password})

    def is_signed_in(self) -> bool:
        return self.get("/account").status_code == 200

    def cookie(self, name: str) -> str:
        """The value of a cookie; empty without one."""
        found = self.client.get_cookie(name)
        return found.value if found else ""

    def forget_access(self) -> None:
        """As a browser does when the access token's time is over."""
        for name in ("dibs_access", "__Host-dibs_access"):
            self.client.delete_cookie(name)


def member(site: Site, name: str) -> Browser:
    """The browser of somebody who has signed up."""
    browser = Browser(site)
    answer = browser.sign_up(name)
    assert (answer.status_code, answer.location) == (303, "/account"), answer.text
    return browser
