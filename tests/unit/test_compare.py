"""What is made of the measured: figures, advice, tables."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dibs.compare import table
from dibs.compare.advice import advice
from dibs.compare.asking import Sent
from dibs.compare.figures import BASELINE, CASES, Figures, Level, Report, Slice, summarise
from dibs.strategies import STRATEGIES

PLAIN = Figures(
    answers=100,
    rate=1000.0,
    ratio=1.0,
    p50_ms=1.0,
    p99_ms=2.0,
    sql=1.0,
    users=0.0,
    frames=2.0,
    redis=0.0,
    sources={"database": 1.0},
    false_answers=0,
    failed=0,
)
ABOUT = {
    "dibs": "1",
    "python": "3",
    "processors": 2,
    "database": "SQLite 3",
    "redis": None,
    "names": 1,
    "clients": 1,
    "seconds": 1.0,
    "rounds": 1,
}


def level(**other: Figures) -> Level:
    """The baseline and a strategy whose figures are the same but for those given."""
    return {
        BASELINE: dict.fromkeys(CASES, PLAIN),
        "cache_aside": {case: other.get(case, PLAIN) for case in CASES},
    }


def a_slice(answers: int, seconds: float, **other: Any) -> Slice:
    return Slice(seconds=seconds, took=[0.001 * (i + 1) for i in range(answers)], **other)


def rounds(*rates: tuple[int, int]) -> list[dict[str, dict[str, Slice]]]:
    """Rounds in which the baseline and another gave so many answers in a second."""
    return [
        {
            BASELINE: dict.fromkeys(CASES, a_slice(base, 1)),
            "cache_aside": dict.fromkeys(CASES, a_slice(ours, 1)),
        }
        for base, ours in rates
    ]


# --- figures -----------------------------------------------------------------


def test_a_ratio_is_within_a_round():
    """A machine that was slow for one round makes neither of them look better."""
    figures = summarise(rounds((100, 200), (10, 20), (100, 200)))["cache_aside"]["taken"]
    assert (figures.ratio, figures.rate) == (2.0, 200.0)


def test_a_round_that_went_wrong_is_not_seen():
    assert summarise(rounds((100, 200), (100, 3), (100, 200)))["cache_aside"]["taken"].ratio == 2.0


def test_latencies_and_counts():
    found = summarise([{BASELINE: dict.fromkeys(CASES, a_slice(200, 2.0, sql=300, redis=100))}])
    figures = found[BASELINE]["check"]
    assert (figures.p50_ms, figures.p99_ms) == (101.0, 199.0)
    assert (figures.rate, figures.sql, figures.redis) == (100.0, 1.5, 0.5)


def test_nothing_answered():
    """All failed: no figure, and no division by zero."""
    empty = Slice(seconds=1, failed=3)
    figures = summarise([{BASELINE: dict.fromkeys(CASES, empty)}])[BASELINE]["fresh"]
    assert (figures.answers, figures.rate, figures.ratio, figures.failed) == (0, 0.0, None, 3)


@pytest.mark.parametrize(("wrong", "stray", "false"), [(0, 0, 0), (2, 0, 2), (0, 3, 3), (0, -1, 1)])
def test_a_name_that_was_stored_once_too_often_is_a_false_answer(wrong, stray, false):
    """And so is one that was won and is not there."""
    report = Report(ABOUT, level(fresh=replace(PLAIN, false_answers=wrong)), None, stray)
    assert report.false_answers == false


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("INSERT INTO dibs_names (x)", "sql"),
        ("/*M! SET STATEMENT max_statement_time = 0.2 FOR */ INSERT INTO dibs_names", "sql"),
        ("\n    SELECT u.id FROM dibs_users u", "sql"),
        ("INSERT INTO dibs_users (id)", "users"),
        ("BEGIN IMMEDIATE", "frames"),
        ("COMMIT", "frames"),
        ("ROLLBACK", "frames"),
    ],
)
def test_statements_are_told_apart(text, kind):
    sent, into = Sent(), Slice()
    sent.statement(text)
    sent.book(into)
    kinds = {"sql": into.sql, "users": into.users, "frames": into.frames}
    assert kinds == {"sql": 0, "users": 0, "frames": 0} | {kind: 1}


# --- advice ------------------------------------------------------------------


def test_advice_for_what_is_faster():
    faster = replace(PLAIN, ratio=3.0, sql=0.0, frames=0.0, redis=1.0)
    words = advice(level(taken=faster))["cache_aside"]
    assert words == "For taken names (3.00x). No database for taken names. Needs Redis."


def test_advice_for_what_is_slower():
    """Whatever one would expect of it."""
    slower = replace(PLAIN, ratio=0.5)
    words = advice(level(taken=slower, check_taken=slower))["cache_aside"]
    assert words == (
        "Not faster here than `unique_constraint`. Slower: taken names (0.50x) and checks of"
        " taken names (0.50x). Not worth it here."
    )


def test_advice_says_why_where_the_counts_tell():
    """A name that is free is in no cache of taken ones."""
    in_vain = replace(PLAIN, ratio=0.6, redis=1.0)
    words = advice(level(check_free=in_vain))["cache_aside"]
    assert "checks of free names (0.60x: Redis is asked in vain)" in words


def test_advice_takes_noise_for_noise():
    words = advice(level(taken=replace(PLAIN, ratio=1.1)))
    assert words["cache_aside"].startswith("Not faster here")
    assert words[BASELINE].startswith("For new names, taken names, checks of free names and")


# --- tables ------------------------------------------------------------------


def test_tables_hold_every_strategy_and_case():
    figures = {name: dict.fromkeys(CASES, PLAIN) for name in STRATEGIES}
    report = Report(ABOUT, figures, figures, 0)
    terminal, markdown = table.terminal(report), table.markdown(report)
    assert all(terminal.count(f"  {name} ") == 2 * len(CASES) for name in STRATEGIES)
    assert all(title in terminal for title in CASES.values())
    assert all(len(line) <= 100 for line in terminal.splitlines() if "For" not in line)
    assert {line.count("|") for line in markdown.splitlines() if "1,000 (1.00x)" in line} == {7}
    assert json.loads(json.dumps(report.as_json()))["false_answers"] == 0


def test_what_was_not_asked_of_redis_is_said():
    """The process's own memory, with few names; the database, where Redis was too slow."""
    report = Report(
        {**ABOUT, "redis": "Redis 7"},
        level(
            check_taken=replace(PLAIN, sources={"process": 0.9, "redis": 0.1}),
            taken=replace(PLAIN, redis=1.0, sources={"redis": 0.8, "database": 0.2}),
        ),
        None,
        0,
    )
    memory, slow = table.notes(report)
    assert memory.startswith("cache_aside: 90% of the checks of taken names")
    assert slow.startswith("cache_aside: Redis was too slow for 20% of the taken names")


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.0, "0"), (1.0, "1"), (0.001, "<0.01"), (1.25, "1.25")]
)
def test_numbers(value, text):
    assert table.number(value) == text
