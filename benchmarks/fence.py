"""What a claim pays for reading which rules are in force: `python -m benchmarks.fence`.

Rounds of claims with the read and with a number in its place, in turns, on one connection. Counts
processor time, of this process and of the database's: the median of the pairs and their quartiles.
"""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path
from statistics import median, quantiles

import click

from dibs.store.database.dialects.base import Dialect
from tests.backends import BACKENDS, Backend, Served
from tests.race.test_rekey import STANDARD, Server, server

NUMBER = count()
DATABASES = {backend.name: backend for backend in BACKENDS}


def spent(pids: list[int]) -> int:
    """Nanoseconds on a processor, of this process and of these."""
    tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    theirs = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
    return time.process_time_ns() + theirs


def served_by(backend: Backend) -> list[int]:
    """The database's processes, if it has any: its first one and the children of that."""
    if not isinstance(backend, Served):
        return []
    first = int(backend.server._running().pid)
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [first, *map(int, children)]


def claims(at: Server, number: int, rules: str, pids: list[int]) -> float:
    """Nanoseconds that each of some claims takes, where the rules in force are found so."""
    dialect: type[Dialect] = at.store.transactions.dialect
    dialect.rules = rules
    before = spent(pids)
    for _ in range(number):
        at.wins(f"person{next(NUMBER)}x")
    return (spent(pids) - before) / number


@click.command()
@click.option("--rounds", default=40, show_default=True)
@click.option("--claims", "number", default=200, show_default=True)
@click.option("--databases", default=",".join(DATABASES), show_default=True)
def main(rounds: int, number: int, databases: str) -> None:
    """Say how much more a claim costs with the read."""
    for name in databases.split(","):
        at = server(DATABASES[name].migrated())
        reads = at.store.transactions.dialect.rules
        ways = {"with": reads, "without": str(STANDARD)}
        claims(at, number, reads, [])
        pids, ratios, costs = served_by(DATABASES[name]), list[float](), list[float]()
        for round_ in range(rounds):
            order = list(ways) if round_ % 2 else list(ways)[::-1]
            took = {way: claims(at, number, ways[way], pids) for way in order}
            ratios.append(took["with"] / took["without"])
            costs.append(took["with"])
        at.store.transactions.dialect.rules = reads
        low, _, high = quantiles(ratios, n=4)
        said = f"{median(ratios):.3f} of a claim without it ({low:.3f} to {high:.3f})"
        click.echo(f"{name}: {said}; {median(costs) / 1000:.0f} us with it")
        at.close()
        DATABASES[name].close()


if __name__ == "__main__":
    main()
