"""`python -m dibs.checker FILE.jsonl ...`: judge what recorders have written."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dibs.checker.operation import BadHistory
from dibs.checker.recorder import load
from dibs.checker.steps import Allowance
from dibs.checker.verdict import judge


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--stale", default=0.0, show_default=True, help="Seconds for which a refusal may be late."
)
@click.option(
    "--clocks", default=0.1, show_default=True, help="Seconds by which clocks may disagree."
)
def main(files: tuple[Path, ...], stale: float, clocks: float) -> None:
    """Say whether a recorded history can be: 0 it can, 1 it cannot, 3 it is not known."""
    try:
        history = load(files)
    except (BadHistory, OSError, UnicodeDecodeError) as error:
        raise click.UsageError(str(error)) from error
    verdict = judge(history, allowance=Allowance(clocks=clocks, stale=stale))
    click.echo(str(verdict))
    if verdict.violations:
        sys.exit(1)
    sys.exit(3 if verdict.undecided else 0)


if __name__ == "__main__":
    main(prog_name="python -m dibs.checker")
