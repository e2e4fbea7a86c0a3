"""`Idempotency-Key`: a retry gets its own success, nobody else does."""

from __future__ import annotations

import pytest

from tests.web.site import PASSWORD, problem

KEY = "0123456789abcdef"


def test_a_retry_gets_its_success(make_site, strategy):
    """Same key, same body: 201 both times, and one user."""
    site = make_site(strategy=strategy)
    first, second = (site.register("ada", Idempotency_Key=KEY) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json
    assert [user["id"] for user in site.users()] == [first.json["id"]]


def test_a_retry_is_not_hashed_again(make_site, hashed):
    site = make_site(password="required")
    ids = {site.register("ada", PASSWORD, Idempotency_Key=KEY).json["id"] for _ in range(2)}
    assert (len(ids), len(hashed)) == (1, 1)


@pytest.mark.parametrize("password", ["another password", None])
def test_a_guessed_key_fetches_nothing(make_site, password):
    """The key of another client's request, with another body: not even who it was."""
    site = make_site(password="optional")
    ada = site.register("ada", PASSWORD, Idempotency_Key=KEY).json
    refused = site.register("ada", password, Idempotency_Key=KEY)
    assert problem(refused, 422, "idempotency_key_reused")["type"].endswith(
        ":idempotency_key_reused"
    )
    assert ada["id"] not in refused.text
    assert "taken" not in refused.text


def test_a_key_is_for_one_request(site):
    """Another name with it is neither registered nor answered with the first one's success."""
    assert site.register("ada", Idempotency_Key=KEY).status_code == 201
    problem(site.register("grace", Idempotency_Key=KEY), 422, "idempotency_key_reused")
    assert [user["username"] for user in site.users()] == ["ada"]


@pytest.mark.parametrize("other", [{"Idempotency_Key": KEY[::-1]}, {}])
def test_another_request_is_told_that_the_name_is_taken(site, other):
    assert site.register("ada", Idempotency_Key=KEY).status_code == 201
    problem(site.register("ada", **other), 409, "taken")


def test_quotes_are_not_part_of_the_key(site):
    """A structured-field string (RFC 8941) and the bare one are the same key."""
    first = site.register("ada", Idempotency_Key=f'"{KEY}"')
    assert site.register("ada", Idempotency_Key=KEY).json == first.json


@pytest.mark.parametrize("length", [16, 255])
def test_the_shortest_and_the_longest_key(site, length):
    assert site.register("ada", Idempotency_Key="k" * length).status_code == 201


@pytest.mark.parametrize(
    "key",
    ["", '"', '""', "k" * 15, f'"{KEY[:15]}"', "k" * 256, "k" * 60_000, "é" * 16, "k\x7f" * 8],
)
def test_a_key_that_cannot_be_used_is_refused(site, key):
    """Short ones could be somebody else's; nothing is stored and nothing asked."""
    problem(site.register("ada", Idempotency_Key=key), 400, "malformed")
    assert site.sql == []
    assert site.users() == []


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (f'"{KEY}"; a=1', "without a semicolon"),
        (f"{KEY};a=1", "without a semicolon"),
        (f'"{KEY}", "{KEY}"', "Send exactly one Idempotency-Key"),
        (f"{KEY},{KEY}", "Send exactly one Idempotency-Key"),
        (f'"{KEY}', "16 to 255 printable"),
    ],
)
def test_what_is_no_single_string_is_refused_in_words(site, header, words):
    assert (
        words in problem(site.register("ada", Idempotency_Key=header), 400, "malformed")["detail"]
    )
    assert site.sql == []


def test_two_headers_are_refused(site):
    """Servers join them with a comma."""
    headers = [("Idempotency-Key", KEY), ("Idempotency-Key", KEY)]
    answer = site.client.post("/register", json={"username": "ada"}, headers=headers)
    assert "Send exactly one" in problem(answer, 400, "malformed")["detail"]


def test_a_comma_and_a_semicolon_between_quotes_are_part_of_the_key(site):
    answers = [site.register("ada", Idempotency_Key=f'"{KEY},;"') for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
