"""`dibs reserve`: names that only staff may give away."""

from __future__ import annotations

from typing import TextIO

import click

from dibs.cli.register import password_options, register_user
from dibs.cli.target import find_settings
from dibs.errors import InvalidName, NameTaken
from dibs.wiring import build


@click.group()
def reserve() -> None:
    """Names that only staff may give away: brands, celebrities."""


@reserve.command()
@click.argument("names", nargs=-1)
@click.option("--file", type=click.File(encoding="utf-8"), help="Names, one a line.")
@click.option("--reason", default="staff", show_default=True, help="Why; at most 64 characters.")
def add(names: tuple[str, ...], file: TextIO | None, reason: str) -> None:
    """Reserve names; one that somebody has stays as it is and is said."""
    parts = build(find_settings())
    lines = [line.strip() for line in file or ()]
    for name in (*names, *filter(None, lines)):
        try:
            parts.registry.reserve(name, reason=reason, deadline=parts.budget.start())
        except (InvalidName, NameTaken) as refused:
            click.echo(f"{name}: {refused}", err=True)
        else:
            click.echo(f"{name}: reserved")


@reserve.command()
@click.argument("names", nargs=-1, required=True)
def remove(names: tuple[str, ...]) -> None:
    """Let anybody register these names again."""
    parts = build(find_settings())
    for name in names:
        freed = parts.registry.unreserve(name, deadline=parts.budget.start())
        click.echo(f"{name}: {'free' if freed else 'was not reserved'}")


@reserve.command(name="list")
def list_() -> None:
    """Print every name that staff reserved, with the reason."""
    settings = find_settings()
    parts = build(settings)
    rows = parts.store.reserved(namespace=settings.namespace, deadline=parts.budget.start())
    for row in rows:
        click.echo(f"{row.display}\t{row.owner}")


@reserve.command()
@click.argument("name")
@password_options
def assign(name: str, password: str | None, password_stdin: bool) -> None:
    """Register a user with a reserved name; print the name and the id."""
    register_user(name, password, from_stdin=password_stdin, by_staff=True)
