"""The command line: `dibs`, and the same as `flask dibs` inside a host app.

Every `flask` command of a host imports this, and so does every TAB of a shell. So each command
imports what it works with where it works: neither Flask nor SQLAlchemy is loaded before.
"""

from __future__ import annotations

import logging
from typing import Any

import click

from dibs.cli.adopt import adopt
from dibs.cli.compare import compare
from dibs.cli.database import check, db
from dibs.cli.filter import filter_
from dibs.cli.keys import keys
from dibs.cli.names import names
from dibs.cli.prove import prove
from dibs.cli.ready import explain
from dibs.cli.register import register
from dibs.cli.rekey import rekey
from dibs.cli.reserve import reserve
from dibs.cli.serve import serve
from dibs.cli.user import staff, user
from dibs.errors import DibsError


class Commands(click.Group):
    """Commands that report errors in a sentence, as `dibs` and as `flask dibs`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        every = super().list_commands(ctx)
        return every if ctx.parent is None else [one for one in every if one != "serve"]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DibsError as error:
            raise click.ClickException(explain(error)) from error


@click.group(name="dibs", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dibs", prog_name="dibs")
def group() -> None:
    """Usernames that belong to one person."""


adopt.add_command(rekey)
for command in (
    serve,
    db,
    check,
    adopt,
    register,
    names,
    reserve,
    staff,
    keys,
    user,
    compare,
    prove,
    filter_,
):
    group.add_command(command)


def main() -> None:
    """Run a command."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    group(prog_name="dibs")
