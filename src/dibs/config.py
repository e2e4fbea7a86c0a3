"""Every DIBS_ setting, once: its type, its default and what it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from math import inf
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from dibs.errors import ConfigError

PREFIX = "DIBS_"

Strategy = Literal["query_then_insert", "unique_constraint"]
Password = Literal["required", "optional", "off"]
Locale = Literal["en", "zh", "ja"]
Lookalikes = Literal["standard", "strict", "off"]

# Below this the database's own time-outs would be rounded up past the deadline.
SHORTEST_DEADLINE = 5.0
LONGEST_NAMESPACE = 64  # bytes
NUMBERS = {float: "a number", int: "a whole number"}


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be set, from the environment, a `.env` file or `app.config`.

    Each attribute is the key DIBS_ and its own name in capitals.
    """

    home: str = _setting("instance", "Folder of what the service keeps on disk.")
    database_url: str = _setting(
        "",
        "Address of the database: `sqlite:///file`, `postgresql://...`, `mysql://...` or"
        " `mariadb://...`. Default: `dibs.db` in DIBS_HOME.",
    )
    strategy: Strategy = _setting(
        "unique_constraint", "What happens before the insert; every one ends in the same insert."
    )
    lookalikes: Lookalikes = _setting(
        "standard",
        "Which names count as one because they look alike; chosen before the first name is"
        " stored, and kept.",
    )
    password: Password = _setting(
        "required", "Whether `POST /register` takes a password, may take one, or refuses it."
    )
    locale: Locale = _setting("en", "Language of answers to clients that ask for none of ours.")
    deadline: float = _setting(
        5.0, f"Seconds in which every request is answered; {SHORTEST_DEADLINE:.0f} or more."
    )
    pool_size: int = _setting(
        8, "Connections to the database, and requests answered at once, of each worker."
    )
    secret_key: str = _setting(
        "",
        "Secret of the tokens that make retries safe. Default: a random one that all"
        " servers on one database share through it.",
    )
    namespace: str = _setting("default", "Names are unique within one namespace.")
    rate_limits: Literal["off"] = _setting("off", "Limits on requests; `off` until they are built.")

    def __post_init__(self) -> None:
        if not SHORTEST_DEADLINE <= self.deadline < inf:
            raise ConfigError(f"DIBS_DEADLINE is {self.deadline}; give {SHORTEST_DEADLINE} or more")
        if self.pool_size < 1:
            raise ConfigError(f"DIBS_POOL_SIZE is {self.pool_size}; give 1 or more")
        if not self.namespace.isprintable() or len(self.namespace.encode()) > LONGEST_NAMESPACE:
            raise ConfigError(
                f"DIBS_NAMESPACE takes printable characters, at most {LONGEST_NAMESPACE} bytes"
            )

    @property
    def resolved_database_url(self) -> str:
        """The database's address, the default one if none is set."""
        return self.database_url or f"sqlite:///{Path(self.home).absolute() / 'dibs.db'}"

    @property
    def shown_database_url(self) -> str:
        """The same without its password, for people to read.

        Rather too much is hidden than a part of a password that has an @ in it.
        """
        shown = re.sub(r"//([^:/]*):.*@", r"//\1:***@", self.resolved_database_url)
        return re.sub(r"(passw[^=&]*)=[^&]*", r"\1=***", shown)


def load(source: Mapping[str, Any]) -> Settings:
    """The settings that these DIBS_ keys make; a key that is absent or empty has its default.

    Raises:
        ConfigError: A key is unknown, or its value is not one of those it takes.
    """
    types = get_type_hints(Settings)
    known = {PREFIX + f.name.upper(): f for f in fields(Settings)}
    given = {key: value for key, value in source.items() if key.startswith(PREFIX)}
    if unknown := sorted(given.keys() - known.keys()):
        raise ConfigError(f"{unknown[0]} is no setting; there are {', '.join(sorted(known))}")
    values = {
        known[key].name: _read(key, value, types[known[key].name])
        for key, value in given.items()
        if value not in ("", None)
    }
    return Settings(**values)


def _read(key: str, value: Any, kind: Any) -> Any:
    if choices := get_args(kind):
        if value not in choices:
            raise ConfigError(f"{key} is {value!r}; give one of {', '.join(choices)}")
        return value
    try:
        return kind(value)
    except ValueError:
        raise ConfigError(f"{key} is {value!r}; give {NUMBERS[kind]}") from None


def documented() -> list[tuple[str, str, str]]:
    """Key, default and meaning of every setting, for the documentation."""
    return [(PREFIX + f.name.upper(), _default(f), f.metadata["meaning"]) for f in fields(Settings)]


def _default(setting: Field[Any]) -> str:
    choices = get_args(get_type_hints(Settings)[setting.name])
    others = [choice for choice in choices if choice != setting.default]
    return "; ".join([f"`{setting.default}`" if setting.default != "" else "", *others])
