"""`dibs serve`."""

from __future__ import annotations

import socket
from errno import EACCES, EADDRINUSE
from time import sleep
from typing import TYPE_CHECKING

import click

from dibs.cli.target import explain, host_app, number
from dibs.config import Settings
from dibs.config.extras import needs
from dibs.errors import SchemaError, StoreUnavailable

if TYPE_CHECKING:
    from dibs.wiring import Parts


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@number("--port", 5000, click.IntRange(1, 65535), "Port to listen on; a port in use is refused.")
@number("--workers", 2, click.IntRange(1), "Number of worker processes.")
@click.option(
    "--metrics-port",
    type=click.IntRange(1, 65535),
    help="Port for Prometheus to read /metrics; none when absent.",
)
@click.option(
    "--metrics-host", default="127.0.0.1", show_default=True, help="Address of that port."
)
@number(
    "--keep-alive",
    80,
    click.IntRange(1),
    "Seconds for which an idle connection is kept; choose more than your proxy's.",
)
def serve(
    host: str,
    port: int,
    workers: int,
    metrics_port: int | None,
    metrics_host: str,
    keep_alive: int,
) -> None:
    """Run the registration service until it is told to stop.

    If the database has no tables, they are created first. If it cannot be reached, the
    service starts all the same and answers 503 until it is there.
    """
    if host_app() is not None:
        raise click.ClickException(
            "`flask dibs` works on your own app; `dibs serve` runs the service"
        )
    with needs("service", "`dibs serve`"):
        import uvicorn  # noqa: F401  # a sentence goes before the database's tables

        from dibs.app import settings_from_environment
    from dibs.serving.workers import Plan
    from dibs.serving.workers import serve as keep_serving
    from dibs.store.database.engine import parse_url
    from dibs.web.http.request_log import configure

    settings = settings_from_environment()
    configure(settings.log)
    parse_url(settings.resolved_database_url)  # what it cannot use is said first
    host, metrics = numeric(host), None
    refuse_shared_port(host, port)
    if metrics_port is not None:
        metrics = (numeric(metrics_host, "metrics-"), metrics_port)
        refuse_shared_port(*metrics, "metrics-")
    prepare_keys(settings)
    prepare(settings)
    click.echo(banner(settings, host, port))
    keep_serving(Plan(settings, host, port, threads(settings), metrics, keep_alive), workers)


def banner(settings: Settings, host: str, port: int) -> str:
    """Where the service is and what it runs on, for its log; no passwords."""
    from dibs.wiring import redis_address

    redis = redis_address(settings)
    return (
        f"dibs: {address(host, port)} (API: /docs), database {settings.shown_database_url},"
        f" strategy {settings.resolved_strategy}, Redis {redis.shown if redis else 'none'}"
    )


def threads(settings: Settings) -> int:
    """How many requests a worker answers at once.

    One for each connection to the database, and where passwords are hashed as many again as
    may wait for that: they hold no connection, and would keep everybody else waiting.
    """
    from dibs.accounts.passwords.queue import PLACES

    return settings.pool_size + (PLACES if settings.hashes else 0)


def refuse_shared_port(host: str, port: int, option: str = "") -> None:
    """Refuse a port that is in use.

    The workers share their port (SO_REUSEPORT), so a second server would
    start without a word and take half of the first one's requests.

    Args:
        option: What the names of the options begin with.

    Raises:
        ClickException: The address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            about_port = error.errno in (EADDRINUSE, EACCES)
            raise click.ClickException(
                f"cannot listen on {host} port {port} ({error.strerror}):"
                f" choose another --{option}{'port' if about_port else 'host'}"
            ) from error


def numeric(host: str, option: str = "") -> str:
    """The host's IP address; `ClickException` if there is no such host."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        said = f"there is no host {host}: choose another --{option}host"
        raise click.ClickException(said) from error


def address(host: str, port: int) -> str:
    """The service's address, for a browser."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def prepare(settings: Settings) -> None:
    """Make a new database ready, and see that an old one is.

    Raises:
        SchemaError: It is not, and what it needs is not ours to decide.
        ConfigError: A part that the settings ask for cannot be made; a worker would die of it.
    """
    from dibs.wiring import build, create_tables

    parts = build(settings)
    parts.accounts  # noqa: B018  # says what is wrong with a setting
    store, budget = parts.store, parts.budget
    try:
        store.verify(deadline=budget.start())
    except StoreUnavailable as error:
        click.echo(f"dibs: {explain(error)}; answering 503 until it can", err=True)
    except SchemaError:
        if store.is_empty(deadline=budget.start()):
            create_tables(settings)
        verify_soon(parts)
    finally:
        parts.close()


def verify_soon(parts: Parts) -> None:
    """See that the database is ready, or soon is: a server beside this one may be at it.

    Raises:
        SchemaError: It is not, and nobody makes it so.
    """
    from dibs.store.schema import UPGRADE_TRIES

    for _ in range(UPGRADE_TRIES):
        try:
            parts.store.verify(deadline=parts.budget.start())
            return
        except SchemaError:
            sleep(0.5)
    parts.store.verify(deadline=parts.budget.start())


def prepare_keys(settings: Settings) -> None:
    """Make the keys that sign access tokens if there are none, and check that they can be used.

    Raises:
        ConfigError: It cannot, or a secret is weak.
    """
    from dibs.accounts.keys import KeyRing
    from dibs.config.secrets import refuse_weak_secrets

    refuse_weak_secrets(settings)
    if settings.token_secret or not settings.hashes:  # nobody logs in
        return
    ring = KeyRing(settings.resolved_keys_file)
    if ring.create():
        click.echo(f"dibs: made the keys that sign tokens, for this user alone: {ring.path}")
    ring.signing  # noqa: B018  # says what is wrong with it
