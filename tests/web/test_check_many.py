"""`POST /usernames/check`: advice about many names at once."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from marshmallow import ValidationError
from werkzeug.test import TestResponse

from dibs.web.api.names import read
from dibs.web.api.schemas import CheckBody
from dibs.web.http.bodies import BodyInvalid
from tests.web.site import Site, problem

LIMIT = 64 * 1024


def post(site: Site, names: object, **more: object) -> TestResponse:
    return site.client.post("/usernames/check", json={"names": names, **more})


def results(answer: TestResponse) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert body.keys() == {"results"}
    found: list[dict[str, Any]] = body["results"]
    return found


def selects(site: Site) -> list[str]:
    return [one for one in site.sql if one.lstrip().startswith("SELECT")]


MIXTURE = [
    "ada",
    "ADA",
    "modem",
    "grace",
    "brand",
    "admin",
    "a b",
    "",
    "a",
    "\u0430da",
    "\u0430nybody",
    "x" * 3000,
    "王小明",
    "ada",
    "ada@example.org",
    "ad\x00a",
]


@pytest.mark.parametrize(
    "strategy", ["query_then_insert", "unique_constraint", "cache_aside", "membership_filter"]
)
def test_each_verdict_is_that_of_one_name_alone(make_site, strategy):
    """Of taken, alike, reserved, broken and free ones; in their order, with one query."""
    site = make_site(strategy=strategy)
    for name in ("ada", "modern"):
        site.register(name)
    site.parts.registry.reserve("brand", reason="x", deadline=site.parts.budget.start())
    site.sql.clear()
    found = results(post(site, MIXTURE))
    if strategy != "membership_filter":  # whose own thread asks as well
        assert len(selects(site)) == 1
    paths = [f"/usernames/{quote(name, safe='')}?suggestions=0" for name in MIXTURE if name]
    alone = [site.get(path).get_json() for path in paths]
    for one in alone:
        assert one.pop("suggestions") == []
    assert [one for one in found if one["name"]] == alone
    reasons = [one["reason"] for one in found]
    assert reasons[:6] == ["taken", "taken", "lookalike", None, "reserved", "reserved"]
    assert reasons[9:11] == ["lookalike", "invalid"]


def test_a_warm_cache_needs_no_query(make_site):
    """A worker remembers for a second what it has just read; free names are never remembered."""
    site = make_site(strategy="cache_aside")
    site.parts.cache._memory.seconds = 3600.0  # a busy machine may take longer than one
    taken = [f"user-{i}x" for i in range(5)]
    for name in taken:
        site.register(name)
    site.sql.clear()
    assert {one["reason"] for one in results(post(site, taken))} == {"taken"}
    assert selects(site) == []
    assert len(results(post(site, [*taken, "grace"]))) == 6
    assert len(selects(site)) == 1


def test_what_is_broken_asks_nobody(site):
    assert {one["reason"] for one in results(post(site, ["a", "b c", ""]))} <= {"invalid", "empty"}
    assert site.sql == []


def test_a_hundred(site):
    found = results(post(site, [f"name{i}x" for i in range(100)]))
    assert [one["name"] for one in found] == [f"name{i}x" for i in range(100)]
    assert len(selects(site)) == 1


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["ada"] * 101,
        "ada",
        {"0": "ada"},
        None,
        1,
        True,
        ["ada", 1],
        ["ada", None],
        ["ada", ["grace"]],
        [{"username": "ada"}],
    ],
    ids=lambda names: str(names)[:20],
)
def test_what_is_no_list_of_names_is_told_the_rule(site, names):
    body = problem(post(site, names), 422, "invalid")
    assert [(one["field"], one["code"]) for one in body["reasons"]] == [("names", "not_names")]
    assert "1 to 100 strings" in body["detail"]
    assert site.sql == []


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ({}, [("names", "required")]),
        ({"names": ["ada"], "name": "ada"}, [("name", "unknown")]),
        ({"names": ["ada"], "namespace": 1}, [("namespace", "not_text")]),
        ({"names": ["ada"], "namespace": ""}, [("namespace", "no_namespace")]),
        ({"names": ["ada"], "namespace": "\ud800"}, [("namespace", "no_namespace")]),
        ({"names": [], "namespace": []}, [("names", "not_names"), ("namespace", "not_text")]),
    ],
)
def test_other_fields(site, body, reasons):
    headers = {"Content-Type": "application/json"}
    answer = site.client.post("/usernames/check", data=json.dumps(body), headers=headers)
    answer = problem(answer, 422, "invalid")
    assert [(one["field"], one["code"]) for one in answer["reasons"]] == reasons


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        (b"", "application/json", 400, "malformed"),
        (b'["ada"]', "application/json", 400, "malformed"),
        (b'{"names": ["ada"], "names": []}', "application/json", 400, "malformed"),
        (b'{"names": ["ada"]}', "text/plain", 415, "unsupported_media_type"),
        (b'{"names": ["' + b"x" * LIMIT + b'"]}', "application/json", 413, "too_large"),
    ],
)
def test_what_cannot_be_read(site, data, kind, status, code):
    answer = site.client.post("/usernames/check", data=data, headers={"Content-Type": kind})
    problem(answer, status, code)


def test_half_a_character_is_answered(site):
    """JSON can spell it, and UTF-8 cannot."""
    data = b'{"names": ["ada\\ud800", "\\udc00\\ud800", "grace"]}'
    headers = {"Content-Type": "application/json"}
    found = results(site.client.post("/usernames/check", data=data, headers=headers))
    assert [one["available"] for one in found] == [False, False, True]
    assert [one["name"] for one in found] == ["ada\\ud800", "\\udc00\\ud800", "grace"]


def test_it_is_in_the_reader_s_language_and_not_kept(site):
    answer = site.client.post(
        "/usernames/check", json={"names": ["admin"]}, headers={"Accept-Language": "zh"}
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Language"] == "zh"
    assert "用户名" in results(answer)[0]["message"]


def test_check_is_a_name_too(site):
    """To GET, which is about one name; the address takes no other method."""
    assert site.get("/usernames/check").get_json()["name"] == "check"
    refused = problem(site.client.put("/usernames/check", json={}), 405, "method_not_allowed")
    assert refused
    allowed = site.client.put("/usernames/check", json={}).headers["Allow"]
    assert {"GET", "POST"} <= set(allowed.split(", "))


# --- limits --------------------------------------------------------------------


def left(answer: TestResponse) -> int:
    return int(answer.headers["RateLimit"].split(";r=")[1].split(";")[0])


def test_each_name_costs_one_check(make_site):
    site = make_site(rate_limits="check=10/minute")
    assert left(post(site, ["ada", "ada", "grace"])) == 7
    assert left(site.get("/usernames/ada")) == 6
    refused = post(site, [f"name{i}" for i in range(7)])
    problem(refused, 429, "rate_limited")
    assert refused.headers["Retry-After"]
    # The refused one has cost what any request does, and its names were given back.
    assert left(site.get("/usernames/ada")) == 4
    assert left(post(site, ["a", "b", "c", "d"])) == 0
    problem(site.get("/usernames/ada"), 429, "rate_limited")


def test_a_refused_list_is_not_looked_for(make_site):
    site = make_site(rate_limits="check=3/minute")
    site.get("/usernames/ada")
    site.sql.clear()
    problem(post(site, ["ada", "grace", "eve"]), 429, "rate_limited")
    assert site.sql == []


def test_a_list_that_is_longer_than_the_limit_costs_all_of_it(make_site):
    """Or it could be asked at no time."""
    site = make_site(rate_limits="check=5/minute,50/hour")
    assert left(post(site, ["ada"] * 20)) == 0
    problem(site.get("/usernames/ada"), 429, "rate_limited")


def test_a_list_that_is_none_costs_one(make_site):
    site = make_site(rate_limits="check=5/minute")
    assert left(post(site, ["ada", 1, 2])) == 4


BODIES: list[dict[str, Any]] = [
    {},
    {"names": []},
    {"names": None},
    {"names": "ada"},
    {"names": {"0": "ada"}},
    {"names": ["ada", None]},
    {"names": [["ada"]]},
    {"names": ["ada"] * 100},
    {"names": ["ada"] * 101},
    {"names": ["ada"], "namespace": "teams"},
    {"names": ["ada"], "namespace": None},
    {"names": ["ada"], "namespace": 1},
    {"names": ["ada"], "namespace": ["a"]},
    {"names": ["ada"], "x": 1, "a": None},
    {"namespace": True, "name": "ada"},
]


@pytest.mark.parametrize("body", BODIES, ids=str)
def test_the_page_that_describes_it_tells_the_truth(body):
    """A body is read without the schema that the page has; both take and refuse the same."""
    try:
        taken = CheckBody().load(body)
        expected: object = (taken["names"], taken["namespace"])
    except ValidationError as error:
        expected = sorted((field, codes[0]) for field, codes in error.normalized_messages().items())  # type: ignore[no-untyped-call]
    found: object
    try:
        found = read(body)
    except BodyInvalid as error:
        found = [(field, reason.code) for field, reason in error.reasons]
    assert found == expected
