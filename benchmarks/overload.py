"""What is left of the good answers when a hundred times as many people come as can be served.

`python -m benchmarks.overload`: registrations a second of 8 people and of 800 who come again when
they are told to, in turns; of names alone, and with passwords.
"""

from __future__ import annotations

import resource
from functools import partial
from itertools import count
from statistics import quantiles

import click

from benchmarks.crowds import Told, crowd
from tests.backends import BACKENDS
from tests.load import register
from tests.service import Service

FEW = 8
DATABASES = {backend.name: backend for backend in BACKENDS}
numbers = count()


@click.command()
@click.option("--people", default=800, show_default=True)
@click.option("--seconds", default=20.0, show_default=True)
@click.option("--turns", default=2, show_default=True)
@click.option(
    "--database", default="postgresql", show_default=True, type=click.Choice([*DATABASES])
)
def main(people: int, seconds: float, turns: int, database: str) -> None:
    """Measure on a service of two workers with its defaults, but for the limits on one source."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    backend = DATABASES[database]
    for password in (None, "correct horse battery"):
        kind = "names alone" if password is None else "with passwords"
        make, url = partial(_newcomer, password), backend.migrated()
        with Service(url, script=True, password="optional") as service:
            rates: dict[int, float] = {FEW: 0.0, people: 0.0}
            for _ in range(turns):
                for number in rates:
                    told = crowd(service.port, number, make, seconds=seconds)
                    rates[number] += told.statuses[201] / told.lasted
                    click.echo(f"{kind}, {number} people: {_said(told)}")
            click.echo(f"goodput at {people} is {rates[people] / rates[FEW]:.2f} of that at {FEW}")
        backend.drop(url)
    backend.close()


def _newcomer(password: str | None) -> bytes:
    return register(f"newcomer{next(numbers)}", password)


def _said(told: Told) -> str:
    late = sum(one > 5 for one in told.seconds)
    healthy = quantiles(told.healthy, n=100)[98] if len(told.healthy) > 1 else float("inf")
    answers = ", ".join(
        f"{number} x {status or 'none'}" for status, number in sorted(told.statuses.items())
    )
    return (
        f"{told.statuses[201] / told.lasted:.0f}/s ({answers}; {late} after 5 s, slowest"
        f" {max(told.seconds):.1f} s; /healthz p99 {1000 * healthy:.0f} ms)"
    )


if __name__ == "__main__":
    main()
