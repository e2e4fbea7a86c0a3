"""`dibs prove`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import click

from dibs.cli.files import FILE, ending, see_writable, written
from dibs.cli.files import as_json as in_json
from dibs.cli.target import number


class CannotProveHere(click.ClickException):
    """Nothing is known of the endpoint; 1 is for one that fails."""

    exit_code = 2


@click.command()
@click.argument("url")
@click.option("--body", help="What is sent: JSON, or fields as forms send them.  [default: JSON]")
@click.option("--method", default="POST", show_default=True, help="How it is sent.")
@click.option("--header", "headers", multiple=True, help="`Name: value`; can be given again.")
@click.option("--form", default="", help="Fetch this page first, for its cookie and hidden fields.")
@click.option("--granted", multiple=True, help="A status, or words, that say the name was granted.")
@click.option("--taken", multiple=True, help="A status, or words, that say the name is taken.")
@click.option("--accounts", default="", help="A page that lists the accounts as JSON.")
@number("--people", 64, click.IntRange(2, 256), "How many ask at the same moment.")
@number("--timeout", 30.0, click.FloatRange(0, 600, min_open=True), "Seconds for one answer.")
@click.option("--i-own-this", "owned", default="", help="Another host than this machine.")
@click.option("--report", "files", type=FILE, multiple=True, help="Write an .html or .svg file.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def prove(
    url: str,
    body: str | None,
    method: str,
    headers: tuple[str, ...],
    form: str,
    granted: tuple[str, ...],
    taken: tuple[str, ...],
    accounts: str,
    people: int,
    timeout: float,
    owned: str,
    files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Try whether a sign-up lets two people have one name.

    Any app's, on this machine. It asks for names that nobody has, many times at the same
    moment and in several spellings, and counts who got them and who was told the truth. The
    accounts stay there. Fill {name} into --body or the address, and {n} where each person
    needs another number. The exit status is 1 if the sign-up fails, 2 if nothing can be said.
    """
    from dibs.prove import report as reports
    from dibs.prove.page import html, svg
    from dibs.prove.plan import PREFIX, plan
    from dibs.prove.run import prove as run
    from dibs.prove.run import requests_of
    from dibs.prove.target import NAME, CannotProve, Template, find_server
    from dibs.prove.verdict import Meaning

    ending(files, "--report", ".html", ".svg")
    try:
        see_writable(files)
    except click.ClickException as error:
        raise CannotProveHere(error.message) from error
    if wrong := [one for one in headers if ":" not in one]:
        raise click.UsageError(f"--header {wrong[0]}: give it as Name: value")
    if body is None:
        body = "" if NAME in url else json.dumps({"username": NAME})
    pairs = [(key.strip(), value.strip()) for key, _, value in (h.partition(":") for h in headers)]
    try:
        pages = [urljoin(url, one) if one else "" for one in (form, accounts)]
        template = Template(url, body, method.upper(), pairs, *pages)
        server = find_server(url, owned)
        rounds = plan(people)
        meaning = Meaning(granted, taken, urlsplit(template.form).path)
        total = requests_of(rounds, template)
        click.echo(f"{total} requests to {url}; the names begin with {PREFIX}.", err=as_json)
        with click.progressbar(length=total, label="Asking", file=sys.stderr) as bar:
            report = run(server, template, meaning, rounds, timeout, bar.update)
    except CannotProve as error:
        raise CannotProveHere(str(error)) from error
    for file in files:
        written(file, html(report) if file.suffix == ".html" else svg(report))
    if as_json:
        click.echo(in_json(reports.as_json(report)))
    else:
        click.echo()
        for line, colour in reports.terminal(report):
            click.secho(line, fg=colour or None)
    raise SystemExit({"good": 0, "bad": 1, "open": 2}[report.mood])
