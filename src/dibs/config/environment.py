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
    found: dict[str, str | None] = {}
    try:
        if Path(".env").exists():
            with needs("service", "the file .env"):
                from dotenv import dotenv_values
            found = dotenv_values(".env")
    except UnicodeDecodeError:
        raise ConfigError("the file .env is not in UTF-8") from None
    found |= os.environ
    ours = {k: v for k, v in found.items() if k.startswith(PREFIX)}
    return load({k: v for k, v in ours.items() if not ORCHESTRATED(f"{k}={v}")})
