"""Secrets that are none: short ones, and what examples and tutorials have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dibs.errors import ConfigError

if TYPE_CHECKING:
    from dibs.config import Settings

SHORTEST = 32
FEWEST_DIFFERENT = 10

EXAMPLE = re.compile(
    "change|secret|example|password|insecure|default|replace|qwerty|abcdefgh|keyboard|placeholder"
    "|generate|unguessable|random|fillme|fill-me|todo|correct horse|deadbeef|12345678|01234567"
    "|98765432|00112233|zyxwvuts|^(dev|test|your|my)[-_]"
).search
"""A random secret of 43 letters and digits holds one of these once in some ten million."""

PUBLISHED = {
    # Flask's documentation of SECRET_KEY, and FastAPI's of OAuth2 with JWT.
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
}


def refuse_weak_secret(key: str, secret: str) -> None:
    """See that the secret of a setting is one; it is told to nobody, not even in the refusal.

    Raises:
        ConfigError: It is short, or the kind of thing that examples have.
    """
    if len(secret) < SHORTEST or len(set(secret)) < FEWEST_DIFFERENT or _is_example(secret.lower()):
        raise ConfigError(
            f"{key} is short or an example; make one with"
            ' `python -c "import secrets; print(secrets.token_hex(32))"`'
        )


def _is_example(secret: str) -> bool:
    periods = range(1, len(secret) // 2 + 1)
    repeats_itself = any(secret[period:] == secret[:-period] for period in periods)
    return repeats_itself or secret in PUBLISHED or EXAMPLE(secret) is not None


def refuse_weak_secrets(settings: Settings) -> None:
    """See that the secrets that are set are some; `ConfigError` if one is short or an example."""
    for key, secret in (
        ("DIBS_SECRET_KEY", settings.secret_key),
        ("DIBS_TOKEN_SECRET", settings.token_secret),
    ):
        if secret:
            refuse_weak_secret(key, secret)
