"""Limits on requests: what is counted, and by whom."""

from __future__ import annotations

import pytest
from flask import Flask
from flask_limiter import Limiter

from dibs.state import state_of
from dibs.web.http.current import network_of
from tests.backends import SQLITE
from tests.web.limiting import AWAY, HOME, Clock, ask, check
from tests.web.site import problem


@pytest.mark.parametrize(
    ("group", "method", "path"),
    [
        ("register", "POST", "/register"),
        ("register", "POST", "/teams"),
        ("login", "POST", "/login"),
        ("refresh", "POST", "/refresh"),
        ("check", "GET", "/usernames/ada"),
        ("rest", "GET", "/users"),
        ("rest", "GET", "/sessions"),
        ("register", "PATCH", "/users/me"),
    ],
)
def test_each_group_has_a_limit_that_ends(make_site, group, method, path):
    """Whatever is answered counts; a refused request does nothing, and says when to come again."""
    site = make_site(rate_limits=f"{group}=2/minute", password="required")
    clock = Clock(site)
    assert 429 not in [ask(site, method, path).status_code for _ in range(2)]
    refused = ask(site, method, path)
    problem(refused, 429, "rate_limited")
    assert refused.headers["Retry-After"] == "60"
    assert ask(site, method, path, AWAY).status_code != 429
    clock.now += 59.5
    assert ask(site, method, path).headers["Retry-After"] == "1"
    clock.now += 0.6
    assert ask(site, method, path).status_code != 429


def test_groups_do_not_share_a_count(make_site):
    site = make_site(rate_limits="check=1/minute; rest=1/minute")
    assert [check(site), check(site)] == [200, 429]
    assert [ask(site, "GET", "/users").status_code for _ in range(2)] == [200, 429]
    # Every other route shares one.
    assert ask(site, "GET", "/sessions").status_code == 429


def test_a_team_s_name_counts_like_a_user_s(make_site):
    """Or who is logged in could hoard names by making teams."""
    site = make_site(rate_limits="register=2/minute")
    found = [ask(site, "POST", path).status_code for path in ("/register", "/teams", "/teams")]
    assert found == [400, 401, 429]
    assert ask(site, "POST", "/register").status_code == 429


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs/", "/nowhere"])
def test_what_is_not_limited(make_site, path):
    """An orchestrator that is refused would restart what is healthy."""
    site = make_site(rate_limits="rest=1/minute")
    answers = [ask(site, "GET", path) for _ in range(3)]
    assert {answer.status_code for answer in answers} <= {200, 404}
    assert "RateLimit" not in answers[0].headers


def test_off_limits_nothing(make_site):
    site = make_site(rate_limits="off")
    assert state_of(site.app).limits is None
    assert {check(site) for _ in range(400)} == {200}


def test_limits_are_built_in(make_site):
    """A form may ask while somebody types, and she is through long before it is too much."""
    site = make_site(rate_limits="")
    assert [check(site) for _ in range(301)] == [200] * 300 + [429]


def test_several_rates_of_one_group(make_site):
    site = make_site(rate_limits="check=2/second,3/hour")
    clock = Clock(site)
    assert [check(site) for _ in range(3)] == [200, 200, 429]
    clock.now += 1
    # What the first refused, the second has not counted.
    assert check(site) == 200
    assert ask(site, "GET", "/usernames/x").headers["Retry-After"] == "3599"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:c000:201", "192.0.2.1", True),
        ("64:ff9b::192.0.2.1", "192.0.2.1", True),
        ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1:4711", "192.0.2.1", True),
        ("[2001:db8::1]:4711", "2001:db8::2", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "unix:", True),
        ("unknown", "_hidden", True),
    ],
)
def test_sources(make_site, one, other, same):
    """A customer's whole IPv6 network is one, and an IPv4 address however it is written."""
    assert (network_of(one) == network_of(other)) is same
    site = make_site(rate_limits="check=1/minute")
    assert [check(site, one), check(site, other)] == [200, 429 if same else 200]


@pytest.mark.parametrize("forged", ["203.0.113.9", "203.0.113.9, 203.0.113.8", "x", "::1"])
def test_nobody_chooses_her_source(make_site, forged):
    """Without proxies the header is not believed at all; with them, only what they added."""
    site = make_site(rate_limits="check=1/minute")
    assert check(site) == 200
    assert check(site, X_Forwarded_For=forged) == 429
    assert check(site, Forwarded=f"for={forged}") == 429
    behind = make_site(rate_limits="check=1/minute", trusted_proxies="1")
    chains = [f"{forged}, {HOME}", f"{forged}{forged}, {HOME}", HOME, f"{forged}, {AWAY}"]
    found = [check(behind, "127.0.0.1", **{"X-Forwarded-For": chain}) for chain in chains]
    assert found == [200, 429, 429, 200]


def test_two_proxies(make_site):
    site = make_site(rate_limits="check=1/minute", trusted_proxies="2")
    chains = [f"1.1.1.1, {HOME}, 10.0.0.1", f"2.2.2.2, {HOME}, 10.0.0.1", f"{AWAY}, 10.0.0.1"]
    found = [check(site, "10.0.0.2", **{"X-Forwarded-For": chain}) for chain in chains]
    assert found == [200, 429, 200]


@pytest.fixture
def host_site(make_site, monkeypatch):
    """An app with a Flask-Limiter of its own, and the routes of dibs mounted beside its own."""
    from dibs.config import load
    from dibs.web import register_blueprints
    from dibs.wiring import build

    app = Flask("host")
    app.config["RATELIMIT_STORAGE_URI"] = "memory://"
    app.config["RATELIMIT_APPLICATION"] = "1000/hour"
    app.config["RATELIMIT_KEY_PREFIX"] = "host"
    app.config["RATELIMIT_ENABLED"] = True
    own = Limiter(lambda: "everybody", app=app, default_limits=[], headers_enabled=True)

    @app.get("/page")
    @own.limit("3/hour")
    def page():
        return "page"

    @app.get("/free")
    def free():
        return "free"

    url = SQLITE.migrated()
    settings = {
        "DIBS_DATABASE_URL": url,
        "DIBS_PASSWORD": "off",
        "DIBS_RATE_LIMITS": "check=2/hour; rest=1/hour",
    }
    parts = build(load(settings))
    register_blueprints(app, parts)
    yield app, own
    parts.store.close()
    SQLITE.drop(url)


def test_a_host_keeps_its_own_limits(host_site):
    """Its routes are limited by it alone, ours by both, and its settings are not ours."""
    app, own = host_site
    client = app.test_client()
    assert [client.get("/page").status_code for _ in range(4)] == [200] * 3 + [429]
    assert {client.get("/free").status_code for _ in range(9)} == {200}
    assert "RateLimit" not in client.get("/free").headers
    assert [client.get("/usernames/ada").status_code for _ in range(3)] == [200, 200, 429]
    assert client.get("/usernames/ada").get_json()["code"] == "rate_limited"
    assert app.extensions["limiter"] == {own}
    assert app.config["RATELIMIT_STORAGE_URI"] == "memory://"
