"""Suggestions: valid, different, steady, and never rude."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dibs.errors import InvalidName, Reason
from dibs.names import NamePolicy, Parser, parse
from dibs.names.suggest import COUNT, candidates, said

NAMES = [
    "alice", "AdaLovelace", "ada.lovelace99", "x-y", "a" * 30, "李明", "田中", "さくら", "김민준",
    "Анна", "Ελένη", "محمد", "أحمد٣", "אבג", "राम", "ไทยนำ", "ქეთი", "ᎠᎡᎢ", "ｆｕｌｌ", "Cassandra",
    "Michelle", "Dick", "7つの海", "2pässe",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_suggestions_are_names_that_can_be_had(name):
    """Each keeps every rule, and no two share a key with each other or with the name."""
    username = parse(name, reserved=())
    found = candidates(username, seed_minute=7)
    keys = {parse(suggestion.name).key for suggestion in found}
    assert len(keys - {username.key}) == len(found) == COUNT


@given(st.text("019a1mZé٣ब海つ\u0301._-", min_size=2, max_size=9))
@example("7つの海")
def test_for_every_name_there_is_an_answer(text):
    """Or who asks about one that is taken would be told that something went wrong."""
    try:
        username = parse(text, reserved=())
    except InvalidName:
        return
    candidates(username, seed_minute=7)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_suggestions_are_steady_for_a_minute(name):
    username = parse(name, reserved=())
    assert candidates(username, seed_minute=7) == candidates(username, seed_minute=7)
    assert candidates(username, seed_minute=7) != candidates(username, seed_minute=8)


def test_a_host_that_changes_its_mind_is_asked_again():
    """Within the minute too: nothing that its own rule refuses by now is suggested."""
    refused: set[str] = set()

    def rule(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
        if display in refused:
            yield Reason("refused", "This name is refused.")

    parser = Parser(policy=NamePolicy(extra_rules=(rule,)))
    username = parser.parse("alice")
    first = candidates(username, parser=parser, seed_minute=7)[0].name
    refused.add(first)
    assert first not in {one.name for one in candidates(username, parser=parser, seed_minute=7)}


@pytest.mark.parametrize("minute", range(50))
def test_suggestions_add_nothing_rude(minute):
    """What is not in the name is not put in, and no number that means something is."""
    for name in ("alice", "cassie", "AdaLovelace", "Анна", "李明", "nat"):
        own = said(name)
        for suggestion in candidates(parse(name), seed_minute=minute):
            assert said(suggestion.name) <= own
            assert not set(suggestion.name) & set("01689")


def test_a_rude_name_gets_no_suggestions():
    """The service does not go on where somebody else stopped; `5h1t` is written differently."""
    for rude in ("fuckyou", "5h1thead", "n.a.z.i", "х.у.й"):
        assert candidates(parse(rude), seed_minute=1) == ()


@pytest.mark.parametrize("name", ["a.nus", "d.ick", "rap.e"])
def test_a_dot_is_not_taken_out_of_a_rude_word(name):
    """Only the word as it stands is hers, and what a separator keeps apart stays so."""
    plain = name.replace(".", "")
    for minute in range(20):
        found = candidates(parse(name), seed_minute=minute)
        assert found
        assert not any(plain in s.name for s in found)


@pytest.mark.parametrize("name", ["ad.min", "admins", "sales", "админ", "官方"])
def test_a_role_gets_no_suggestions(name):
    """`ad.min57` would be believed to be staff too."""
    assert candidates(parse(name, reserved=()), seed_minute=1) == ()


def test_a_long_indic_name_is_cut_between_its_letters():
    """Not after the sign that joins a letter to the next one."""
    name = "क्षत्रि" * 15
    for suggestion in candidates(parse(name), seed_minute=1):
        assert not re.search("\u094d([^\u0900-\u0963]|$)", suggestion.name), ascii(suggestion.name)


def test_methods_fit_the_name():
    """Initials come of two words only, and digits are those that the name has."""
    methods = {s.method for s in candidates(parse("AdaLovelace"), seed_minute=1)}
    assert methods == {"digits", "separator", "word", "initials"}
    arabic = candidates(parse("أحمد٣"), seed_minute=1)
    assert not any(char.isascii() and char.isdigit() for s in arabic for char in s.name)


def test_suggestions_keep_the_hosts_rules():
    """No room for a separator, hardly room for a digit."""
    narrow = NamePolicy(max_length=6, separators="")
    found = candidates(parse("alice", policy=narrow), seed_minute=1, parser=Parser(policy=narrow))
    assert found
    assert all(parse(s.name, policy=narrow) for s in found)
    strict = candidates(parse("alice"), seed_minute=1, parser=Parser(lookalikes="strict"))
    assert len({parse(s.name, lookalikes="strict").key for s in strict}) == COUNT


def test_reserved_names_are_not_suggested():
    with pytest.raises(InvalidName):
        parse("ad-min")
    assert "ad-min" not in {s.name for s in candidates(parse("adMin", reserved=()), seed_minute=1)}


def test_suggestions_are_not_remembered():
    """Nobody asked for them, and a dozen each time would push out the names that come again."""
    parser = Parser()
    name = parser.parse("alice")
    found = candidates(name, parser=parser, seed_minute=1)
    assert list(parser._seen) == ["alice"]
    assert [parser.parse(one.name).key for one in found] == [one.key for one in found]
