"""`dibs db upgrade`, `dibs db restored` and `dibs check`."""

from __future__ import annotations

import click

from dibs.cli.adopt import find_drifts, ways_out
from dibs.cli.backup import forget
from dibs.cli.target import explain, find_settings, find_target, host, typed
from dibs.errors import DibsError
from dibs.observe import counted


@click.group()
def db() -> None:
    """The database's tables."""


@db.command()
def upgrade() -> None:
    """Create the tables or migrate them to the newest version."""
    target = find_target()
    target.upgrade()
    click.echo(f"The tables are up to date: {target.place}")


@db.command()
def restored() -> None:
    """Have servers forget what they knew, after another tool restored the database.

    What Redis and the filter say of names would be that of before. `dibs restore` does this itself.
    """
    target = find_target()
    target.verify()
    forget(find_settings())
    click.echo(f"Servers go by what is there now: {target.place}")


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
        warnings, time_outs = target.warnings(), target.time_outs()
    except DibsError as error:
        raise click.ClickException(f"{target.place}: {explain(error)}") from error
    lines = _guards()
    click.echo(f"All is well: {target.place}")
    for warning in warnings:
        click.echo(warning, err=True)
    for line in filter(None, [time_outs, *lines]):
        click.echo(line)
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


def _guards() -> list[str]:
    """What is to be said of guarded columns, in each of which everybody has their name.

    Raises:
        ClickException: Somebody has not.
    """
    found = host()
    if found is None or not found.dibs.guards:
        return []
    lines: list[str] = []
    wrong: list[str] = []
    for drift in find_drifts():
        if drift.unique:
            by = ", ".join(drift.unique)
            lines.append(f"{drift.where}: the database keeps it unique, too, by {by}")
        people = counted(drift.people, "person", "people")
        lines.append(f"{drift.where}: {people}, all have their names")
        if drift.apart:
            names = counted(len(drift.apart), "name and its owner", "names and their owners")
            ways = "; ".join(ways_out(drift))
            wrong.append(f"{drift.where}: {names} have come apart; {ways}")
    if wrong:
        wrong.append(f"see them with `{typed('adopt verify')}`")
        raise click.ClickException("\n".join(wrong))
    return lines
