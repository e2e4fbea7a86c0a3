"""New names and existing ones, a host's own rules, and what is remembered."""

from __future__ import annotations

import threading

import pytest

from dibs.errors import EmptyName, InvalidName, Reason
from dibs.names import NamePolicy, Parser, parse, parse_existing, verdicts
from dibs.names.username import MAX_REMEMBERED

NO_CATS = Reason("cats", "No %(what)s here.", {"what": "cats"})


def no_cats(display, canonical, policy):
    if "cat" in canonical:
        yield NO_CATS


@pytest.mark.parametrize(
    "raw", ["admin", "ab", "a" * 200, "007", "ada.json", "аlice", "a..b", "a\u200bda", "O'Brien"]
)  # fmt: skip
def test_a_rule_for_new_names_never_locks_out_an_existing_one(raw):
    """She had the name before the rule came, and still logs in by it."""
    found = verdicts(raw)
    assert (found.valid_for_new, found.valid_for_existing) == (False, True)
    assert found.reasons
    assert parse_existing(raw).display == raw


def test_an_existing_name_has_the_key_that_it_had_when_new():
    for mode in ("standard", "strict", "off"):
        for raw in ("Ada", "modem", "İstanbul", "李明", "Straße".encode()):
            assert parse_existing(raw, lookalikes=mode) == parse(raw, lookalikes=mode)
    assert verdicts("Ada").valid_for_new


@pytest.mark.parametrize(
    "raw", ["", " ", "\u200b", b"\xff", "a\x00b", "a\ud800", "a" * 2000, "ada\u0378"]
)
def test_what_can_have_no_key_is_no_existing_name_either(raw):
    """No database could hold it, or its key would depend on Python's version."""
    assert verdicts(raw).valid_for_existing is False
    with pytest.raises(InvalidName):
        parse_existing(raw)


def test_nothing_visible_is_empty():
    with pytest.raises(EmptyName):
        parse_existing("\u200b\u200d")


@pytest.mark.parametrize("raw", ["Tomcat", "Кот.cat", "cat"])
def test_a_host_adds_its_own_rules(raw):
    """They are asked after ours, of ASCII names too, and their reasons stand beside ours."""
    policy = NamePolicy(extra_rules=(no_cats,))
    with pytest.raises(InvalidName) as refused:
        parse(raw, policy=policy)
    assert refused.value.reasons[-1] == NO_CATS
    assert parse("Tomdog", policy=policy).canonical == "tomdog"


def test_a_hosts_rule_may_change_its_mind():
    """Its answers are not remembered."""
    closed = set()

    def rule(display, canonical, policy):
        if canonical in closed:
            yield NO_CATS

    parser = Parser(policy=NamePolicy(extra_rules=(rule,)))
    assert parser.parse("ada").key == "ada"
    closed.add("ada")
    with pytest.raises(InvalidName):
        parser.parse("ada")


def gives_none(display, canonical, policy):
    return None


def gives_text(display, canonical, policy):
    yield "no cats"


@pytest.mark.parametrize("rule", [gives_none, lambda *_: True, gives_text], ids=["1", "2", "3"])
def test_a_rule_that_gives_no_reasons_is_named(rule):
    """At once, and not where the reason is shown."""
    with pytest.raises(TypeError, match=rule.__qualname__):
        parse("Ada", policy=NamePolicy(extra_rules=(rule,)))


def test_numbers_can_be_let_in():
    assert parse("007", policy=NamePolicy(numeric=True)).canonical == "007"


def test_names_are_remembered_up_to_a_bound():
    """The same value comes back; memory does not grow with what is asked."""
    parser = Parser()
    assert parser.parse("Ada") is parser.parse("Ada")
    for number in range(MAX_REMEMBERED + 10):
        parser.parse(f"name{number}")
    assert len(parser._seen) <= MAX_REMEMBERED


def test_one_parser_serves_many_threads():
    """Each gets the name it asked for while the memory is emptied under it."""
    parser, wrong = Parser(), []
    start = threading.Barrier(8)

    def work(seed):
        start.wait()
        for number in range(3000):
            raw = f"Name{seed * number}x"
            wrong.extend([raw] * (parser.parse(raw).display != raw))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_modes_are_parsers_of_their_own():
    assert Parser(lookalikes="strict").parse("Bill").key == "blll"
    assert Parser(lookalikes="off").parse("Bill1").key == "bill1"
    with pytest.raises(ValueError, match="lookalikes"):
        Parser(lookalikes="no")  # type: ignore[arg-type]
