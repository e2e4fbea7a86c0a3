"""Counts in one process: they run out, and fill no memory."""

from __future__ import annotations

from dibs.cache.counts import NOTHING, Count, LocalCounts


def test_counts_run_out():
    now = [0.0]
    counts = LocalCounts(clock=lambda: now[0])
    assert [counts.add("a", 1, 10).number for _ in range(3)] == [1, 2, 3]
    now[0] = 4.0
    assert counts.add("a", -1, 10).left == 6.0
    assert counts.add("a", 0, 10).number == 2
    now[0] = 10.0
    # Neither asking nor taking back begins a count.
    assert counts.add("a", 0, 10) == counts.add("a", -1, 10) == NOTHING
    assert counts.add("a", 1, 10).number == 1
    counts.remove("a")
    assert counts.add("a", -5, 10) == NOTHING


def test_what_others_have_counted():
    """Is believed where it is known, and gone on from where it is not."""
    now = [0.0]
    counts = LocalCounts(clock=lambda: now[0])
    assert counts.add("a", 1, 10, Count(7, 4.0)) == Count(7, 4.0)
    # An answer that was overtaken.
    assert counts.add("a", 1, 10, Count(6, 4.0)) == Count(6, 4.0)
    assert counts.add("a", 1, 10) == Count(8, 4.0)
    # What was counted without Redis stays counted, whatever Redis says afterwards.
    assert counts.add("a", 1, 10, Count(1, 10.0)) == Count(2, 10.0)
    assert counts.add("a", -1, 10) == Count(7, 4.0)
    assert counts.add("a", -1, 10, Count(3, 4.0)) == Count(3, 4.0)
    assert counts.add("a", 0, 10) == Count(3, 4.0)
    now[0] = 4.0
    assert counts.add("a", 1, 10, Count(2, 6.0)) == Count(2, 6.0)
    assert counts.add("b", 0, 10, Count(5, 6.0)).number == 5
    assert counts.remove("b") == 5


def test_counts_fill_no_memory():
    """Who invents keys drives out the oldest, first of all those that have run out."""
    now = [0.0]
    counts = LocalCounts(100, lambda: now[0])
    counts.add("long", 1, 1000)
    for number in range(99):
        counts.add(f"short {number}", 1, 10)
    now[0] = 10.0
    counts.add("new", 1, 10)
    assert len(counts) == 2
    for number in range(10_000):
        counts.add(f"more {number}", 1, 10)
        assert len(counts) <= 100
    assert counts.add("more 9999", 0, 10).number == 1
