"""A long random run on every database, recorded and judged by `dibs.checker`.

    python -m benchmarks.history --seconds 60 --over http --save build

Sixteen clients hold, claim, rename, release and look at four names in three spellings each, as
threads of one process, of four processes, or over HTTP at a service of two processes: as it is,
where names rest for two seconds, and with Redis in front. Fails if a history cannot be. The
servers are started for the occasion.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from dibs.checker import Allowance, Operation, Verdict, judge
from tests.backends import BACKENDS
from tests.checker.runs import ALLOWED, RUNS


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long each run takes.")
@click.option("--over", type=click.Choice(list(RUNS)), multiple=True, help="All, if none is named.")
@click.option("--save", type=click.Path(path_type=Path), help="Folder for the histories.")
def main(seconds: float, over: tuple[str, ...], save: Path | None) -> None:
    """Run, judge, and say what was judged."""
    wrong = 0
    for backend in BACKENDS:
        for name in over or RUNS:
            url = backend.migrated()
            history = RUNS[name](url, seconds)
            if save:
                _write(save / f"{backend.name}-{name}.jsonl", history)
            began = time.monotonic()
            verdict = judge(history, allowance=ALLOWED.get(name, Allowance()))
            click.echo(f"{backend.name}, {name}, judged in {time.monotonic() - began:.1f} s")
            click.echo(f"{verdict}\n")
            wrong += _is_wrong(verdict)
            backend.drop(url)
        backend.close()
    if wrong:
        raise click.ClickException(f"{wrong} of the histories cannot be, or were not decided")


def _write(path: Path, history: list[Operation]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(one.line() + "\n" for one in history), encoding="utf-8")


def _is_wrong(verdict: Verdict) -> bool:
    return bool(verdict.violations or verdict.undecided)


if __name__ == "__main__":
    main()
