"""What a careless or a hostile client sends: refused by name, before any work."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backends import SQLITE
from tests.web.site import PASSWORD, Site, problem

LIMIT = 64 * 1024


def named(value: object, **more: object) -> bytes:
    """A body with this username."""
    return json.dumps({"username": value, **more}).encode()


MALFORMED = {
    "no body": b"",
    "blank body": b" \r\n",
    "not JSON": b"username=ada",
    "cut off": b'{"username": "ada"',
    "two values": b'{"username": "ada"} {}',
    "trailing comma": b'{"username": "ada",}',
    "single quotes": b"{'username': 'ada'}",
    "comment": b'{"username": "ada"} // hello',
    "a list": b'[{"username": "ada"}]',
    "an empty list": b"[]",
    "a number": b"1",
    "null": b"null",
    "true": b"true",
    "a string": b'"ada"',
    "NaN": b'{"username": NaN}',
    "Infinity": b'{"username": "ada", "x": -Infinity}',
    "the same name twice": b'{"username": "ada", "username": "eve"}',
    "twice, escaped": b'{"username": "ada", "\\u0075sername": "eve"}',
    "twice, nested": b'{"username": "ada", "x": {"a": 1, "a": 2}}',
    "deep lists": b"[" * (LIMIT - 1),
    "deep lists, closed": b"[" * 30_000 + b"]" * 30_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a huge integer": b'{"username": ' + b"9" * 60_000 + b"}",
    "invalid UTF-8": b'{"username": "\xff\xfe\xfd"}',
    "a surrogate in UTF-8": b'{"username": "\xed\xa0\x80ada"}',
    "overlong UTF-8": b'{"username": "\xc1\xa1da"}',
    "UTF-16": '{"username": "ada"}'.encode("utf-16"),
    "UTF-32": '{"username": "ada"}'.encode("utf-32-le"),
    "a byte order mark": b'\xef\xbb\xbf{"username": "ada"}',
    "a raw NUL": b'{"username": "a\x00da"}',
    "a raw line break": b'{"username": "a\nda"}',
}

EMPTY = {
    "no username": b"{}",
    "no username, but a password": b'{"password": 1}',
    "an empty username": named(""),
    "a blank username": named("   "),
    "blank in other scripts": named("\u3000\u2003\u00a0"),
    "line breaks only": named("\r\n\t"),
}

INVALID = {
    "a list": named(["ada"]),
    "an object": named({"$ne": ""}),
    "an integer": named(12345),
    "a number": named(1.5),
    "an infinite number": b'{"username": 1e999}',
    "true": named(True),
    "null": named(None),
    "NUL": named("a\x00da"),
    "a lone surrogate": b'{"username": "\\ud800x"}',
    "surrogates in the wrong order": b'{"username": "ada\\udc00\\ud800"}',
    "zero-width space": named("ad\u200ba"),
    "zero-width joiner": named("ad\u200da"),
    "byte order mark": named("\ufeffada"),
    "bidi override": named("\u202eada"),
    "bidi isolate": named("ada\u2066eve\u2069"),
    "CR LF": named("ada\r\nSet-Cookie: a=b"),
    "a line separator": named("ada\u2028eve"),
    "a space at the end": named("ada "),
    "1,000 code points": named("x" * 1000),
    "60,000 code points": named("x" * 60_000),
    "1,000 marks on a letter": named("a" + "\u0301" * 1000),
    "@": named("ada@example.org"),
    "fullwidth @": named("ada\uff20example"),
    "a slash": named("ada/eve"),
    "a tag": named("<b>ada</b>"),
    "SQL": named("ada'; DROP TABLE dibs_users; --"),
    "id": named("ada", id="1"),
    "is_admin": named("ada", is_admin=True),
    "a field in another case": named("ada", USERNAME="eve"),
    "__proto__": named("ada", __proto__={"is_admin": True}),
    "a field of 10,000 characters": named("ada", **{"k" * 10_000: 1}),
    "a lone surrogate as a field": b'{"username": "ada", "\\ud800": 1}',
    "an empty field": named("ada", **{"": 1}),
    "a field like a format": named("ada", **{"%(field)s %s {0}": 1}),
    "10,000 fields": named("ada", **{f"k{n}": 1 for n in range(4_000)}),
    "password: a number": named("ada", password=12345678),
    "password: null": named("ada", password=None),
    "password: a list": named("ada", password=[PASSWORD]),
    "password: 257 code points": named("ada", password="x" * 257),
}

CASES = [
    pytest.param(status, code, body, id=f"{code}: {name}")
    for status, code, table in (
        (400, "malformed", MALFORMED),
        (400, "empty", EMPTY),
        (422, "invalid", INVALID),
    )
    for name, body in table.items()
]


@pytest.fixture(scope="module", params=["off", "required"])
def empty_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """One for all, because none of them leaves a trace."""
    url = SQLITE.migrated()
    site = Site(url, password=request.param)
    yield site
    site.close()
    SQLITE.drop(url)


@pytest.mark.parametrize(("status", "code", "body"), CASES)
def test_refused_before_any_work(empty_site, hashed, status, code, body):
    """The right status, not one statement, no hash; nothing is stored."""
    empty_site.sql.clear()
    problem(empty_site.send(body), status, code)
    assert (empty_site.sql, hashed) == ([], [])
    assert empty_site.users() == []


@pytest.mark.parametrize("body", [b"x" * (LIMIT + 1), b"[" * 100_000, named("x" * 100_000)])
def test_a_large_body_is_refused(site, body):
    """Over 64 KiB: 413, before it is read."""
    problem(site.send(body), 413, "too_large")
    assert site.sql == []


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1, 200_000])
def test_a_large_body_in_chunks_is_refused(site, size):
    """One that does not say its length, and whose first 64 KiB would be a fine body."""
    body = named("ada").ljust(size)
    answer = site.client.post(
        "/register",
        input_stream=io.BytesIO(body),
        headers={"Content-Type": "application/json", "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    problem(answer, 413, "too_large")
    assert site.users() == []


def test_a_body_of_64_kib_is_read(site):
    assert site.send(named("ada").ljust(LIMIT)).status_code == 201


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "garbage",
        "*/*",
    ],
)
def test_only_json_is_read(site, content_type):
    """A form can be sent from any web page without asking; JSON cannot."""
    problem(site.send(named("ada"), content_type), 415, "unsupported_media_type")
    assert site.sql == []


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        "application/json; charset=utf-16",
        "Application/JSON",
        "application/vnd.api+json",
    ],
)
def test_json_is_utf_8_whatever_its_parameters_say(site, content_type):
    """RFC 8259, 8.1 and 11: there is no charset parameter."""
    assert site.send(named("ada"), content_type).status_code == 201


def test_every_broken_field_is_named_at_once(site):
    reasons = problem(site.send(named(1, id="1", admin=True)), 422, "invalid")["reasons"]
    found = [(reason["field"], reason["code"]) for reason in reasons]
    assert found == [("admin", "unknown"), ("id", "unknown"), ("username", "not_text")]


def test_every_broken_rule_is_named_at_once(site):
    reasons = problem(site.register(".a\u200b@"), 422, "invalid")["reasons"]
    assert {reason["code"] for reason in reasons} >= {"control", "at_sign", "separator_at_end"}


@pytest.mark.parametrize("password", [None, "short"])
def test_name_and_password_are_refused_together(make_site, hashed, password):
    """One answer has the reasons of both; a name that is only missing goes first."""
    site = make_site(password="required")
    site.sql.clear()
    reasons = problem(site.register("-a", password), 422, "invalid")["reasons"]
    assert [reason["field"] for reason in reasons] == ["username", "username", "password"]
    problem(site.register("", password), 400, "empty")
    assert problem(site.register("admin", password), 422, "invalid")["reasons"][0]["code"] == (
        "reserved"
    )
    assert (hashed, site.sql) == ([], [])


def test_a_long_field_is_not_repeated(site):
    """An answer is no larger for what was sent."""
    assert len(site.send(named("ada", **{"k" * 60_000: 1})).data) < 1000


@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT", "PATCH", "DELETE", "TRACE", "LINK"])
def test_register_takes_post_only(site, method):
    """405, and Allow says what would be right."""
    answer = site.client.open("/register", method=method)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "LINK"])
@pytest.mark.parametrize(
    "path", ["/usernames/ada", "/users", "/healthz", "/readyz", "/openapi.json"]
)
def test_what_is_read_cannot_be_written(site, method, path):
    answer = site.client.open(path, method=method)
    problem(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("method", ["POST", "PUT", "TRACE", "LINK"])
def test_a_user_is_read_changed_and_deleted(site, method):
    answer = site.client.open("/users/x", method=method)
    problem(answer, 405, "method_not_allowed")
    allowed = {"GET", "HEAD", "OPTIONS", "PATCH", "DELETE"}
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path", ["/register", "/usernames/ada", "/users", "/users/x", "/healthz", "/openapi.json"]
)
def test_options_are_told(site, path):
    answer = site.client.options(path)
    assert (answer.status_code, answer.data) == (200, b"")
    assert "OPTIONS" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/nope", "/register/", "/users/", "/usernames/", "/USERS"])
def test_an_unknown_address_is_a_404(site, path):
    problem(site.get(path), 404, "not_found")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=5,
)
fields = st.dictionaries(st.sampled_from(["username", "password", "id", "x"]), json_values)
mutants = st.binary(max_size=60) | fields.map(lambda body: json.dumps(body).encode())


@settings(max_examples=100)
@given(body=mutants)
def test_no_body_is_a_500(site, body):
    """Whatever is sent is either registered or refused, and never half of each."""
    before = len(site.users())
    status = site.send(body).status_code
    assert status in (201, 400, 409, 422)
    assert len(site.users()) - before == (status == 201)
