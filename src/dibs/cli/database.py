"""`dibs db upgrade` and `dibs check`."""

from __future__ import annotations

import click

from dibs.cli.ready import explain
from dibs.cli.target import find_settings, find_target
from dibs.errors import DibsError
from dibs.wiring import redis_address


@click.group()
def db() -> None:
    """The database's tables."""


@db.command()
def upgrade() -> None:
    """Create the tables, or bring them to the newest migration."""
    target = find_target()
    target.upgrade()
    click.echo(f"The tables are up to date: {target.place}")


@click.command()
def check() -> None:
    """Look whether the live database can keep names unique.

    Constraint, collation, migration and rules version; what is wrong is said
    with the command that mends it, and the exit status is 1. Redis, if there is
    one, is asked too; while it is away everything works, so that is no failure.
    """
    target = find_target()
    try:
        target.verify()
    except DibsError as error:
        raise click.ClickException(f"{target.place}: {explain(error)}") from error
    click.echo(f"All is well: {target.place}")
    address = redis_address(find_settings())
    if address is None:
        return
    if why := address.why_silent():
        click.echo(
            f"Redis at {address.shown} does not answer ({why}); dibs works without it, slower",
            err=True,
        )
    else:
        click.echo(f"Redis answers: {address.shown}")
