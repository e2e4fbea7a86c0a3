"""`--namespace`: whose names a command is about."""

from __future__ import annotations

from collections.abc import Callable

import click

from dibs.cli.target import host_namespaces
from dibs.config import Settings

Command = Callable[..., None]


def namespace_option(command: Command) -> Command:
    """Let a command be told whose names it is about, by `namespace`; see `chosen`."""
    option = click.option(
        "--namespace", metavar="NAME", help="Whose names; those of users when it is left out."
    )
    return option(command)


def chosen(namespace: str | None, settings: Settings) -> str:
    """The namespace that a command is about.

    Raises:
        BadParameter: There is no such namespace: what is reserved in it would protect nothing.
    """
    hosts = host_namespaces()
    if namespace is None:
        return settings.namespace
    if namespace not in settings.all_namespaces | hosts:
        raise click.BadParameter(
            f"there is no namespace {namespace!r}; see DIBS_NAMESPACES.",
            param_hint="'--namespace'",
        )
    return namespace
