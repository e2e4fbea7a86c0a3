"""Every order of the steps of a name's life, and that each rule is needed."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from dibs.cache.redis.taken import TOMBSTONE_MS
from dibs.cache.taken import STALE_FILL_SECONDS
from dibs.config import Settings
from tests.docs.blocks import ROOT
from tests.docs.test_tour import found_at
from tests.model import group
from tests.model.model import DEADLINE, FILL, TOMBSTONE, Broken, Model, Rule

WHY = (ROOT / "docs" / "why-it-holds.md").read_text(encoding="utf-8")
NEEDED: dict[Rule, str] = {
    "unique": "one holder",
    "token": "no false taken",
    "rows stay": "what was refused is not written later",
    "told first": "no false taken",
    "tombstones": "no false taken",
    "versions": "no false taken",
    "late fills": "no false taken",
}


def test_every_order_keeps_the_promises():
    assert Model().explore() > 40_000


@pytest.mark.parametrize("rule", get_args(Rule))
def test_without_a_rule_one_order_does_not(rule):
    with pytest.raises(Broken) as broken:
        Model(rule).explore()
    assert broken.value.args[0] == NEEDED[rule]


def test_a_tombstone_outlasts_what_it_is_for():
    """In the product as in the model: the page says from which deadline on it does not."""
    left = TOMBSTONE_MS / 1000 - STALE_FILL_SECONDS
    assert Settings().deadline < left == 58
    assert FILL + DEADLINE < TOMBSTONE


def test_two_who_leave_a_group():
    assert group.explore(locks=True) > 10


def test_without_the_lock_they_lose_it():
    with pytest.raises(Broken):
        group.explore(locks=False)


def test_the_page_names_every_rule_and_promise():
    """Its table has a line for each rule, with the promise that goes without it."""
    rows = dict(re.findall(r"^\| \*\*([\w ]+)\*\*.*\| ([\w ]+) \|$", WHY, re.MULTILINE))
    assert {rule: rows[rule] for rule in NEEDED} == NEEDED


@pytest.mark.parametrize("symbol", sorted(set(re.findall(r"`(dibs[\w.]*:[\w.]+)`", WHY))))
def test_the_code_that_it_names_is_there(symbol):
    assert found_at(symbol) is not None
