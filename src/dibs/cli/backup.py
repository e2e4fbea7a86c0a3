"""`dibs backup`, `dibs restore`, and what `dibs db restored` does."""

from __future__ import annotations

import time
from pathlib import Path

import click

from dibs.cli.files import FILE
from dibs.cli.filter import rebuild_filter
from dibs.cli.target import all_namespaces, find_settings, host_app, making
from dibs.config import Settings
from dibs.observe import counted

APP_ALONE = "the app's database is the app's to back up: `dibs backup` is for the service's own"
BEHIND = (
    "the database is restored, but {}, so a name that is free again may be called taken for an"
    " hour: run `dibs db restored` once it answers"
)


@click.command()
@click.argument("file", type=FILE)
@click.option("--yes", is_flag=True, help="Replace the file if it is there.")
def backup(file: Path, yes: bool) -> None:
    """Write the SQLite database into a file, while servers run.

    It is seen to be whole before it gets its name. Another database is backed up by its own tool.
    """
    from dibs.store import schema
    from dibs.store.backup import back_up

    settings = own_settings()
    schema.require_file(settings.resolved_database_url, making(settings))
    if file.exists() and not yes:
        raise click.ClickException(f"{file} is there already: give --yes to replace it")
    held = back_up(settings.resolved_database_url, file)
    click.echo(f"{file}: {counted(held, 'name', 'names')} of {settings.shown_database_url}")


@click.command()
@click.argument("file", type=FILE)
@click.option("--yes", is_flag=True, help="Replace what is in the database.")
def restore(file: Path, yes: bool) -> None:
    """Put a backup in the place of the SQLite database, while servers run.

    What came after the backup is gone then. Another database is restored by its own tool.
    """
    from dibs.store import backup as backups
    from dibs.wiring import make_home, make_parser

    settings = own_settings()
    url = settings.resolved_database_url
    if not yes and (held := backups.names_in(url)):
        raise click.ClickException(
            f"{settings.shown_database_url} has {counted(held, 'name', 'names')}: give --yes to"
            " replace them by what is in the file"
        )
    with backups.prepared(file, make_parser(settings)) as copy:
        make_home(settings)
        held = backups.restore(copy, url)
    forget(settings)
    click.echo(f"{settings.shown_database_url}: {counted(held, 'name', 'names')} of {file}")


def own_settings() -> Settings:
    """Those of the service, whose database dibs backs up.

    Raises:
        ClickException: It is an app's.
        ConfigError: Another tool does that; says which.
    """
    from dibs.store.backup import require_ours

    if host_app() is not None:
        raise click.ClickException(APP_ALONE)
    settings = find_settings()
    require_ours(settings.resolved_database_url)
    return settings


def forget(settings: Settings) -> None:
    """Have every server forget what it knew of names before the database was restored.

    Redis is emptied of them twice: whoever read a name just before may still write it there.

    Raises:
        ClickException: Redis does not answer.
    """
    from dibs.cache.taken import STALE_FILL_SECONDS
    from dibs.store.names.restores import Restores
    from dibs.wiring import open_store, redis_address

    if host_app() is None:  # whose servers would take it for a loss
        store, budget = open_store(settings)
        try:
            Restores(store.transactions).begin_anew(deadline=budget.start())
        finally:
            store.close()

    began, among = time.monotonic(), all_namespaces(settings).__contains__
    failed: OSError | None = None
    if (address := redis_address(settings)) is not None:
        from dibs.cache.redis.erasing import erase_all

        try:
            erase_all(address, among)
            time.sleep(max(0.0, began + STALE_FILL_SECONDS - time.monotonic()))
            erase_all(address, among)
        except OSError as error:
            failed = error
    if settings.resolved_strategy == "membership_filter":
        rebuild_filter()
    if failed is not None:
        raise click.ClickException(BEHIND.format(str(failed).rstrip(".")))
