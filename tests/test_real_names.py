"""The benchmark on real names checks what it measures."""

from dataclasses import replace

import pytest

from benchmarks.real_names import Report, measure

NAMES = [f"name{i}" for i in range(40)] + ["Ada", "ada", "ＡＤＡ", "a", "no way", "admin", "name1"]


@pytest.fixture(scope="module")
def report() -> Report:
    return measure(NAMES)


def test_every_distinct_key_is_stored_once(report: Report) -> None:
    """And every other name is refused with its reason, the second time too."""
    assert report.wrong() == []
    assert report.keys == report.first.count(201) == 41
    assert sorted(report.first.verdicts[40:43]) == [(201, ""), (409, "taken"), (409, "taken")]
    refused = [(422, "too_short"), (422, "white_space"), (409, "reserved")]
    assert report.first.verdicts[43:46] == refused
    # They are sent side by side: on a busy machine the last may come before the second.
    pair = sorted((report.first.verdicts[1], report.first.verdicts[46]))
    assert pair == [(201, ""), (409, "taken")]


def test_every_fault_is_found(report: Report) -> None:
    """A 500, a second winner and an answer that changes do not go unseen."""
    failed = replace(report.first, verdicts=[(500, "internal"), *report.first.verdicts[1:]])
    assert len(replace(report, first=failed).wrong()) == 3
    assert len(replace(report, keys=40).wrong()) == 2
    assert len(replace(report, second=report.first).wrong()) == 1
