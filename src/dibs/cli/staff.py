"""`dibs staff`: who may do what users may not."""

from __future__ import annotations

import click

from dibs.cli.ready import printable, ready_parts

ROLE = "staff"


@click.group()
def staff() -> None:
    """Users with the role `staff`."""


@staff.command()
@click.argument("name")
def grant(name: str) -> None:
    """Make a user staff."""
    _set(name, ROLE)


@staff.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Make a user one like the others again."""
    _set(name, None)


def _set(name: str, role: str | None) -> None:
    _, parts = ready_parts()
    row = parts.registry.holder(name, deadline=parts.budget.start())
    found = row is not None and row.owner_kind == "user" and row.owner is not None
    if not found or not parts.store.set_role(
        str(row and row.owner), role, deadline=parts.budget.start()
    ):
        raise click.ClickException(f"there is no user {printable(name)}")
    click.echo(f"{printable(name)}: {role or 'no role'}")
