"""`dibs db upgrade`, `dibs db restored` and `dibs check`."""

from __future__ import annotations

from contextlib import closing

import click

from dibs.cli.adopt import find_drifts, ways_out
from dibs.cli.backup import forget
from dibs.cli.target import explain, find_settings, find_target, host, ready_parts, typed
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


@db.command()
@click.option("--run", is_flag=True, help="Also execute them.")
def distribute(run: bool) -> None:
    """Write the statements by which Citus spreads the names over its workers.

    Names and their history go by the key of a name; all other tables stay where they are.
    """
    from dibs.store.schema import DISTRIBUTED
    from dibs.store.schema import distribute as run_all

    for statement in DISTRIBUTED:
        click.echo(f"{statement};")
    if not run:
        return
    if host() is not None:
        raise click.ClickException("this app's database is the app's: run them there")
    settings = find_settings()
    try:
        run_all(settings.resolved_database_url)
    except DibsError as error:
        raise click.ClickException(f"{settings.shown_database_url}: {explain(error)}") from error
    click.echo(f"Done: {settings.shown_database_url}", err=True)


@click.command()
@click.option(
    "--accept-restore",
    is_flag=True,
    help="Say that the database is right as it is, though it was restored or has lost a moment.",
)
def check(accept_restore: bool) -> None:
    """Check whether the live database can keep names unique.

    Constraint, collation, rights, migration and rules version. For each problem it prints
    the command that fixes it, and exits with status 1. Redis, if there is one, is
    checked too; without it everything still works, so its absence is not a failure.
    """
    target = find_target()
    try:
        target.verify()
        target.verify_writable()
        warnings, time_outs = target.warnings(), target.time_outs()
        _judge_restores(accept_restore)
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


def _judge_restores(accept: bool) -> None:
    """See that the database has not gone back in time, or have it be as it is.

    Raises:
        ClickException: It has, and nobody has accepted it.
    """
    from dibs.registry.restores import SENTENCE

    with closing(ready_parts()) as parts:
        restores, budget = parts.restores, parts.budget
        restores.recall(deadline=budget.start())
        if accept:
            done = restores.accept(deadline=budget.start())
            click.echo("The database is accepted as it is" if done else "Nothing is to be accepted")
        elif restores.went_back(deadline=budget.start()):
            raise click.ClickException(SENTENCE)


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
