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
            f"{what} needs {missing.name}, which is not installed: {installing(extra)}"
        ) from missing


def installing(extra: str) -> str:
    """What is typed to install an extra, of the distribution that is installed here.

    That may be called otherwise than what is imported: pyproject.toml says how.
    """
    from importlib.metadata import entry_points  # only where something is missing

    ours = entry_points(group="console_scripts", name="dibs")
    names = [one.dist.name for one in ours if one.dist is not None]
    return f"pip install '{names[0] if names else 'dibs'}[{extra}]'"
