"""`dibs user` and `dibs staff`: disabling users, and the staff role."""

from __future__ import annotations

import click

from dibs.cli.ready import ready_parts
from dibs.observe import printable


@click.group()
def user() -> None:
    """Disable users and enable them again."""


@user.command()
@click.argument("name")
def disable(name: str) -> None:
    """Disable a user: their sessions end and they cannot sign in."""
    _set(name, disabled=True)


@user.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let a disabled user sign in again."""
    _set(name, disabled=False)


def _set(name: str, *, disabled: bool) -> None:
    _, parts = ready_parts()
    row = parts.registry.holder(name, deadline=parts.budget.start())
    user_id = row.owner if row is not None and row.owner_kind == "user" else None
    if user_id is None or not parts.accounts.profiles.set_disabled(
        user_id, disabled=disabled, deadline=parts.budget.start()
    ):
        raise click.ClickException(f"there is no user {name}")
    click.echo(f"{name}: {'disabled' if disabled else 'enabled'}")


ROLE = "staff"


@click.group()
def staff() -> None:
    """Give and take the staff role."""


@staff.command()
@click.argument("name")
def grant(name: str) -> None:
    """Give a user the staff role."""
    _set_role(name, ROLE)


@staff.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Take the staff role away."""
    _set_role(name, None)


def _set_role(name: str, role: str | None) -> None:
    _, parts = ready_parts()
    row = parts.registry.holder(name, deadline=parts.budget.start())
    found = row is not None and row.owner_kind == "user" and row.owner is not None
    if not found or not parts.store.set_role(
        str(row and row.owner), role, deadline=parts.budget.start()
    ):
        raise click.ClickException(f"there is no user {printable(name)}")
    click.echo(f"{printable(name)}: {role or 'no role'}")
