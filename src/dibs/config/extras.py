"""What an extra brings, and the sentence where it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dibs.errors import ConfigError


@contextmanager
def needs(extra: str, what: str) -> Iterator[None]:
    """Import what only an extra brings.

    Args:
        extra: Its name in pyproject.toml.
        what: What needs it, to begin a sentence with.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] == "dibs":
            raise
        raise ConfigError(
            f"{what} needs {missing.name}, which is not installed: pip install 'dibs[{extra}]'"
        ) from missing
