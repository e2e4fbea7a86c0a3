"""`dibs invite`: links by which people may register, where that is by invitation."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from dibs.cli.files import as_json as in_json
from dibs.cli.files import moment
from dibs.cli.target import number, ready_parts, refuse_users_of_the_host
from dibs.context import acting_as
from dibs.observe import printable

MOST = click.IntRange(1, 100)


@click.group(invoke_without_command=True)
@number("--uses", 1, MOST, "How many people may register by it.")
@number("--days", 7, MOST, "For how many days.")
@click.pass_context
def invite(context: click.Context, uses: int, days: int) -> None:
    """Print what stands behind the service's address in a link to register by."""
    refuse_users_of_the_host("this app has users of its own, and registers them itself")
    context.with_resource(acting_as("dibs invite"))
    if context.invoked_subcommand is not None:
        return
    parts = ready_parts()
    _, token = parts.registration.invite(uses, days, deadline=parts.budget.start())
    click.echo(f"{parts.settings.path}/join/{token}")
    said = "Put the address of your service before it. It is not shown again."
    if parts.settings.registration != "invite":
        said += " It counts once DIBS_REGISTRATION is invite."
    click.echo(said, file=sys.stderr)


@invite.command(name="list")
@number("--limit", 100, click.IntRange(1, 10_000))
@click.option("--after", help="The id of the last one of the page before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def list_(limit: int, after: str | None, as_json: bool) -> None:
    """List invitations, the newest first: id, how many registered, until when, and who made it."""
    parts = ready_parts()
    find = parts.registration.invitations.page
    found = find(after=after, limit=limit + 1, deadline=parts.budget.start())
    for one in found[:limit]:
        until = moment(one.expires_at) if one.is_good else "ended"
        line = (one.id, f"{one.used} of {one.uses}", until, printable(one.actor or "-"))
        click.echo(in_json(asdict(one)) if as_json else "\t".join(line))
    if len(found) > limit:
        click.echo(f"There are more: --after {found[limit - 1].id}", file=sys.stderr)


@invite.command()
@click.argument("invitation")
def revoke(invitation: str) -> None:
    """End an invitation, by its id: nobody else registers by it."""
    parts = ready_parts()
    if not parts.registration.invitations.end(invitation, deadline=parts.budget.start()):
        raise click.ClickException(f"there is no invitation {printable(invitation)} to be ended")
    click.echo(f"{invitation}: ended")
