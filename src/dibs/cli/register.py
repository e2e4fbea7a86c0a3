"""`dibs register NAME`."""

from __future__ import annotations

import secrets

import click

from dibs.cli.target import find_settings
from dibs.wiring import build


@click.command()
@click.argument("name")
@click.option("--password", help="Asked for when it is left out and one is required.")
def register(name: str, password: str | None) -> None:
    """Register a user, and print her id."""
    settings = find_settings()
    if password is None and settings.password == "required":  # noqa: S105  # a mode
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    parts = build(settings)
    parts.store.verify(deadline=parts.budget.start())
    request = (b"dibs register", secrets.token_bytes(16))
    user = parts.registration.register(
        name, password, request=request, deadline=parts.budget.start()
    )
    click.echo(f"{user.username} {user.id}")
