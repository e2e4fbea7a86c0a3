"""`dibs user` and `dibs staff`: helping users, keeping them out, and the staff role."""

from __future__ import annotations

import sys

import click

from dibs.accounts.recovery import LINK_SECONDS
from dibs.cli.ready import ready_parts
from dibs.cli.register import password_options, password_read
from dibs.observe import printable
from dibs.wiring import Parts


@click.group()
def user() -> None:
    """Help users who cannot sign in, disable users and enable them again."""


@user.command()
@click.argument("name")
@password_options
def password(name: str, password: str | None, password_stdin: bool) -> None:
    """Set a user's password and end their sessions.

    A password that is not given is asked for.
    """
    _, parts = ready_parts()
    user_id = _user_id(parts, name)
    given = str(password_read(password, from_stdin=password_stdin, required=True))
    parts.accounts.recovery.set_password(user_id, given, deadline=parts.budget.start())
    click.echo(f"{printable(name)}: the password was set, and every session has ended")


@user.command()
@click.argument("name")
def link(name: str) -> None:
    """Print what stands behind the service's address in a link for a new password."""
    _, parts = ready_parts()
    token = parts.accounts.recovery.make_link(_user_id(parts, name), deadline=parts.budget.start())
    click.echo(f"/new-password/{token}")
    click.echo(
        f"Good once, for {LINK_SECONDS // 3600} hours, for whoever opens it. Put the address of"
        " your service before it.",
        file=sys.stderr,
    )


def _user_id(parts: Parts, name: str) -> str:
    row = parts.registry.holder(name, deadline=parts.budget.start())
    if row is None or row.owner_kind != "user" or row.owner is None:
        raise click.ClickException(f"there is no user {printable(name)}")
    return row.owner


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
    user_id = _user_id(parts, name)
    if not parts.accounts.profiles.set_disabled(
        user_id, disabled=disabled, deadline=parts.budget.start()
    ):
        raise click.ClickException(f"there is no user {printable(name)}")
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
    user_id = _user_id(parts, name)
    if not parts.store.set_role(user_id, role, deadline=parts.budget.start()):
        raise click.ClickException(f"there is no user {printable(name)}")
    click.echo(f"{printable(name)}: {role or 'no role'}")
