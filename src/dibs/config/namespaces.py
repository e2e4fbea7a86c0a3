"""Namespaces: within one a name belongs to one owner; another may have it again."""

from __future__ import annotations

from dataclasses import dataclass

from dibs.errors import ConfigError

LONGEST_NAMESPACE = 64
"""Bytes, which the table has room for."""

STAR = "*"


def is_namespace(text: str) -> bool:
    """Whether it can be one."""
    return text.isprintable() and 1 <= len(text.encode()) <= LONGEST_NAMESPACE


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Some by name, and all that begin in a certain way.

    Attributes:
        names: Single ones.
        prefixes: What others begin with: `tenant-` of `tenant-*`.
    """

    names: frozenset[str] = frozenset()
    prefixes: frozenset[str] = frozenset()

    def __contains__(self, namespace: str) -> bool:
        if namespace in self.names:
            return True
        begins = any(namespace.startswith(one) and namespace != one for one in self.prefixes)
        return begins and is_namespace(namespace)

    def __or__(self, other: Namespaces) -> Namespaces:
        return Namespaces(self.names | other.names, self.prefixes | other.prefixes)

    def __bool__(self) -> bool:
        return bool(self.names or self.prefixes)


NONE = Namespaces()


def only(namespace: str) -> Namespaces:
    """This one alone."""
    return Namespaces(frozenset({namespace}))


def parse_namespaces(text: str) -> Namespaces:
    """The namespaces of DIBS_NAMESPACES: `projects, tenant-*`.

    Raises:
        ConfigError: One of them can be none; the message says which.
    """
    parts = {part.strip() for part in text.split(",")} - {""}
    for part in sorted(parts):
        if not is_namespace(part):
            raise _wrong(
                f"`{part}` is not made of printable characters, at most {LONGEST_NAMESPACE} bytes"
            )
        # A star alone would be every namespace of the database, those of other apps too.
        if STAR in part[:-1] or part == STAR:
            raise _wrong(f"in `{part}` the star does not stand behind the beginning of a name")
    starred = {part for part in parts if part.endswith(STAR)}
    return Namespaces(frozenset(parts - starred), frozenset(part[:-1] for part in starred))


def _wrong(what: str) -> ConfigError:
    return ConfigError(f"DIBS_NAMESPACES cannot be used: {what}; an example is `projects,tenant-*`")
