"""What a name costs beside PRECIS, whose rules are among ours.

Within a group the number in brackets is the ratio to the fastest; `test_ratios` states the
ratios that matter, each measured in one go, as extra info of the run.
"""

import time
from collections.abc import Callable, Sequence

import pytest
from precis_i18n import get_profile
from pytest_benchmark.fixture import BenchmarkFixture

from dibs.names import Parser, Username

ASCII = [
    "katherine.j", "johnvonneumann", "mariecurie7", "adalovelace", "grace-hopper", "alanturing42",
    "edsger_dijk", "barbaral", "dennisritchie", "linusT", "KenThompson", "margaret85",
]  # fmt: skip
OTHER = [
    "Анна", "Αλέξανδρος", "محمد", "אברהם", "नमस्ते", "李小明", "김민준", "さくらこ", "nguyễn", "Zoë",
]  # fmt: skip
GROUPS = {"ascii": ASCII, "other": OTHER}
TARGETS = {"ascii fresh": 1 / 10, "other fresh": 1.5, "ascii seen": 1 / 20, "other seen": 1 / 20}
ROUNDS = 2000

enforce = get_profile("UsernameCaseMapped").enforce


def fresh(parser: Parser) -> None:
    """Makes it forget what it has seen."""
    parser._seen.clear()


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("how", ["enforce", "fresh", "seen"])
def test_parse(benchmark: BenchmarkFixture, group: str, how: str) -> None:
    """All names of a group, one after the other."""
    parser, names = Parser(), GROUPS[group]
    benchmark.group = f"{len(names)} names, {group}"
    work: Callable[[str], Username | str] = enforce if how == "enforce" else parser.parse

    def run() -> None:
        for name in names:
            work(name)

    setup = (lambda: fresh(parser)) if how == "fresh" else (lambda: None)
    benchmark.pedantic(run, setup=setup, rounds=ROUNDS, warmup_rounds=20)  # type: ignore[no-untyped-call]


def best(work: Callable[[str], object], names: Sequence[str], setup: Callable[[], None]) -> float:
    """Seconds for all names in the quietest of many rounds."""
    seconds = []
    for _ in range(ROUNDS):
        setup()
        start = time.perf_counter()
        for name in names:
            work(name)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def test_ratios(benchmark: BenchmarkFixture) -> None:
    """Each beside the bound of the design: reported, not asserted, as clocks differ."""
    parser = Parser()
    for group, names in GROUPS.items():
        precis = best(enforce, names, lambda: None)
        for how, setup in {"fresh": lambda: fresh(parser), "seen": lambda: None}.items():
            ratio = best(parser.parse, names, setup) / precis
            kind = f"{group} {how}"
            line = f"{ratio:.3f} of enforce (at most {TARGETS[kind]:.3f})"
            benchmark.extra_info[kind] = line
            print(f"{kind}: {line}")
    whole = best(lambda name: get_profile("UsernameCaseMapped").enforce(name), ASCII, lambda: None)
    line = (
        f"{best(parser.parse, ASCII, lambda: fresh(parser)) / whole:.3f} of get_profile().enforce"
    )
    benchmark.extra_info["ascii fresh, profile included"] = line
    print(line)
    benchmark.pedantic(parser.parse, args=("Ada",), rounds=10)  # type: ignore[no-untyped-call]
