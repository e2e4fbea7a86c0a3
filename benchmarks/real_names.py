"""Registers every name of a file over HTTP, twice, and says what became of each.

    python -m benchmarks.real_names names.txt.gz --database postgresql://...

The file is gzipped text, one name a line; the database is empty. Names alone,
without passwords. Fails unless the first run stores each distinct key once and
the second one nothing.
"""

import gzip
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.hello import Hello
from dibs.errors import InvalidName
from dibs.names import parse
from tests.load import Answer, Client, get, register
from tests.service import Service

CONNECTIONS = 16
PAGE = 100


@dataclass(frozen=True, slots=True)
class Run:
    """One pass over all names.

    Attributes:
        verdicts: Status and reason of each name, in the order of the file.
        rate: Requests answered in a second.
    """

    verdicts: list[tuple[int, str]]
    rate: float

    def count(self, status: int) -> int:
        return sum(verdict[0] == status for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Report:
    """Both passes, and what the same connections get from a bare Flask app.

    Attributes:
        keys: How many distinct keys the names have that break no rule.
        users: How many users there were after each pass.
        hello: Requests a second of the bare app, before and after the passes.
    """

    first: Run
    second: Run
    keys: int
    users: tuple[int, int]
    hello: tuple[float, float]

    def wrong(self) -> list[str]:
        """What should not have happened."""
        found = {
            "an answer is 5xx": any(
                v[0] >= 500 for v in self.first.verdicts + self.second.verdicts
            ),
            "not one 201 for each key": self.first.count(201) != self.keys,
            "not one user for each key": self.users != (self.keys, self.keys),
            "a 201 did not become 409 taken, or another answer changed": self.second.verdicts
            != [(409, "taken") if v[0] == 201 else v for v in self.first.verdicts],
        }
        return [what for what, happened in found.items() if happened]

    def lines(self) -> list[str]:
        """The report for people to read."""
        hello = sum(self.hello) / 2
        lines = [f"{len(self.first.verdicts)} names, {self.keys} distinct keys"]
        for title, run in (("first run", self.first), ("second run", self.second)):
            lines.append(f"{title}: {run.rate:,.0f} requests/s, {run.rate / hello:.2f} x hello")
            for (status, reason), number in Counter(run.verdicts).most_common():
                lines.append(f"  {status} {reason:<40} {number:>7}")
        lines.append(f"hello: {hello:,.0f} requests/s ({self.hello[0]:,.0f}, {self.hello[1]:,.0f})")
        return lines


def measure(names: Sequence[str], database_url: str = "") -> Report:
    """Runs a service on an empty database and registers all names, twice."""
    with Hello() as hello:
        before = _hello_rate(hello, len(names))
        with Service(database_url, script=True) as service, service.client(CONNECTIONS) as client:
            first, users = _register_all(client, names), _count_users(client)
            second, still = _register_all(client, names), _count_users(client)
        after = _hello_rate(hello, len(names))
    return Report(first, second, _distinct_keys(names), (users, still), (before, after))


def _register_all(client: Client, names: Sequence[str]) -> Run:
    answers, rate = _timed(lambda: client.send([register(name) for name in names]))
    return Run([_verdict(answer) for answer in answers], rate)


def _hello_rate(hello: Hello, number: int) -> float:
    with hello.client(CONNECTIONS) as client:
        client.send([get("/healthz")] * CONNECTIONS)
        return _timed(lambda: client.send([get("/healthz")] * number))[1]


def _timed(send: Callable[[], list[Answer]]) -> tuple[list[Answer], float]:
    started = time.perf_counter()
    answers = send()
    return answers, len(answers) / (time.perf_counter() - started)


def _verdict(answer: Answer) -> tuple[int, str]:
    if answer.status == 201:
        return 201, ""
    reasons = answer.json().get("reasons", [])
    return answer.status, ", ".join(reason["code"] for reason in reasons) or answer.code


def _count_users(client: Client) -> int:
    number, after = 0, ""
    while True:
        page = client.one(get(f"/users?limit={PAGE}{after}")).json()
        number += len(page["items"])
        if page["next"] is None:
            return number
        after = f"&after={page['next']}"


def _distinct_keys(names: Sequence[str]) -> int:
    keys = set()
    for name in names:
        try:
            keys.add(parse(name).key)
        except InvalidName:
            continue
    return len(keys)


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--database", default="", help="An empty database; a new SQLite one by default.")
def main(file: Path, database: str) -> None:
    """Register every name of a gzipped text file, one a line, twice."""
    names = gzip.decompress(file.read_bytes()).decode().splitlines()
    report = measure(names, database)
    click.echo("\n".join(report.lines()))
    if wrong := report.wrong():
        raise click.ClickException("; ".join(wrong))


if __name__ == "__main__":
    main()
