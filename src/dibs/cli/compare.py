"""`dibs compare`."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import click
from click.core import ParameterSource

from dibs.cli.files import FILE, ending, see_writable, written
from dibs.cli.target import find_settings, number
from dibs.compare import chart, table
from dibs.compare.figures import BASELINE
from dibs.config import Strategy
from dibs.config.extras import installing
from dibs.errors import ConfigError

STRATEGIES = [one for one in get_args(Strategy) if one != "auto"]
FILTERED = "membership_filter"


def chosen(ctx: click.Context, param: click.Parameter, value: str) -> list[str]:
    """Strategies by name, in the order of the documentation, always with the baseline."""
    wanted = value.split(",")
    if unknown := [one for one in wanted if one not in STRATEGIES]:
        words = f"{unknown[0]} is no strategy; there are {', '.join(STRATEGIES)}"
        raise click.BadParameter(words, ctx, param)
    if FILTERED in wanted and find_spec("rbloom") is None:
        if ctx.get_parameter_source("strategies") is not ParameterSource.DEFAULT:
            raise ConfigError(f"{FILTERED} needs rbloom: {installing('filter')}")
        click.echo(f"dibs: {FILTERED} is left out; to measure it, {installing('filter')}", err=True)
        wanted.remove(FILTERED)
    return [one for one in STRATEGIES if one in {*wanted, BASELINE}]


@click.command()
@number("--names", 20_000, click.IntRange(1), "Names that are taken beforehand.")
@number(
    "--seconds",
    3.0,
    click.FloatRange(0, min_open=True),
    "Seconds for each question to each strategy, over all rounds.",
)
@number("--clients", 4, click.IntRange(1), "Clients that ask at the same time.")
@click.option(
    "--strategies",
    default=",".join(STRATEGIES),
    callback=chosen,
    help=f"Some of them, with commas; `{BASELINE}` is always measured. Default: all.",
)
@click.option("--http", is_flag=True, help="Also measure a `dibs serve` with each strategy.")
@click.option("--json", "json_file", type=FILE, help="Write all figures to this file.")
@click.option("--markdown", "markdown_file", type=FILE, help="Write the tables to this file.")
@click.option(
    "--chart",
    "charts",
    type=FILE,
    multiple=True,
    help="Draw a chart into this file, .svg or .png; can be given twice.",
)
def compare(
    names: int,
    seconds: float,
    clients: int,
    strategies: list[str],
    http: bool,
    json_file: Path | None,
    markdown_file: Path | None,
    charts: tuple[Path, ...],
) -> None:
    """Measure the strategies beside each other, with the configured database and Redis.

    In a namespace of its own, which is removed afterwards, also after Ctrl-C. Without a
    database in the settings it takes a temporary SQLite one. The exit status is 1 if any
    answer was false.
    """
    ending(charts, "--chart", *chart.FORMATS)
    if charts:
        chart.require_matplotlib()
    if http and find_spec("uvicorn") is None:
        raise ConfigError(f"--http needs the server: {installing('service')}")
    see_writable([*filter(None, (json_file, markdown_file)), *charts])
    from dibs.compare.measure import Plan, measure

    plan = Plan(find_settings(), strategies, names, seconds, clients, http)
    with click.progressbar(length=plan.steps, label="Measuring", file=sys.stderr) as bar:
        report = measure(plan, lambda: bar.update(1))
    click.echo(table.terminal(report))
    if json_file:
        written(json_file, json.dumps(report.as_json(), indent=1) + "\n")
    if markdown_file:
        written(markdown_file, table.markdown(report))
    if charts:
        try:
            chart.draw(report, list(charts))
        except OSError as error:
            raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    if report.false_answers:
        raise click.ClickException(f"{report.false_answers} answers were false")
