"""Names that look alike are one name, and who comes second is told why."""

from __future__ import annotations

import pytest

from tests.web.site import problem

CYRILLIC_ALICE = "\u0430lice"  # its first letter is Cyrillic
ALL_CYRILLIC = "\u0440\u0430\u0443\u0440\u0430"  # reads as `paypa`


def test_a_lookalike_is_refused_and_its_neighbour_not_named(site):
    """The check says that much and no more."""
    site.register("paypa")
    answer = site.get(f"/usernames/{ALL_CYRILLIC}")
    assert (answer.json["available"], answer.json["reason"]) == (False, "lookalike")
    assert "paypa" not in answer.text
    problem(site.register(ALL_CYRILLIC), 409, "lookalike")


def test_mixed_scripts_are_refused_whoever_has_the_name(site):
    """A Cyrillic letter among Latin ones is no way to write a name."""
    verdict = site.get(f"/usernames/{CYRILLIC_ALICE}").json
    assert [reason["code"] for reason in verdict["reasons"]] == ["mixed_scripts"]
    problem(site.register(CYRILLIC_ALICE), 422, "invalid")


def test_mixed_scripts_that_look_like_somebody_are_called_that(site):
    """It says more than the rule, and still not whom."""
    site.register("alice")
    answer = site.get(f"/usernames/{CYRILLIC_ALICE}")
    assert (answer.json["available"], answer.json["reason"]) == (False, "lookalike")
    problem(site.register(CYRILLIC_ALICE), 409, "lookalike")


def test_who_has_a_name_is_not_said_before_the_password_will_do(make_site):
    """Or the names that are here could be tried out with passwords that make nobody a user."""
    site = make_site(password="required", argon2_memory_kib="64")
    said = []
    for _ in range(2):
        answers = [site.register(CYRILLIC_ALICE, bad) for bad in ("x", None)]
        said.append([problem(answer, 422, "invalid")["reasons"] for answer in answers])
        assert site.register("alice", "correct horse battery").status_code in {201, 409}
    assert said[0] == said[1]
    problem(site.register(CYRILLIC_ALICE, "correct horse battery"), 409, "lookalike")


@pytest.mark.parametrize(
    ("lookalikes", "first", "second", "status"),
    [
        ("standard", "user1", "userl", 409),
        ("standard", "modern", "modem", 409),
        ("standard", "paypal", "paypaI", 201),
        ("strict", "paypal", "paypaI", 409),
        ("strict", "google", "g00gle", 409),
        ("off", "user1", "userl", 201),
        ("standard", "MAMA", "\ua4df\ua4ee\ua4df\ua4ee", 409),  # Lisu
        ("standard", "\u0110\u1eb7ng", "\u00d0\u1eb7ng", 409),  # an Icelandic letter
        ("standard", "Max", "\u041c\u0430\u0445", 409),  # Cyrillic
        ("standard", "fun", "\u017fun", 422),
    ],
)
def test_how_much_must_differ_is_a_setting(make_site, lookalikes, first, second, status):
    """`standard` is UTS #39; `strict` also i = l = 1 and o = 0, as PyPI has it."""
    site = make_site(lookalikes=lookalikes)
    assert site.register(first).status_code == 201
    assert site.register(second).status_code == status


def test_rules_and_reserved_words_are_settings(make_site):
    """Li, Ms Guest and account 5551234 are let in where the service says so, and nobody else."""
    names = ("Li", "葵", "5551234", "Guest", "L", "home")
    assert [make_site().register(name).status_code for name in names] == [422] * 3 + [409, 422, 409]
    site = make_site(name_rules="min_length=2; numbers=on", unreserved="guest null")
    assert [site.register(name).status_code for name in names] == [201] * 4 + [422, 409]
    rules = "max_length=12; dns=on; reserved=acme *-bot; free=good-bot"
    site = make_site(name_rules=rules)
    others = ("a" * 13, "Zo\u00eb", "acme", "spam-b0t", "good-bot")
    assert [site.register(name).status_code for name in others] == [422, 422, 409, 409, 201]


def test_the_key_is_not_the_person(site):
    """Asked for under a look-alike's spelling, a name is not said to be taken by itself."""
    site.register("modern")
    assert site.get("/usernames/Modern").json["reason"] == "taken"
    assert site.get("/usernames/modem").json["reason"] == "lookalike"
