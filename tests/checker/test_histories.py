"""What can be and what cannot, by hand: each promise broken once, and the nearest that is right."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dibs.checker import Allowance, Operation, judge
from tests.checker.histories import op, rules_broken

ADA = op("claim", "ada", "u1", 0, 10)
RELEASE = op("release", "ada", "u1", 20, 30)
HOLD = op("hold", "ada", "u1", 0, 10, hold="h1", seconds=1)
REST = op("release", "ada", "u1", 20, 30, seconds=1)
RENAME = op("rename", "ada eve", "u1", 20, 60)

POSSIBLE: dict[str, Sequence[Operation]] = {
    "nothing": [],
    "one claim": [ADA, op("look", "ada", "u1", 20, 30)],
    "taken": [ADA, op("claim", "ada", "u2", 20, 30, "taken")],
    "taken, by an answer that came earlier": [
        op("claim", "ada", "u2", 0, 10, "taken"),
        op("claim", "ada", "u1", 5, 20),
    ],
    "another's after a release": [ADA, RELEASE, op("claim", "ada", "u2", 40, 50)],
    "another's while the release is under way": [ADA, RELEASE, op("claim", "ada", "u2", 21, 22)],
    "one's own, asked for anew": [ADA, op("claim", "ada", "u1", 20, 30, "taken")],
    "a repeated request": [
        op("claim", "ada", "u1", 0, 10, "unknown", request="r"),
        op("claim", "ada", "u1", 20, 30, request="r"),
        op("claim", "ada", "u1", 40, 50, request="r"),
    ],
    "a lost reply that was a success": [
        op("claim", "ada", "u1", 0, 10, "unknown"),
        op("claim", "ada", "u2", 20, 30, "taken"),
        op("look", "ada", "u1", 40, 50),
    ],
    "a lost reply that was none": [
        op("claim", "ada", "u1", 0, 10, "unknown"),
        op("claim", "ada", "u2", 20, 30),
    ],
    "a lost reply whose request comes late": [
        op("claim", "ada", "u1", 0, 10, "unknown"),
        op("look", "ada", "", 20, 30),
        op("look", "ada", "u1", 40, 50),
    ],
    "a release that may have been": [
        ADA,
        op("release", "ada", "u1", 20, 30, "unknown"),
        op("claim", "ada", "u2", 40, 50, "taken"),
        op("claim", "ada", "u3", 60, 70),
    ],
    "a repetition that comes after the release": [
        op("claim", "ada", "u1", 0, 10, request="r"),
        op("claim", "ada", "u1", 5, 50, request="r"),
        RELEASE,
        op("look", "ada", "u1", 60, 70),
    ],
    "a lost reply whose request comes when the name has rested": [
        ADA,
        REST,
        op("claim", "ada", "u2", 40, 50, "unknown"),
        op("look", "ada", "u2", 1200, 1300),
    ],
    "a failure that changed nothing": [
        op("claim", "ada", "u1", 0, 10, "unchanged"),
        op("look", "ada", "", 20, 30),
    ],
    "not hers": [ADA, op("release", "ada", "u2", 20, 30, "not_owner")],
    "a held name": [HOLD, op("claim", "ada", "u2", 20, 30, "held")],
    "a hold used": [HOLD, op("claim", "ada", "u1", 20, 30, hold="h1")],
    "a hold that is over": [HOLD, op("claim", "ada", "u2", 1200, 1300)],
    "a hold given up": [
        HOLD,
        op("unhold", "ada", "u1", 20, 30, hold="h1"),
        op("claim", "ada", "u2", 40, 50),
    ],
    "a released name that rests": [ADA, REST, op("claim", "ada", "u2", 40, 50, "quarantined")],
    "a released name that has rested": [ADA, REST, op("claim", "ada", "u2", 1200, 1300)],
    "one's own name taken back": [ADA, REST, op("claim", "ada", "u1", 40, 50)],
    "a rename": [
        ADA,
        RENAME,
        op("claim", "eve", "u2", 70, 80, "taken"),
        op("claim", "ada", "u2", 70, 80),
    ],
    "another spelling of one's own": [ADA, op("rename", "ada ada", "u1", 20, 30)],
    "two renames that cross": [
        ADA,
        op("claim", "eve", "u2", 0, 10),
        op("rename", "ada eve", "u1", 20, 30, "taken"),
        op("rename", "eve ada", "u2", 20, 30, "taken"),
    ],
    "refused for a reason of its own": [op("claim", "ada", "u1", 0, 10, "reserved")],
}

IMPOSSIBLE: dict[str, tuple[str, Sequence[Operation]]] = {
    "two owners": ("two_owners", [ADA, op("claim", "ada", "u2", 20, 30)]),
    "two owners at the same moment": ("two_owners", [ADA, op("claim", "ada", "u2", 0, 10)]),
    "granted twice to one": ("two_owners", [ADA, op("claim", "ada", "u1", 20, 30)]),
    "released by somebody else": (
        "two_owners",
        [
            ADA,
            op("release", "ada", "u2", 20, 30, "unknown"),
            op("claim", "ada", "u3", 40, 50),
        ],
    ),
    "a claim that is gone": ("lost_claim", [ADA, op("look", "ada", "", 20, 30)]),
    "a claim that is another's": (
        "lost_claim",
        [ADA, op("claim", "ada", "u2", 20, 30, "unknown"), op("look", "ada", "u2", 40, 50)],
    ),
    "refused without anybody": (
        "refused_without_holder",
        [op("claim", "ada", "u1", 0, 10, "taken")],
    ),
    "refused after a release": (
        "refused_without_holder",
        [ADA, RELEASE, op("claim", "ada", "u2", 40, 50, "taken")],
    ),
    "refused because of oneself": (
        "refused_without_holder",
        [
            op("claim", "ada", "u1", 0, 10, "unknown", request="r"),
            op("claim", "ada", "u1", 20, 30, "taken", request="r"),
            op("look", "ada", "u1", 40, 50),
        ],
    ),
    "called held, and owned": (
        "refused_without_holder",
        [ADA, op("claim", "ada", "u2", 20, 30, "held")],
    ),
    "called taken, and held": (
        "refused_without_holder",
        [HOLD, op("claim", "ada", "u2", 20, 30, "taken")],
    ),
    "called quarantined, and held": (
        "refused_without_holder",
        [HOLD, op("claim", "ada", "u2", 20, 30, "quarantined")],
    ),
    "called taken, and rests": (
        "refused_without_holder",
        [ADA, REST, op("claim", "ada", "u2", 40, 50, "taken")],
    ),
    "called held, and rests": (
        "refused_without_holder",
        [ADA, REST, op("claim", "ada", "u2", 40, 50, "held")],
    ),
    "owned before it was asked for": (
        "not_the_owner",
        [op("look", "ada", "u1", 0, 10), op("claim", "ada", "u1", 20, 30, "unknown")],
    ),
    "held after the hold is over": (
        "refused_without_holder",
        [HOLD, op("claim", "ada", "u2", 1200, 1300, "held")],
    ),
    "rests for too long": (
        "refused_without_holder",
        [ADA, REST, op("claim", "ada", "u2", 1200, 1300, "quarantined")],
    ),
    "a hold that is not kept": ("no_order", [HOLD, op("claim", "ada", "u2", 20, 30)]),
    "a hold that its own holder is shown": (
        "no_order",
        [HOLD, op("claim", "ada", "u1", 20, 30, "held", hold="h1")],
    ),
    "two holds": ("no_order", [HOLD, op("hold", "ada", "u2", 0, 10, hold="h2", seconds=1)]),
    "a name that does not rest": ("no_order", [ADA, REST, op("claim", "ada", "u2", 40, 50)]),
    "an owner who never asked": ("not_the_owner", [op("look", "ada", "u1", 0, 10)]),
    "released by one who had it not": (
        "not_the_owner",
        [ADA, op("release", "ada", "u2", 20, 30)],
    ),
    "released twice": ("not_the_owner", [ADA, RELEASE, op("release", "ada", "u1", 40, 50)]),
    "the owner is not the owner": (
        "no_order",
        [ADA, op("release", "ada", "u1", 20, 30, "not_owner")],
    ),
    "a rename that left both": (
        "lost_claim",
        [ADA, op("rename", "ada eve", "u1", 20, 30), op("look", "eve", "", 40, 50)],
    ),
    "a rename from what was not hers": (
        "not_the_owner",
        [ADA, op("rename", "ada eve", "u2", 20, 30)],
    ),
    "both names for a moment": (
        "half_a_rename",
        [ADA, RENAME, op("look", "eve", "u1", 30, 35), op("look", "ada", "u1", 40, 45)],
    ),
    "neither name for a moment": (
        "half_a_rename",
        [ADA, RENAME, op("look", "ada", "", 30, 35), op("look", "eve", "", 40, 45)],
    ),
}


@pytest.mark.parametrize("history", POSSIBLE.values(), ids=list(POSSIBLE))
def test_what_can_be_is_accepted(history: Sequence[Operation]) -> None:
    assert rules_broken(history) == []


@pytest.mark.parametrize(("rule", "history"), IMPOSSIBLE.values(), ids=list(IMPOSSIBLE))
def test_what_cannot_be_is_told_by_its_rule(rule: str, history: Sequence[Operation]) -> None:
    """Of the name, the answers that contradict each other among it."""
    broken = rules_broken(history)
    assert broken
    assert set(broken) == {rule}


def test_a_violation_is_told_in_words() -> None:
    verdict = judge(IMPOSSIBLE["two owners"][1])
    assert str(verdict).splitlines()[-1] == (
        "two_owners: ada: claimed by u1 (client of u1, 0.000000 to 0.010000), claimed by u2"
        " (client of u2, 0.020000 to 0.030000), and nobody released it between"
    )


def test_names_are_judged_one_by_one() -> None:
    """One that is wrong does not hide among those that are right."""
    verdict = judge([ADA, op("claim", "eve", "u1", 0, 5), op("claim", "eve", "u2", 6, 9)])
    assert [violation.name for violation in verdict.violations] == ["eve"]
    assert (verdict.operations, verdict.judged, verdict.names) == (3, 3, 2)
    assert verdict.counts == {("claim", "done"): 3}


def test_who_owned_a_name_before() -> None:
    refused = [op("claim", "ada", "u1", 0, 10, "taken")]
    assert rules_broken(refused, owners={"ada": "u0"}) == []
    assert rules_broken([ADA], owners={"ada": "u0"}) == ["no_order"]
    given = op("release", "ada", "u0", 0, 5)
    assert rules_broken([given, op("claim", "ada", "u1", 6, 9)], owners={"ada": "u0"}) == []


def test_a_refusal_may_be_late_where_that_is_allowed() -> None:
    history = IMPOSSIBLE["refused after a release"][1]
    assert rules_broken(history, allowance=Allowance(stale=0.02)) == []
    assert rules_broken(history, allowance=Allowance(stale=0.005)) == ["refused_without_holder"]


def test_clocks_may_disagree_as_far_as_is_allowed() -> None:
    early = [HOLD, op("claim", "ada", "u2", 940, 950)]
    assert rules_broken(early) == []
    assert rules_broken(early, allowance=Allowance(clocks=0.01)) == ["no_order"]


def test_what_cannot_be_found_out_is_called_undecided() -> None:
    """Rather than to go on for ever."""
    late = [op("claim", "ada", f"u{i}", 0, 1, "unknown") for i in range(12)]
    gone = [op("release", "ada", f"u{i}", 0, 1, "unknown") for i in range(12)]
    looks = [
        op("look", "ada", owner, at, at + 1) for at, owner in ((2, "u1"), (4, "u2"), (6, "u1"))
    ]
    verdict = judge([*late, *gone, *looks], most_nodes=50)
    assert verdict.undecided == ("ada",)
    assert verdict.violations == ()
    assert "undecided: ada" in str(verdict)
