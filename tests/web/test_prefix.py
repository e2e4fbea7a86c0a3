"""The service below a path of its own: DIBS_URL_PREFIX, and X-Forwarded-Prefix."""

from __future__ import annotations

import json
import re

import pytest

from dibs.errors import ConfigError
from dibs.web.front import Front
from tests.web.pages.browser import Browser

NAMES = {"username": "ada"}


@pytest.fixture
def below(make_site):
    """Below /names, by setting."""
    return make_site(password="optional", url_prefix="/names")


@pytest.mark.parametrize("prefix", ["/names", ""])
def test_the_path_may_come_with_the_prefix_or_without(below, prefix):
    """From a proxy that takes it away; the front and Flask say the same, and how to go on."""
    assert Front(below.app).is_health(f"{prefix}/healthz".encode())
    answer = below.client.post(f"{prefix}/register", json=NAMES)
    assert answer.status_code == 201
    assert answer.location.startswith("/names/users/")
    assert below.get(answer.location).json["username"] == "ada"
    assert below.get(f"{prefix}/usernames/ada").json["reason"] == "taken"
    asked = below.client.post(f"{prefix}/usernames/check", json={"names": ["ada"]})
    assert asked.json["results"][0]["reason"] == "taken"
    assert below.doors.compared == 3
    assert below.get(f"{prefix}/healthz").status_code == 200


def test_a_longer_word_is_another_path(below):
    assert below.get("/names-and-more/usernames/ada").status_code == 404
    assert below.get("/namesusernames/ada").status_code == 404


def test_a_person_goes_through_the_pages(below):
    """All links, forms and cookies are below it, from signing up to signing out."""
    ada = Browser(below)
    form = ada.form("/names/sign-up", "/names/sign-up")
    typed = {"username": "Ada", "password": "correct horse battery"}
    answer = ada.post(form.action, {**form.fields, **typed})
    assert (answer.status_code, answer.location) == (303, "/names/account")
    page = ada.get("/names/account").text
    addresses = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
    assert len(addresses) > 8
    assert all(one.startswith("/names/") for one in addresses), addresses
    out = ada.form("/names/account", "/names/sign-out")
    assert ada.post(out.action, out.fields).location == "/names/sign-in"
    first = ada.get("/names/account")
    assert first.location == "/names/sign-in?next=/names/account"
    assert ada.get("/names/docs").location == "/names/docs/"


def test_the_description_says_where(below):
    """So that Execute works, and clients that are made from it."""
    assert below.get("/names/openapi.json").json["servers"] == [{"url": "/names"}]
    page = below.get("/names/docs/").text
    assert '"url": "../openapi.json"' in page
    assert 'src="./swagger-ui-bundle.js"' in page


@pytest.fixture
def proxied(make_site):
    return make_site(password="optional", url_prefix="forwarded", trusted_proxies="1")


def test_a_proxy_says_the_prefix(proxied):
    answer = proxied.register("ada", X_Forwarded_Prefix="/names")
    assert answer.location.startswith("/names/users/")
    assert proxied.doors.compared == 0  # not the front's
    page = proxied.get("/", X_Forwarded_Prefix="/a, /names/").text
    assert 'href="/names/sign-in"' in page
    assert 'href="/sign-in"' in proxied.get("/").text
    assert proxied.register("grace").location.startswith("/users/")
    assert proxied.get("/openapi.json").json["servers"] == [{"url": "."}]


@pytest.mark.parametrize(
    "sent",
    ["//evil.example", "/\\evil.example", "https://evil.example", "/a//b", "/a\tb", "/..", "a",
     '/"><script>', "/%2f%2fevil"],
)  # fmt: skip
def test_no_prefix_leads_elsewhere(proxied, sent):
    """What is no plain path is none at all: in no redirect, no page, no header."""
    assert proxied.get("/account", X_Forwarded_Prefix=sent).location == "/sign-in?next=/account"
    assert 'href="/sign-in"' in proxied.get("/", X_Forwarded_Prefix=sent).text
    assert proxied.register("ada", X_Forwarded_Prefix=sent).location.startswith("/users/")


def test_who_is_not_trusted_says_nothing(make_site):
    """The header is any client's where a setting does not say otherwise."""
    site = make_site(password="optional", trusted_proxies="1")
    assert 'href="/sign-in"' in site.get("/", X_Forwarded_Prefix="/evil").text
    assert json.dumps("evil") not in site.get("/openapi.json", X_Forwarded_Prefix="/evil").text


@pytest.mark.parametrize("prefix", ["/users", "/docs/names", "/sign-in"])
def test_a_prefix_that_is_an_address_is_refused(make_site, prefix):
    """Nobody could tell which of the two is meant."""
    with pytest.raises(ConfigError, match="^DIBS_URL_PREFIX is .* address of dibs itself$"):
        make_site(password="optional", url_prefix=prefix)
