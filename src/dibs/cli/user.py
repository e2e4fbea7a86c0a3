"""`dibs user`: who may come in."""

from __future__ import annotations

import click

from dibs.cli.target import find_settings
from dibs.wiring import build


@click.group()
def user() -> None:
    """Users, kept out and let in again."""


@user.command()
@click.argument("name")
def disable(name: str) -> None:
    """Keep a user out: her sessions end, and no password lets her in."""
    _set(name, disabled=True)


@user.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let a user sign in again."""
    _set(name, disabled=False)


def _set(name: str, *, disabled: bool) -> None:
    parts = build(find_settings())
    row = parts.registry.holder(name, deadline=parts.budget.start())
    user_id = row.owner if row is not None and row.owner_kind == "user" else None
    if user_id is None or not parts.accounts.profiles.set_disabled(
        user_id, disabled=disabled, deadline=parts.budget.start()
    ):
        raise click.ClickException(f"there is no user {name}")
    click.echo(f"{name}: {'disabled' if disabled else 'enabled'}")
