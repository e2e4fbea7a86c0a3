"""The settings of a process: its environment, and a file `.env` beside it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from dibs.config import PREFIX, Settings, load
from dibs.config.extras import needs
from dibs.errors import ConfigError

# Kubernetes gives every container DIBS_PORT and the like when a Service is called `dibs`, and
# DIBS_REDIS_PORT and the like for one called `dibs-redis`
# (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
ORCHESTRATED = re.compile(
    r"DIBS_((PORT(_.*)?|SERVICE_(HOST|PORT)(_.*)?)=.*"
    r"|\w+_SERVICE_HOST=[\da-fA-F.:]*|\w+_SERVICE_PORT(_\w+)?=\d+"
    r"|\w+_PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://.*"
    r"|\w+_PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=.*)",
    re.DOTALL,
).fullmatch


def settings_from_environment() -> Settings:
    """The settings of the environment, and of a `.env` file where it is silent.

    Raises:
        ConfigError: A DIBS_ key is unknown or has a value it does not take.
    """
    found = {**(_read(".env") if Path(".env").exists() else {}), **os.environ}
    ours = {k: v for k, v in found.items() if k.startswith(PREFIX)}
    return load({k: v for k, v in ours.items() if not ORCHESTRATED(f"{k}={v}")})


def take_file(path: str) -> None:
    """Put the settings of a file into the environment, where it is silent.

    Raises:
        ConfigError: It cannot be read.
    """
    if not Path(path).is_file():
        raise ConfigError(f"there is no file {path}")
    for key, value in _read(path).items():
        if key.startswith(PREFIX) and value is not None:
            os.environ.setdefault(key, value)


def _read(path: str) -> dict[str, str | None]:
    with needs("service", f"the file {path}"):
        from dotenv import dotenv_values
    try:
        return dotenv_values(path)
    except UnicodeDecodeError:
        raise ConfigError(f"the file {path} is not in UTF-8") from None
    except OSError as error:
        raise ConfigError(f"the file {path} cannot be read: {error.strerror}") from error
