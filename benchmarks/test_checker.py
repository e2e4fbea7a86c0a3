"""What it costs to judge a hundred thousand operations, of which one in five was not answered."""

import random

from pytest_benchmark.fixture import BenchmarkFixture

from dibs.checker import judge
from tests.checker.test_properties import EVERYTHING, history_of

NAMES, EACH = 400, 250


def test_judge(benchmark: BenchmarkFixture) -> None:
    """With everything there is in the life of a name."""
    dice = random.Random(1)
    history = [
        operation
        for number in range(NAMES)
        for operation in history_of(dice, EACH, EVERYTHING, [f"name{number}"])
    ]
    verdict = benchmark.pedantic(judge, (history,), rounds=3)  # type: ignore[no-untyped-call]
    assert (verdict.violations, verdict.undecided) == ((), ())
    assert verdict.operations == NAMES * EACH
