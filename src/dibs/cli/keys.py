"""`dibs keys`: what signs access tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dibs.cli.files import as_json as in_json
from dibs.cli.target import find_settings
from dibs.config.extras import needs
from dibs.errors import ConfigError

if TYPE_CHECKING:
    from dibs.accounts.keys import Key, KeyAlgorithm, KeyRing

SIGNS = "signs"


@click.group()
def keys() -> None:
    """The keys that sign access tokens."""


@keys.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def list_(as_json: bool) -> None:
    """List the keys: the kid, when each was made, its use, and by what it signs."""
    ring = find_ring()
    found = ring.all()
    if not found:
        raise click.ClickException(
            f"there are no keys at {ring.path}: `dibs serve` makes the first one,"
            " and so does `dibs keys rotate`"
        )
    for key in found:
        made, use = _shown(key.created_at), _use(key, ring.signing)
        if as_json:
            since = {"created_at": key.created_at, "retired_at": key.retired_at}
            click.echo(
                in_json({"kid": key.kid, "alg": key.algorithm, **since, "signs": use == SIGNS})
            )
        else:
            click.echo(f"{key.kid}\tmade {made}\t{use}\t{key.algorithm}")


@keys.command()
@click.option(
    "--algorithm",
    type=click.Choice(["EdDSA", "Ed25519", "ES256"]),
    help="What the new key signs by. Default: as the key before, or EdDSA.",
)
def rotate(algorithm: KeyAlgorithm | None) -> None:
    """Sign with a new key from now on.

    Servers notice within a second. The previous key still verifies tokens for a day, so that
    none ends early. If it has leaked, remove it from the file by hand: until then, anybody who
    has it can make tokens.
    """
    ring = find_ring()
    click.echo(f"{ring.rotate(algorithm).kid} signs from now on: {ring.path}")


def find_ring() -> KeyRing:
    """The keys that the settings name.

    Raises:
        ConfigError: There are none, since tokens are signed with a secret.
    """
    settings = find_settings()
    if settings.token_secret:
        raise ConfigError("DIBS_TOKEN_SECRET signs the tokens; there are no keys beside it")
    with needs("service", "Signing tokens"):
        from dibs.accounts.keys import KeyRing

    return KeyRing(settings.resolved_keys_file)


def _use(key: Key, signing: Key) -> str:
    if key.retired_at is not None:
        return f"retired {_shown(key.retired_at)}"
    return SIGNS if key.kid == signing.kid else "verifies"


def _shown(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
