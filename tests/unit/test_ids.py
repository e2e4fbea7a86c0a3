"""Ids of users, teams and events: UUIDv7, in the order in which a process makes them."""

from __future__ import annotations

import time
from uuid import UUID

from dibs.store import new_id


def test_they_sort_by_when_they_were_made():
    """Also within a millisecond, so that a page of what happened tells it in order."""
    made = []
    for _ in range(200):
        made.append(new_id())
        time.sleep(0.000_01)  # a clock that steps by 244 ns at most
    assert made == sorted(made)
    assert len({one[:13] for one in made}) < len(made)  # some have their millisecond in common


def test_they_are_what_they_say():
    now = time.time_ns() // 1_000_000
    one = UUID(new_id())
    assert (one.version, one.variant) == (7, "specified in RFC 4122")
    assert 0 <= (one.int >> 80) - now < 10_000
