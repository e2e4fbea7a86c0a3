"""Under whose name and path the service is shown: DIBS_SITE and DIBS_URL_PREFIX."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dibs.errors import ConfigError

LONGEST_NAME = 60
LARGEST_LOGO = 262_144
FORWARDED = "forwarded"

PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
"""A path that means the same wherever it is put: nothing to decode, and no host (`//`)."""

COLOUR = re.compile(r"#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})")
LINK = re.compile(r"(https?:/)?/[^\s\\/][^\s\\]*")
KINDS = {
    ".svg": ("image/svg+xml", re.compile(rb".*<svg[\s>]", re.DOTALL)),
    ".png": ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ".webp": ("image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
}


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture, and its media type."""

    data: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class Site:
    """What the setting says.

    Attributes:
        accent: A colour, as `#00aa66`; empty for the built-in one.
        logo: Read when the setting was.
        terms, privacy: Addresses, with http or https or of this host; empty for none.
    """

    name: str = "dibs"
    accent: str = ""
    logo: Logo | None = None
    terms: str = ""
    privacy: str = ""


@lru_cache(maxsize=8)
def parse(text: str) -> Site:
    """Read the setting: `name=Acme; accent=#0a6; logo=/etc/acme.svg; terms=https://...`.

    Raises:
        ConfigError: A part cannot be used; the message says which.
    """
    said: dict[str, Any] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        key, _, value = (side.strip() for side in part.partition("="))
        if key in said:
            raise ConfigError(f"DIBS_SITE cannot be used: `{key}` stands twice")
        if key not in READERS:
            raise ConfigError(
                f"DIBS_SITE cannot be used: {part!r} is none of name=, accent=, logo=, terms= and"
                " privacy=; an example is `name=Acme; accent=#0a6`"
            )
        said[key] = READERS[key](key, value)
    return Site(**said)


def _name(_: str, value: str) -> str:
    if not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        raise ConfigError(
            f"DIBS_SITE cannot be used: name takes 1 to {LONGEST_NAME} printable characters, not"
            f" {value!r}"
        )
    return value


def _accent(_: str, value: str) -> str:
    if not COLOUR.fullmatch(value):
        raise ConfigError(
            f"DIBS_SITE cannot be used: accent takes a colour such as #0a6 or #00aa66, not"
            f" {value!r}"
        )
    digits = value[1:].lower()
    return f"#{digits}" if len(digits) == 6 else "#" + "".join(one * 2 for one in digits)


def _link(key: str, value: str) -> str:
    try:
        is_link = LINK.fullmatch(value) and value.isprintable() and urlsplit(value).port != 0
    except ValueError:  # a bracket that is not closed, or a port that is none
        is_link = False
    if not is_link:
        raise ConfigError(
            f"DIBS_SITE cannot be used: {key} takes an address that begins with https://, http://"
            f" or a single /, not {value!r}"
        )
    return value


def _logo(_: str, value: str) -> Logo:
    file = Path(value)
    if file.suffix.lower() not in KINDS:
        raise ConfigError(
            f"DIBS_SITE cannot be used: logo takes an .svg, .png or .webp file, not {value!r}"
        )
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST_LOGO + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "is no path"
        raise ConfigError(f"DIBS_SITE cannot be used: the logo {value!r}: {why}") from error
    kind, begins = KINDS[file.suffix.lower()]
    if len(data) > LARGEST_LOGO or not begins.match(data):
        raise ConfigError(
            f"DIBS_SITE cannot be used: the logo {value!r} is no {file.suffix} picture of at most"
            f" {LARGEST_LOGO // 1024} KiB"
        )
    return Logo(data, kind)


READERS: dict[str, Callable[[str, str], Any]] = {
    "name": _name,
    "accent": _accent,
    "logo": _logo,
    "terms": _link,
    "privacy": _link,
}


def check_prefix(prefix: str, trusted_proxies: int) -> None:
    """See that DIBS_URL_PREFIX can be used.

    Raises:
        ConfigError: It is no path, or nobody is trusted to say one.
    """
    if prefix == FORWARDED and not trusted_proxies:
        raise ConfigError(
            "DIBS_URL_PREFIX is forwarded, which believes proxies; give DIBS_TRUSTED_PROXIES too"
        )
    if prefix not in ("", FORWARDED) and not PREFIX.fullmatch(prefix):
        raise ConfigError(
            f"DIBS_URL_PREFIX is {prefix!r}; give a path such as /names, without a / at its end,"
            f" or {FORWARDED}"
        )
