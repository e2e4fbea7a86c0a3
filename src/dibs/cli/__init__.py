"""The command line: `dibs`, and the same as `flask dibs` inside a host app."""

from __future__ import annotations

import logging

import click

from dibs.cli.database import check, db
from dibs.cli.register import register
from dibs.cli.serve import serve
from dibs.cli.words import explain
from dibs.errors import DibsError


@click.group(name="dibs", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dibs")
def group() -> None:
    """Usernames that belong to one person."""


for command in (serve, db, check, register):
    group.add_command(command)


def main() -> None:
    """Run a command; what goes wrong is said in a sentence."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    try:
        group(prog_name="dibs")
    except DibsError as error:
        raise SystemExit(f"dibs: {explain(error)}") from error
