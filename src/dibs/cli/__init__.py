"""The command line: `dibs`, and the same as `flask dibs` inside a host app.

Every `flask` command of a host imports this, and so does every TAB of a shell. So each command
imports what it works with where it works: neither Flask nor SQLAlchemy is loaded before.
"""

from __future__ import annotations

import atexit
import gc
import logging
from collections.abc import MutableMapping
from importlib import import_module
from typing import Any

import click

from dibs import __version__

HOMES = {
    "adopt": "adopt",
    "backup": "backup",
    "check": "database",
    "compare": "compare",
    "db": "database",
    "filter": "filter:filter_",
    "invite": "invite",
    "keys": "keys",
    "names": "names",
    "prove": "prove",
    "register": "user",
    "reserve": "reserve",
    "restore": "backup",
    "serve": "serve",
    "staff": "user",
    "user": "user",
}
"""Where each command is, and what it is called there if not by its own name."""

SERVICE_ALONE = ("backup", "restore", "serve")
"""Those that `flask dibs` does not have."""


def in_full(command: click.Command) -> click.Command:
    """The command; lists of commands say its first sentence to the end, where click cuts it."""
    if not command.short_help:
        first = " ".join((command.help or "").partition("\n\n")[0].split()).partition(". ")[0]
        command.short_help = first.rstrip(".") + "."
    if isinstance(command, click.Group):
        for one in command.commands.values():
            in_full(one)
    return command


class Commands(click.Group):
    """Commands that report errors in a sentence, as `dibs` and as `flask dibs`.

    Each is imported when it is asked for, or when the help is.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [one for one in HOMES if ctx.parent is None or one not in SERVICE_ALONE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in HOMES:
            return None
        module, _, name = HOMES[cmd_name].partition(":")
        found: click.Command = getattr(import_module(f"dibs.cli.{module}"), name or cmd_name)
        return in_full(found)

    @property
    def commands(self) -> MutableMapping[str, click.Command]:
        """All of them, by name: what click keeps in a dict."""
        with click.Context(self) as ctx:
            return {one: found for one in HOMES if (found := self.get_command(ctx, one))}

    @commands.setter
    def commands(self, given: object) -> None:
        """Nothing is kept."""

    def invoke(self, ctx: click.Context) -> Any:
        from dibs.cli.target import explain
        from dibs.errors import DibsError

        try:
            return super().invoke(ctx)
        except DibsError as error:
            raise click.ClickException(explain(error)) from error


@click.group(name="dibs", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dibs")
@click.option(
    "--env-file",
    metavar="FILE",
    help="Read settings from this file, such as the one of your service, too.",
)
def group(env_file: str | None) -> None:
    """Usernames that belong to one person."""
    if env_file is not None:
        from dibs.config.environment import take_file

        take_file(env_file)


def main() -> None:
    """Run a command.

    What it imports, it needs to the end. To look for garbage in that every 700 objects, and
    to take it apart as the process ends, was a quarter of a short command's processor time.
    """
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    group(prog_name="dibs")
