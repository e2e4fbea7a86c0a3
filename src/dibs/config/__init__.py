"""Every DIBS_ setting, once: its type, its default and what it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from dibs.config import name_rules, origins, rates, site
from dibs.config.namespaces import LONGEST_NAMESPACE, Namespaces, only, parse_namespaces
from dibs.errors import ConfigError

PREFIX = "DIBS_"

Strategy = Literal[
    "auto", "query_then_insert", "unique_constraint", "cache_aside", "membership_filter"
]
Password = Literal["required", "optional", "off"]
Locale = Literal["en", "zh", "ja"]
Lookalikes = Literal["standard", "strict", "off"]
Check = Literal["open", "token", "staff", "blind"]

# Below this the database's own time-outs would be rounded up past the deadline.
SHORTEST_DEADLINE = 5.0
# A cache's tombstone lasts 60 seconds, and must outlive a release and what was read before it.
LONGEST_DEADLINE = 57.0
MOST_DAYS = 36_500
LEAST = {
    **dict.fromkeys(("trusted_proxies", "rename_pause", "renames"), 0),
    **dict.fromkeys(("pool_size", "access_seconds", "refresh_seconds", "max_sessions"), 1),
    **dict.fromkeys(("hold_seconds", "holds"), 1),
}
NUMBERS = {float: "a number", int: "a whole number"}


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be set, from the environment, a `.env` file or `app.config`.

    Each attribute is the key DIBS_ and its own name in capitals.
    """

    home: str = _setting("instance", "Folder for the service's files.")
    database_url: str = _setting(
        "",
        "Address of the database: `sqlite:///file`, `postgresql://...`, `mysql://...` or"
        " `mariadb://...`. Default: `dibs.db` in DIBS_HOME.",
    )
    pooled: Literal["auto", "yes", "no"] = _setting(
        "auto",
        "Whether a pooler stands before PostgreSQL, such as PgBouncer. `auto` takes one for granted"
        " unless a connection is proven to lead to the server itself.",
    )
    redis_url: str = _setting(
        "",
        "Address of Redis, which counts for all workers, and remembers taken names: `redis://`, `rediss://`,"
        " `unix://`, `redis+sentinel://` or `redis+cluster://`. Without it nothing is shared.",
    )
    strategy: Strategy = _setting(
        "auto",
        "What happens before the insert; every one ends in the same insert. `auto` is"
        " `unique_constraint`, with DIBS_REDIS_URL too.",
    )
    lookalikes: Lookalikes = _setting(
        "standard",
        "Which names count as one because they look alike; to change it later, see `dibs adopt"
        " rekey`.",
    )
    name_rules: str = _setting(
        "",
        "What differs in the rules for new names: the fewest characters, of which one of Chinese,"
        " Japanese, Korean, Arabic, Hebrew or an Indic script counts as two (default: 3), the most"
        " (default: 30), and whether a name may be just a number: `min_length=2; max_length=20;"
        " numbers=on`. `dns=on` has every name be a label of the DNS, and `reserved=acme *-bot;"
        " free=good-bot` reserves further names, with exceptions.",
    )
    unreserved: str = _setting(
        "",
        "Reserved words, separated by spaces, that people may have as names after all:"
        " `guest home list null`.",
    )
    registration: Literal["open", "invite", "closed"] = _setting(
        "open",
        "Whether anybody may register, or who was invited (see `dibs invite`), or nobody: then"
        " `dibs register` makes accounts, and those there are go on.",
    )
    password: Password = _setting(
        "required", "Whether `POST /register` takes a password, may take one, or refuses it."
    )
    password_min_length: int = _setting(
        8, "Minimum length of a password; NIST asks for 15 where nothing else protects a login."
    )
    service_words: str = _setting(
        "",
        ("Words, separated by spaces, that no password may be built from: the service's own name."),
    )
    breaches: Literal["off", "pwned"] = _setting(
        "off",
        "`pwned` refuses passwords known from leaks; the first 5 digits of each password's "
        "SHA-1 are sent to Have I Been Pwned. While that service is away, nothing is refused.",
    )
    argon2_memory_kib: int = _setting(19456, "Memory for hashing a password, in KiB.")
    argon2_passes: int = _setting(2, "Passes over that memory.")
    argon2_lanes: int = _setting(1, "Lanes of that memory.")
    flask_security_salt: str = _setting(
        "",
        "SECURITY_PASSWORD_SALT of the Flask-Security app whose hashes were imported; needed until"
        " the last of their owners has logged in.",
    )
    hash_check: str = _setting(
        "",
        "Function that checks stored hashes which dibs cannot read, as `module:function`: it is"
        " given the hash and the password, and returns True if they belong together.",
    )
    token_secret: str = _setting(
        "", "Secret for HS256, 32 characters or more. Without it, tokens are signed with keys."
    )
    keys_file: str = _setting(
        "", "File of the signing keys, the same on every server. Default: `keys.json` in DIBS_HOME."
    )
    issuer: str = _setting("dibs", "Issuer of access tokens.")
    audience: str = _setting("dibs", "Audience of access tokens.")
    access_seconds: int = _setting(300, "How long an access token lives, in seconds.")
    refresh_seconds: int = _setting(
        2_592_000, "How long a session lives without being refreshed, in seconds."
    )
    max_sessions: int = _setting(
        100,
        (
            "Maximum number of sessions of one user; one more ends the session that was used "
            "longest ago."
        ),
    )
    locale: Locale = _setting(
        "en", "Language of answers to clients that ask for none of the three."
    )
    log: Literal["off", "text", "json"] = _setting(
        "off",
        "What `dibs serve` writes of requests to its standard error: a line each, as text or as"
        " JSON. With `off` it writes what goes wrong and what is suspicious alone.",
    )
    pages: Literal["on", "off"] = _setting(
        "on", "Whether the service also has pages for people: to sign up, sign in and so on."
    )
    site: str = _setting(
        "",
        "What pages and OpenAPI show in place of dibs: a name, an accent colour, an `.svg`, `.png`"
        " or `.webp` file, and links at the bottom of each page: `name=Acme; accent=#0a6;"
        " logo=/etc/acme.svg; terms=https://acme.example/terms; privacy=/privacy`.",
    )
    url_prefix: str = _setting(
        "",
        "Path below which the service is shown, such as `/names`, whether or not a proxy takes it"
        " away; or `forwarded` for what trusted proxies say in X-Forwarded-Prefix.",
    )
    deadline: float = _setting(
        5.0,
        f"Seconds in which every request is answered; {SHORTEST_DEADLINE:.0f} to"
        f" {LONGEST_DEADLINE:.0f}.",
    )
    pool_size: int = _setting(
        8,
        "Database connections, and requests answered at once, per worker; 64 more requests "
        "can wait for a password to be hashed.",
    )
    secret_key: str = _setting(
        "",
        "Secret for the tokens that make retries safe. Default: a random one that all servers"
        " share through the database.",
    )
    namespace: str = _setting("default", "Names are unique within one namespace.")
    quarantine: str = _setting(
        "90",
        "Days during which nobody else can take a name that was given up, so that nobody can "
        "pose as its last owner: a number, 0 for none, or `forever`.",
    )
    history_days: str = _setting(
        "forever",
        "Days after which the history and the log of events say nothing more of a user who was"
        " deleted: a number, or `forever`.",
    )
    adopt: Literal["off", "watch", "on"] = _setting(
        "on",
        "What a guarded column of an app that has users already does: nothing (`off`), record whose"
        " name is whose and refuse nobody (`watch`), or that and refuse (`on`). The service has no"
        " use for it.",
    )
    redirects: Literal["on", "off"] = _setting(
        "on", "Whether an old name leads to the new one (`renamed_to`) until somebody else has it."
    )
    hold_seconds: int = _setting(600, "How long a name is held for a sign-up, in seconds.")
    holds: int = _setting(5, "Names that one source may hold at a time.")
    rename_pause: int = _setting(0, "Seconds between two renames of one user by the routes.")
    renames: int = _setting(5, "Renames of one user within 30 days by the routes; 0 for none.")
    namespaces: str = _setting(
        "",
        "Further namespaces, separated by commas; one that ends in a star stands for all that"
        " begin like it: `projects,tenant-*`.",
    )
    check: Check = _setting(
        "open",
        "Who is told whether a name is taken: everybody (`open`), clients with a token, "
        "staff, or nobody (`blind`: only the rules are checked).",
    )
    rate_limits: str = _setting(
        "on",
        "How many requests are allowed: `on` for the defaults, `off` for no limits, or what "
        "differs from the defaults: `login=10/minute,100/hour; check=60/minute`.",
    )
    trusted_proxies: int = _setting(
        0,
        ("Number of proxies in front of the service whose X-Forwarded-For and -Proto are trusted."),
    )
    cors_origins: str = _setting(
        "",
        "Origins, separated by commas, whose pages may ask all JSON routes, with a Bearer token and"
        " never with cookies; `*` lets all of them ask `/usernames/...` alone. Without it, only the"
        " service's own.",
    )

    def __post_init__(self) -> None:
        if not SHORTEST_DEADLINE <= self.deadline <= LONGEST_DEADLINE:
            raise ConfigError(
                f"DIBS_DEADLINE is {self.deadline}; give {SHORTEST_DEADLINE:.0f} to"
                f" {LONGEST_DEADLINE:.0f} seconds"
            )
        rates.parse(self.rate_limits)
        name_rules.parse(self.name_rules)
        site.parse(self.site)
        site.check_prefix(self.url_prefix, self.trusted_proxies)
        parse_namespaces(self.namespaces)
        origins.parse(self.cors_origins)
        _ = self.quarantine_ms, self.history_ms
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                key, given = f"{PREFIX}{name.upper()}", getattr(self, name)
                raise ConfigError(f"{key} is {given}; give {least} or more")
        if not self.namespace.isprintable() or len(self.namespace.encode()) > LONGEST_NAMESPACE:
            raise ConfigError(
                f"DIBS_NAMESPACE takes printable characters, at most {LONGEST_NAMESPACE} bytes"
            )

    @property
    def quarantine_ms(self) -> int | None:
        """The quarantine in milliseconds; None for ever; `ConfigError` if it is none."""
        return _milliseconds("DIBS_QUARANTINE", self.quarantine)

    @property
    def history_ms(self) -> int | None:
        """How long deleted users are in the history, likewise."""
        return _milliseconds("DIBS_HISTORY_DAYS", self.history_days)

    @property
    def path(self) -> str:
        """What stands before the service's addresses, as far as a setting says it."""
        return "" if self.url_prefix == site.FORWARDED else self.url_prefix

    @property
    def all_namespaces(self) -> Namespaces:
        """The users' own, and the further ones."""
        return only(self.namespace) | parse_namespaces(self.namespaces)

    @property
    def resolved_keys_file(self) -> Path:
        """The file of the signing keys."""
        return Path(self.keys_file) if self.keys_file else Path(self.home).absolute() / "keys.json"

    @property
    def resolved_database_url(self) -> str:
        """The database's address, the default one if none is set."""
        return self.database_url or f"sqlite:///{Path(self.home).absolute() / 'dibs.db'}"

    @property
    def hashes(self) -> bool:
        """Whether passwords are hashed here at all."""
        return self.password != "off"  # noqa: S105  # the word for none

    @property
    def resolved_strategy(self) -> str:
        """The strategy that is used."""
        # Measured with Redis too: docs/strategies.md.
        return "unique_constraint" if self.strategy == "auto" else self.strategy

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
        near = get_close_matches(unknown[0], known, n=1) or ["one of those in docs/settings.md"]
        raise ConfigError(f"{unknown[0]} is no setting; do you mean {near[0]}?")
    values = {
        known[key].name: _read(key, value, types[known[key].name])
        for key, value in given.items()
        if value not in ("", None)
    }
    return Settings(**values)


def _milliseconds(key: str, given: str) -> int | None:
    """So many days, or None for ever."""
    if given == "forever":
        return None
    try:
        days = float(given)
    except ValueError:
        days = -1
    if not 0 <= days <= MOST_DAYS:
        raise ConfigError(f"{key} is {given!r}; give days, at most {MOST_DAYS}, or forever")
    return round(days * 86_400_000)


def _read(key: str, value: Any, kind: Any) -> Any:
    if choices := get_args(kind):
        if value not in choices:
            raise ConfigError(f"{key} is {value!r}; give one of {', '.join(choices)}")
        return value
    try:
        return kind(value)
    except ValueError:
        raise ConfigError(f"{key} is {value!r}; give {NUMBERS[kind]}") from None
