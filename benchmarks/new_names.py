"""What holds new names back: PostgreSQL's own rates, and what it costs to answer at all.

`python -m benchmarks.new_names`: pgbench with a bare row a commit and with the statement by which
dibs claims one name, new names of dibs, and its `/healthz`, for which nothing is done; all in
turns, on 32 and on 128 connections.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import click

from benchmarks.performance import INSERT, bare_table, database, pgbench, replaced, servers
from benchmarks.sides import alternate, middle, ratios
from dibs.names import Parser
from dibs.store.database.dialects import dialect_for
from dibs.store.database.rows import Row
from dibs.store.database.runs import Run
from dibs.store.names.claims import claim_at_once
from dibs.store.records import DEFAULT_NAMESPACE, Claim, NewUser, new_id
from tests.backends import POSTGRESQL

OTHERS = {
    "key_0": "'u' || :n",
    "display_0": "'u' || :n",
    "owner_0": "lpad(CAST(:n AS text), 36, '0')",
    "token_0": "lpad(CAST(:n AS text), 16, 't')",
    "request_id_0": "lpad(CAST(:n AS text), 16, 'r')",
}
"""What is another one for each name, as long as dibs has it."""


class Written(Run):
    """Sends nothing, and keeps what it was to send.

    Attributes:
        script: The last statement as pgbench takes it.
    """

    script = ""

    def rows(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        given = {name: _literal(value) for name, value in params.items()} | OTHERS
        text = re.sub(r"(?<!:):(\w+)", lambda found: given[found[1]], sql)
        self.script = f"\\set n random(1, 1000000000000000)\n{' '.join(text.split())};\n"
        return []

    def change(self, sql: str, params: Mapping[str, object]) -> int:
        raise NotImplementedError


def _literal(value: Any) -> str:
    return "NULL" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


def own_statement() -> str:
    run, user = Written(dialect_for("postgresql")), NewUser(new_id())
    claim_at_once(
        run, Claim(Parser().parse("ada"), "user", user.id, "t" * 16, DEFAULT_NAMESPACE, user)
    )
    return run.script


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=3.0, show_default=True)
@click.option("--people", multiple=True, default=(32, 128), show_default=True)
def main(rounds: int, seconds: float, people: Sequence[int]) -> None:
    """Print the rate of each, its processor time, and it beside the two of pgbench."""
    with servers() as at:
        bare, own, dibs = bare_table(), POSTGRESQL.migrated(), at.dibs()
        for count in people:
            sides = [
                pgbench(bare, INSERT, connections=count),
                pgbench(own, own_statement(), "pgbench, dibs' own statement", connections=count),
                replaced(dibs, connections=count),
                replaced(dibs, name="/healthz", path="/healthz", body="", connections=count),
            ]
            alternate(sides, rounds=rounds, seconds=seconds, database=database())
            for side in sides:
                turn = middle(side)
                beside = [median(ratios(side, other)) for other in sides[:2]]
                click.echo(
                    f"{count} connections, {side.name}: {turn.rate:,.0f}/s,"
                    f" {turn.worker_us:.0f} us of a worker, {turn.database_us:.0f} of PostgreSQL;"
                    f" {beside[0]:.2f} x the bare row, {beside[1]:.2f} x the own statement"
                )


if __name__ == "__main__":
    main()
