"""`dibs names`: what became of a name, and what staff may do about it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from dibs.cli.files import as_json as in_json
from dibs.cli.files import moment
from dibs.cli.target import number, ready_parts, refuse_users_of_the_host, user_id_of
from dibs.context import acting_as
from dibs.errors import UserNotFound
from dibs.observe import printable

if TYPE_CHECKING:
    from dibs.store.names.history import PastChange

STAFF = "dibs names"
"""The actor that the history records."""

MOST_HOLDS = 1000

OWN_USERS = (
    "this app has users of its own, and dibs only keeps their names: give a user another name in"
    " the app, in the guarded column or by `dibs.rename`"
)


@click.group()
def names() -> None:
    """Names: who owns them, their history, and changing their owner."""


@names.command()
@click.argument("name")
def show(name: str) -> None:
    """Print who owns a name, or why nobody can."""
    parts = ready_parts()
    row = parts.registry.row_of(name, deadline=parts.budget.start())
    if row is None or row.free:
        # What a registration would be told: a broken rule, or a look-alike.
        username = parts.registry.admit(name, deadline=parts.budget.start())
        taken = parts.registry.check(username, deadline=parts.budget.start())
        click.echo(f"{printable(name)}: {taken or 'free'}")
        return
    click.echo(f"{row.display}: {row.state}")
    if row.owner:
        click.echo(f"{row.owner_kind}: {row.owner}")
    if row.expires_in is not None:
        click.echo(f"for: {timedelta(seconds=row.expires_in // 1000)}")
    now = parts.renames.renamed_to(row, deadline=parts.budget.start())
    if now is not None:
        click.echo(f"renamed to: {now}")


@names.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def list_(as_json: bool) -> None:
    """List names kept back: reserved ones with the reason, and the newest holds."""
    parts = ready_parts()
    reserved = parts.store.reserved(
        namespace=parts.settings.namespace, deadline=parts.budget.start()
    )
    for row in [*reserved, *parts.holds.going_on(limit=MOST_HOLDS, deadline=parts.budget.start())]:
        is_held = row.state == "held"
        why = f"{(row.expires_in or 0) // 1000} s" if is_held else printable(str(row.owner))
        said = {"name": row.display, "state": row.state, "held_for" if is_held else "reason": why}
        click.echo(in_json(said) if as_json else "\t".join(said.values()))


@names.command()
@click.argument("name")
@number("--limit", 100, click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def history(name: str, limit: int, as_json: bool) -> None:
    """Print the history of a name and of its look-alikes, newest first."""
    parts = ready_parts()
    username = parts.parser.existing(name)
    found = parts.history.of_name(username, limit=limit, deadline=parts.budget.start())
    for one in found:
        click.echo(in_json({"at": one.at, **asdict(one.change)}) if as_json else _line(one))


@names.command()
@click.argument("name")
@click.option("--user", required=True, help="The current name of the user.")
def assign(name: str, user: str) -> None:
    """Give a user a name that nobody owns, even if it is reserved, held or quarantined."""
    refuse_users_of_the_host(OWN_USERS)
    parts = ready_parts()
    if (user_id := user_id_of(parts, user)) is None:
        raise UserNotFound
    with acting_as(STAFF):
        renamed = parts.renames.rename(
            name, user_id=user_id, by_staff=True, deadline=parts.budget.start()
        )
    click.echo(f"{renamed.was} is now {renamed.became}")


@names.command()
@click.argument("name")
@click.option("--to", required=True, help="The present name of the new owner.")
@click.option("--instead", required=True, help="A new name for the present owner.")
def transfer(name: str, to: str, instead: str) -> None:
    """Transfer a user's name to another user, in one step; neither is ever without a name."""
    refuse_users_of_the_host(OWN_USERS)
    parts = ready_parts()
    with acting_as(STAFF):
        parts.renames.transfer(name, to=to, instead=instead, deadline=parts.budget.start())
    click.echo(f"{printable(name)} is now {printable(to)}'s; its owner is {printable(instead)}")


@names.command()
@click.argument("name")
def release(name: str) -> None:
    """Free a name at once that is held or quarantined.

    A user's or a team's own name goes with them, or by `dibs names transfer`; a reserved one
    by `dibs reserve remove`.
    """
    parts = ready_parts()
    row = parts.registry.row_of(name, deadline=parts.budget.start())
    if row is None or row.free:
        click.echo(f"{printable(name)}: is free")
        return
    if row.state not in ("held", "quarantined"):
        raise click.ClickException(f"{printable(name)} is {row.state}: see --help")
    with acting_as(STAFF):
        freed = parts.coherence.end(row, deadline=parts.budget.start())
    if not freed:
        raise click.ClickException(f"{printable(name)} changed hands a moment ago; look again")
    click.echo(f"{printable(name)}: free")


def _line(one: PastChange) -> str:
    change = one.change
    when = moment(one.at, "milliseconds")
    names = " -> ".join(printable(name) for name in (change.was, change.became) if name)
    who = f"{change.owner_kind} {change.owner}" if change.owner else "nobody's"
    by = f"by {printable(change.actor)}" if change.actor else ""
    request = f"request {printable(change.request_id)}" if change.request_id else ""
    return "\t".join(filter(None, (when, change.action, names, who, by, request)))
