"""What is wrong with a setting."""

from __future__ import annotations

from dibs.errors.base import DibsError


class ConfigError(DibsError):
    """A DIBS_ setting has a value that cannot be used."""

    code = "config"
    message = "A setting cannot be used."
