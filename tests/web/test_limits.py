"""Limits on requests: what is counted, by whom, and what is said of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask_limiter import Limiter
from werkzeug.test import TestResponse

from dibs.app import create_app
from dibs.cache.counts import NOTHING, LocalCounts
from dibs.errors import ConfigError
from dibs.rates import DEFAULTS, Rate, parse
from dibs.web.limits import GROUPS, KEY, PASSWORD_TRIED
from dibs.web.source import network_of
from tests.backends import SQLITE
from tests.web.site import PASSWORD, Site, problem

HOME, AWAY = "192.0.2.1", "198.51.100.7"


def ask(site: Site, method: str, path: str, source: str = HOME, **options: Any) -> TestResponse:
    return site.client.open(
        path, method=method, environ_overrides={"REMOTE_ADDR": source}, **options
    )


def check(site: Site, source: str = HOME, **headers: str) -> int:
    return ask(site, "GET", "/usernames/ada", source, headers=headers).status_code


def login(
    site: Site, name: object = "ada", password: str = PASSWORD, source: str = HOME
) -> TestResponse:
    body = {"username": name, "password": password}
    return ask(site, "POST", "/login", source, json=body)


def tries(
    site: Site, number: int, name: object = "ada", source: str = HOME, password: str = "wrong one"
) -> list[int]:
    return [login(site, name, password, source).status_code for _ in range(number)]


class Clock:
    def __init__(self, site: Site) -> None:
        self.now = 1000.0
        site.app.extensions[KEY].tally.local.clock = lambda: self.now


@pytest.fixture
def with_ada(make_site):
    """A site on which ada has a password; its limits are keywords."""

    def make(**groups: str) -> Site:
        usual = dict.fromkeys(DEFAULTS, "off") | groups
        said = "; ".join(f"{group}={rates}" for group, rates in usual.items())
        site: Site = make_site(password="required", rate_limits=said)
        assert site.register("ada", PASSWORD).status_code == 201
        return site

    return make


# --- routes and sources ------------------------------------------------------


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
    site = make_site(rate_limits=f"{group}=2/minute")
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


def test_every_route_of_a_group_is_there(site):
    assert (GROUPS.keys() | PASSWORD_TRIED) <= site.app.view_functions.keys()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs/", "/nowhere"])
def test_what_is_not_limited(make_site, path):
    """An orchestrator that is refused would restart what is healthy."""
    site = make_site(rate_limits="rest=1/minute")
    answers = [ask(site, "GET", path) for _ in range(3)]
    assert {answer.status_code for answer in answers} <= {200, 404}
    assert "RateLimit" not in answers[0].headers


def test_off_limits_nothing(make_site):
    site = make_site(rate_limits="off")
    assert KEY not in site.app.extensions
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


# --- accounts ------------------------------------------------------------------


def test_wrong_passwords_are_counted_by_account(with_ada):
    """From wherever they come, and by whatever spelling."""
    site = with_ada(account="3/hour")
    sources = [f"192.0.2.{number}" for number in range(5)]
    spellings = ["ada", "ADA", "\uff41da", "ada", "ada"]
    found = [tries(site, 1, *one)[0] for one in zip(spellings, sources, strict=True)]
    assert found == [401, 401, 401, 429, 429]
    assert login(site, source=AWAY).status_code == 429
    assert tries(site, 1, "bob") == [401]


def test_look_alikes_are_one_account(with_ada):
    """Or each of them would give as many tries again."""
    site = with_ada(account="2/hour")
    assert tries(site, 1, "modern") + tries(site, 2, "modem") == [401, 401, 429]


def test_an_unknown_name_is_counted_like_a_known_one(with_ada):
    """Nobody learns from a limit who is here."""
    site = with_ada(account="2/hour", account_source="3/hour")
    known, unknown = (
        [login(site, name, "wrong one") for _ in range(3)] for name in ("ada", "nobody")
    )
    for one, other in zip(known, unknown, strict=True):
        assert (one.status_code, one.data) == (other.status_code, other.data)
        names = ("RateLimit", "RateLimit-Policy", "Retry-After")
        assert [one.headers.get(name) for name in names] == [
            other.headers.get(name) for name in names
        ]


def test_only_failures_count_for_an_account(with_ada):
    """Not logins that succeed, and not requests that are refused for another reason."""
    site = with_ada(account="2/hour", account_source="2/hour")
    assert {login(site).status_code for _ in range(5)} == {200}
    for _ in range(3):
        assert ask(site, "POST", "/login", json={"username": "ada"}).status_code == 422
        assert ask(site, "POST", "/login", data=b"{").status_code == 415
    assert tries(site, 1) == [401]
    assert login(site).status_code == 200


def test_a_good_login_clears_its_own_source_s_failures_on_that_account(with_ada):
    """As NIST has it, and those from everywhere else stay."""
    site = with_ada(account="3/hour", account_source="2/hour")
    assert tries(site, 1) == [401]
    assert login(site).status_code == 200
    assert tries(site, 1) == [401]
    # Two of three are spent.
    assert tries(site, 2, source=AWAY) == [401, 429]


def test_a_good_login_does_not_clear_the_source_s_count(with_ada):
    """Or whoever has one account could try all others as often as she likes."""
    site = with_ada(login="4/hour")
    assert tries(site, 2, "bob") == [401, 401]
    assert login(site).status_code == 200
    assert tries(site, 2, "bob") == [401, 429]


def test_one_source_is_stopped_before_the_account_is(with_ada):
    """And the owner comes in from elsewhere."""
    site = with_ada(account="9/hour", account_source="2/hour")
    assert tries(site, 8, source=AWAY) == [401] * 2 + [429] * 6
    assert login(site).status_code == 200
    # What was refused was no try, and has not been counted as one.
    assert tries(site, 3, source="203.0.113.1") == [401, 401, 429]


def test_an_owner_is_not_kept_out_of_where_she_came_from(with_ada):
    """By who tries from everywhere; from a source that is new to the account, for the window."""
    site = with_ada(account="3/hour", account_source="2/hour")
    clock = Clock(site)
    assert login(site, source=HOME).status_code == 200
    attack = [tries(site, 1, source=f"203.0.113.{number}")[0] for number in range(6)]
    assert attack == [401] * 3 + [429] * 3
    assert login(site, source=HOME).status_code == 200
    assert login(site, source=AWAY).status_code == 429
    # Who shares her source has only as many tries as any source.
    assert tries(site, 3, source=HOME) == [401, 401, 429]
    clock.now += 3600
    assert login(site, source=AWAY).status_code == 200


def test_a_session_outlives_an_attack_on_its_account(with_ada):
    """Refreshing is not logging in."""
    site = with_ada(account="1/hour")
    tokens = login(site).get_json()
    assert tries(site, 2, source=AWAY) == [401, 429]
    headers = {"Authorization": f"Bearer {tokens['refresh_token']}"}
    assert ask(site, "POST", "/refresh", headers=headers).status_code == 200


def test_many_tries_at_once_are_no_more_than_the_limit(with_ada, monkeypatch):
    """A try is counted before its password is looked at."""
    site = with_ada(account="1/hour")
    inner: list[int] = []

    def check_password(*args: Any, **kwargs: Any) -> Any:
        inner.extend(tries(site, 1, source=AWAY))
        raise RuntimeError

    monkeypatch.setattr(type(site.parts.accounts.logins), "login", check_password)
    assert tries(site, 1) == [500]
    assert inner == [429]


def test_a_change_of_password_is_a_try_too(with_ada):
    """Who has stolen an access token may not guess the password with it."""
    site = with_ada(account="2/hour")
    token = login(site).get_json()["access_token"]
    body = {"current_password": "wrong one", "password": "another long password"}
    found = [
        ask(
            site, "PATCH", "/users/me", json=body, headers={"Authorization": f"Bearer {token}"}
        ).status_code
        for _ in range(3)
    ]
    assert found == [403, 403, 429]
    anonymous = [ask(site, "PATCH", "/users/me", json=body).status_code for _ in range(3)]
    assert anonymous == [401] * 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"username": 1}',
        b'{"username": "\\ud800"}',
        b"\xff",
        b"[" * 9999,
    ],
)
def test_a_body_that_names_nobody(with_ada, body):
    """Is refused by who reads it, not by a limit, and never a 500."""
    site = with_ada(account="1/hour", account_source="1/hour")
    found = [
        ask(site, "POST", "/login", data=body, content_type="application/json").status_code
        for _ in range(3)
    ]
    assert set(found) <= {400, 422}
    assert ask(site, "POST", "/login", data=b"x" * 70_000).status_code == 413


def test_nobody_s_name_is_logged(with_ada, caplog):
    """It may be a password, typed into the wrong field."""
    caplog.set_level("DEBUG")
    site = with_ada(account="1/hour", login="3/hour")
    assert tries(site, 4, "hunter2hunter2") == [401, 429, 429, 429]
    assert "hunter2" not in caplog.text
    assert HOME not in caplog.text


# --- what is said ----------------------------------------------------------------

ITEM = re.compile(r'"([\x20-\x21\x23-\x5b\x5d-\x7e]*)"((?:;[a-z]+=\d{1,15})*)')


def items(field: str) -> dict[str, dict[str, int]]:
    """A structured field: a list of strings with whole numbers as parameters (RFC 9651)."""
    found = [ITEM.fullmatch(one) for one in field.split(", ")]
    assert all(found), field
    parsed = {
        one[1]: {k: int(v) for k, v in re.findall(r";([a-z]+)=(\d+)", one[2])}
        for one in found
        if one
    }
    assert len(parsed) == len(found)
    return parsed


def test_headers(make_site):
    """draft-ietf-httpapi-ratelimit-headers-11: policies stay the same, the state counts down."""
    site = make_site(rate_limits="check=3/minute,9/hour")
    clock = Clock(site)
    policies = {"check-60": {"q": 3, "w": 60}, "check-3600": {"q": 9, "w": 3600}}
    for used in (1, 2, 3):
        answer = ask(site, "GET", "/usernames/ada")
        assert items(answer.headers["RateLimit-Policy"]) == policies
        assert items(answer.headers["RateLimit"]) == {
            "check-60": {"r": 3 - used, "t": 61 - used},
            "check-3600": {"r": 9 - used, "t": 3601 - used},
        }
        assert "Retry-After" not in answer.headers
        clock.now += 1
    refused = ask(site, "GET", "/usernames/ada")
    # Retry-After is no earlier than the end of what is told.
    assert items(refused.headers["RateLimit"]) == {"check-60": {"r": 0, "t": 57}}
    assert refused.headers["Retry-After"] == "57"


def test_errors_have_headers_too(make_site):
    site = make_site(rate_limits="on")
    for answer in (site.register(""), ask(site, "GET", "/users/nobody"), login(site)):
        assert answer.status_code >= 400
        assert items(answer.headers["RateLimit"])


def test_failures_of_others_are_not_told(with_ada):
    """How often somebody has tried an account is her business."""
    site = with_ada(login="9/hour", account="2/hour")
    told = [items(login(site, "ada", "wrong one").headers["RateLimit"]) for _ in range(3)]
    assert [list(one) for one in told] == [["login-3600"], ["login-3600"], ["account-3600"]]


def test_the_openapi_page_tells_of_limits(site):
    """At every operation but those that have none."""
    document = site.get("/openapi.json").json
    for path, item in document["paths"].items():
        for operation in (item[method] for method in item.keys() - {"parameters"}):
            said = operation["responses"].get("429")
            assert (said is None) is (path in ("/healthz", "/readyz"))
            assert said is None or {"RateLimit", "Retry-After"} <= said["headers"].keys()


@pytest.mark.parametrize(
    ("locale", "title", "detail"),
    [
        ("en", "Too many requests", "Too many requests. Please try again in 60 seconds."),
        ("zh", "请求过于频繁", "请求过于频繁，请在 60 秒后重试。"),
        (
            "ja",
            "リクエストが多すぎます",
            "リクエストが多すぎます。60 秒後にもう一度お試しください。",
        ),
    ],
)
def test_words(make_site, locale, title, detail):
    site = make_site(rate_limits="check=1/minute")
    check(site)
    answer = ask(site, "GET", "/usernames/ada", headers={"Accept-Language": locale})
    body = problem(answer, 429, "rate_limited")
    assert (body["title"], body["detail"]) == (title, detail)


# --- in a host app ---------------------------------------------------------------


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


# --- settings ----------------------------------------------------------------------


def test_what_is_built_in_can_be_read():
    assert parse("on") == parse("") == parse(" on ")
    assert parse("on").keys() == DEFAULTS.keys()
    assert parse("off") == {}


def test_one_group_may_differ():
    found = parse("login = 5 / minute , 7/2hours ;check=off;")
    assert found["login"] == (Rate(5, 60), Rate(7, 7200))
    assert "check" not in found
    assert found["register"] == parse("on")["register"]


def test_at_most_a_hundred_wrong_passwords_a_day():
    """NIST's number, in whichever 24 hours one looks: two windows may lie in them."""
    (rate,) = parse("on")["account"]
    assert 2 * rate.number <= 100
    assert rate.seconds == 86_400


@pytest.mark.parametrize("text", ["login", "=", "login==1/day", "login=1/day/2", "1/day", ";;x"])
def test_a_bad_setting_is_refused_at_the_start(text):
    with pytest.raises(ConfigError, match="DIBS_RATE_LIMITS cannot be used: "):
        create_app({"DIBS_RATE_LIMITS": text})


# --- counts in this process -----------------------------------------------------------


def test_counts_run_out():
    now = [0.0]
    counts = LocalCounts(clock=lambda: now[0])
    assert [counts.add("a", 1, 10).number for _ in range(3)] == [1, 2, 3]
    now[0] = 4.0
    assert counts.add("a", -1, 10).left == 6.0
    assert counts.add("a", 0, 10).number == 2
    now[0] = 10.0
    # Neither asking nor taking back begins a count.
    assert counts.add("a", 0, 10) == counts.add("a", -1, 10) == NOTHING
    assert counts.add("a", 1, 10).number == 1
    counts.remove("a")
    assert counts.add("a", -5, 10) == NOTHING


def test_counts_fill_no_memory():
    """Who invents keys drives out the oldest, first of all those that have run out."""
    now = [0.0]
    counts = LocalCounts(100, lambda: now[0])
    counts.add("long", 1, 1000)
    for number in range(99):
        counts.add(f"short {number}", 1, 10)
    now[0] = 10.0
    counts.add("new", 1, 10)
    assert len(counts) == 2
    for number in range(10_000):
        counts.add(f"more {number}", 1, 10)
        assert len(counts) <= 100
    assert counts.add("more 9999", 0, 10).number == 1
