"""`dibs db upgrade` and `dibs check`."""

from __future__ import annotations

import click

from dibs.cli.adopt import find_drifts
from dibs.cli.ready import explain
from dibs.cli.target import extension_of, find_settings, find_target, host_app
from dibs.errors import DibsError


@click.group()
def db() -> None:
    """The database's tables."""


@db.command()
def upgrade() -> None:
    """Create the tables or migrate them to the newest version."""
    target = find_target()
    target.upgrade()
    click.echo(f"The tables are up to date: {target.place}")


@click.command()
def check() -> None:
    """Check whether the live database can keep names unique.

    Constraint, collation, migration and rules version. For each problem it prints
    the command that fixes it, and exits with status 1. Redis, if there is one, is
    checked too; without it everything still works, so its absence is not a failure.
    """
    target = find_target()
    try:
        target.verify()
    except DibsError as error:
        raise click.ClickException(f"{target.place}: {explain(error)}") from error
    click.echo(f"All is well: {target.place}")
    if warning := target.warning():
        click.echo(warning, err=True)
    _check_guards()
    from dibs.wiring import redis_address

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


def _check_guards() -> None:
    """Whether everybody in a guarded column has their name.

    Raises:
        ClickException: Somebody has not.
    """
    app = host_app()
    dibs = None if app is None else extension_of(app)
    if dibs is None or not dibs.guards:
        return
    from dibs.store.host.drift import MEND

    for drift in find_drifts():
        if drift.unique:
            click.echo(
                f"{drift.where}: the database keeps it unique, too, by {', '.join(drift.unique)}"
            )
        if drift.apart:
            raise click.ClickException(
                f"{drift.where}: {len(drift.apart)} names and their owners have come apart; see"
                f" them with `flask dibs adopt verify`, and mend them with `{MEND}`"
            )
        click.echo(f"{drift.where}: {drift.people} people, all have their names")
