"""What is said of limits: headers, words, the OpenAPI page."""

from __future__ import annotations

import re

import pytest

from dibs.web.i18n import about
from tests.web.limiting import Clock, ask, check, login
from tests.web.site import problem

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
    site = make_site(password="required", rate_limits="on")
    for answer in (site.register(""), ask(site, "GET", "/users/nobody"), login(site)):
        assert answer.status_code >= 400
        assert items(answer.headers["RateLimit"])


def test_failures_of_others_are_not_told(with_ada):
    """How often somebody has tried an account is the account's business."""
    site = with_ada(login="9/hour", account="2/hour")
    told = [items(login(site, "ada", "wrong one").headers["RateLimit"]) for _ in range(3)]
    assert [list(one) for one in told] == [["login-3600"], ["login-3600"], ["account-3600"]]


def test_the_openapi_page_tells_of_limits(make_site):
    """At every operation but those that have none."""
    document = make_site(password="optional").get("/openapi.json").json
    for path, item in document["paths"].items():
        for operation in (item[method] for method in item.keys() - {"parameters"}):
            said = operation["responses"].get("429")
            assert (said is None) is (path in ("/healthz", "/readyz"))
            assert said is None or {"RateLimit", "Retry-After"} <= said["headers"].keys()


@pytest.mark.parametrize(
    ("locale", "title", "detail"),
    [
        ("en", "Too many requests", "Too many requests. Please try again in 60 seconds."),
        ("zh", "请求过于频繁", "请求过于频繁，请在60秒钟后重试"),
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


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "Too many wrong passwords. Please try again in 15 minutes."),
        ("zh", "密码输错次数过多，请在15分钟后再试"),
        (
            "ja",
            "パスワードの間違いが続いたため、今はログインできません。"
            "15 分後にもう一度お試しください。",
        ),
    ],
)
def test_words_for_wrong_passwords(with_ada, locale, said):
    """In minutes: nobody counts 900 seconds."""
    site = with_ada(account_source="1/15minutes")
    login(site, "ada", "wrong one")
    body = {"username": "ada", "password": "wrong one"}
    answer = ask(site, "POST", "/login", json=body, headers={"Accept-Language": locale})
    assert problem(answer, 429, "rate_limited")["detail"] == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (91, "2 minutes"),
        (900, "15 minutes"),
        (5400, "90 minutes"),
        (5401, "2 hours"),
        (86_400, "24 hours"),
    ],
)
def test_how_long(make_site, seconds, said):
    """Never shorter than it is."""
    with make_site().app.test_request_context():
        assert about(seconds) == said
