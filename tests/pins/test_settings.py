"""What is written into environments, `.env` files and scripts."""

from __future__ import annotations

from collections.abc import Iterator

import click

from dibs.cli import group
from tests.docs.blocks import documented
from tests.pins.snapshot import pinned


def test_settings_and_their_defaults() -> None:
    """Every DIBS_ key, with its default and the other values it takes."""
    pinned("settings", (f"{key} {default}".rstrip() for key, default, _ in documented()))


def usage(command: click.Command, path: str) -> Iterator[str]:
    yield path
    for one in command.params:
        names = ", ".join([*one.opts, *one.secondary_opts])
        if isinstance(one, click.Option):
            shown = f"={one.default}" if one.show_default else ""
            marks = " flag" if one.is_flag else " many" if one.multiple else ""
            yield f"  {names}{shown}{marks} {choices(one)}".rstrip()
        else:
            yield f"  argument {names} {one.nargs} {choices(one)}".rstrip()
    if isinstance(command, click.Group):
        for name, child in sorted(command.commands.items()):
            yield from usage(child, f"{path} {name}")


def choices(one: click.Parameter) -> str:
    return "|".join(map(str, one.type.choices)) if isinstance(one.type, click.Choice) else ""


def test_commands_and_their_options() -> None:
    """Every command, with what it takes."""
    pinned("commands", usage(group, "dibs"))
