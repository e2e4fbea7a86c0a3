"""Other names for somebody whose name cannot be had."""

from __future__ import annotations

import pytest

from dibs.errors import StoreUnavailable
from dibs.registry import Registry
from tests.web.site import problem

METHODS = {"digits", "separator", "word", "initials"}


@pytest.mark.parametrize(
    "name", ["Ada_Lovelace", "李小明", "\u041c\u0430\u0440\u0438\u044f", "bob", "7つの海"]
)
def test_a_refusal_suggests_at_least_three_names_that_can_be_had(site, name):
    """Each is registered in turn."""
    site.register(name)
    suggestions = problem(site.register(name), 409, "taken")["suggestions"]
    assert len(suggestions) >= 3
    assert {one["method"] for one in suggestions} <= METHODS
    assert {site.register(one["name"]).status_code for one in suggestions} == {201}


def test_what_is_taken_is_not_suggested(site):
    """One query finds out which are free."""
    site.register("ada")
    first = problem(site.register("ada"), 409, "taken")["suggestions"]
    for one in first:
        site.register(one["name"])
    second = problem(site.register("ada"), 409, "taken")["suggestions"]
    assert {one["name"] for one in first}.isdisjoint(one["name"] for one in second)
    site.sql.clear()
    site.get("/usernames/ada")
    assert [one.split()[0] for one in site.sql] == ["SELECT", "SELECT"]


def test_the_check_suggests_the_same(site):
    """Within a minute the list does not flicker; a page across its end is asked once more."""
    site.register("ada")
    pairs = []
    for _ in range(2):
        asked = site.get("/usernames/ada").json["suggestions"]
        pairs.append((asked, problem(site.register("ada"), 409, "taken")["suggestions"]))
    assert any(asked and asked == told for asked, told in pairs)


def test_a_reserved_name_has_neighbours_too(site):
    """None of them reserved; of a role there is none that would not pass for one."""
    body = problem(site.register("login"), 409, "reserved")
    assert body["suggestions"]
    assert all(one["name"] != "login" for one in body["suggestions"])
    assert "suggestions" not in problem(site.register("ad.min"), 409, "reserved")


def test_a_free_or_broken_name_gets_none(site):
    """Nothing to suggest, or a rule to keep first."""
    assert site.get("/usernames/ada").json["suggestions"] == []
    assert site.get("/usernames/a").json["suggestions"] == []


def test_what_mixes_scripts_gets_names_as_it_reads(site):
    """A Cyrillic letter in each of them would help nobody."""
    site.register("alice")
    told = problem(site.register("\u0430lice"), 409, "lookalike")["suggestions"]
    asked = site.get("/usernames/\u0430lice").json["suggestions"]
    for suggestions in (told, asked):
        assert len(suggestions) >= 3
        assert all(one["name"].isascii() for one in suggestions)
    assert {site.register(one["name"]).status_code for one in told} == {201}


def test_they_can_be_turned_off(site):
    """And then cost nothing."""
    site.register("ada")
    site.sql.clear()
    assert site.get("/usernames/ada?suggestions=0").json["suggestions"] == []
    assert len(site.sql) == 1
    assert "suggestions" not in problem(
        site.client.post("/register?suggestions=0", json={"username": "ada"}), 409, "taken"
    )


def test_a_database_that_cannot_say_suggests_nothing(site, monkeypatch):
    """The refusal stands without them."""
    site.register("ada")
    find = site.parts.store.find

    def away(keys, **options):
        if len(keys) > 1:
            raise StoreUnavailable
        return find(keys, **options)

    monkeypatch.setattr(site.parts.store, "find", away)
    assert "suggestions" not in problem(site.register("ada"), 409, "taken")


def test_no_address_of_the_service_is_a_name(site):
    """Its first parts are read from the URL map."""
    parts = {rule.rule.strip("/").split("/")[0] for rule in site.app.url_map.iter_rules()}
    words = {part for part in parts if part.isalnum() and len(part) > 2}
    assert {"register", "usernames", "users", "docs"} <= words
    assert {site.get(f"/usernames/{word}").json["reason"] for word in words} == {"reserved"}


def test_routes_of_an_app_are_reserved_before_names_are_taken(site):
    """What is no built-in word is one after this."""
    registry: Registry = site.parts.registry
    assert site.get("/usernames/zanzibar").json["available"]
    registry.reserve_routes(["zanzibar"])
    assert site.get("/usernames/Zanzibar").json["reason"] == "reserved"
