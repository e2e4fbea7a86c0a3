"""`dibs register NAME`."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable

import click

from dibs.cli.target import ready_parts, refuse_users_of_the_host

Command = Callable[..., None]


def password_options(command: Command) -> Command:
    """Let a command be given a password, by `password` and `password_stdin`."""
    visible = click.option(
        "--password", help="The password; other users of the machine may see it."
    )
    hidden = click.option(
        "--password-stdin", is_flag=True, help="Read the password from standard input."
    )
    return visible(hidden(command))


@click.command()
@click.argument("name")
@password_options
def register(name: str, password: str | None, password_stdin: bool) -> None:
    """Register a user; print the name and the id.

    A password that is required and not given is asked for.
    """
    register_user(name, password, from_stdin=password_stdin)


def register_user(
    name: str, password: str | None, *, from_stdin: bool, by_staff: bool = False
) -> None:
    """Register, and print the name and the id."""
    refuse_users_of_the_host(
        "this app has users of its own and would not know one that is made here. Create users"
        " in the app, where `dibs.claim` takes the name. (With init_app(app, api=True) dibs"
        " keeps the users, and this command creates them.)"
    )
    parts = ready_parts()
    required = parts.settings.password == "required"  # noqa: S105  # a mode
    password = password_read(password, from_stdin=from_stdin, required=required)
    user = parts.registration.register(
        name,
        password,
        request=(b"dibs register", secrets.token_bytes(16)),
        by_staff=by_staff,
        by_command=True,
        deadline=parts.budget.start(),
    )
    click.echo(f"{user.username} {user.id}")


def password_read(given: str | None, *, from_stdin: bool, required: bool) -> str | None:
    """The password that was given, or the first line of standard input, or what is asked for."""
    if from_stdin:
        if given is not None:
            raise click.UsageError("give --password or --password-stdin, not both")
        # Without its end: `echo` and a file's last line have one.
        return sys.stdin.readline().rstrip("\r\n")
    if given is not None or not required:
        return given
    if not sys.stdin.isatty():
        raise click.ClickException(
            "there is no terminal to ask for a password: give --password-stdin or --password"
        )
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
