"""People who become users of the service itself, with the hashes of their passwords."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from dibs.accounts.passwords import Keys
from dibs.accounts.passwords.formats import FLASK_SECURITY, parse
from dibs.errors import ConfigError
from dibs.store.host.connection import AnyEngine
from dibs.store.host.people import People, Record
from dibs.store.names.adoption import AdoptedUser, insert_adopted

BATCH = 500
LONGEST_HASH = 512
"""What `dibs_users` has place for."""

OURS = uuid.UUID("0b1c9e5a-6f0e-5c9e-9d6b-6f2d1b3a7c41")
"""Within which ids that are no UUIDs become some: the same ones each time."""

NO = frozenset({"0", "f", "false", "n", "no", ""})


@dataclass(frozen=True, slots=True)
class Preset:
    """Where a library keeps its users.

    Attributes:
        table: Its table.
        hashes: The column of hashes.
        active: The column that is false for those who may not come in.
        keyed: Whether it hashes an HMAC of passwords.
    """

    table: str
    hashes: str
    active: str
    keyed: bool = False


PRESETS = {
    "flask-security": Preset("user", "password", "active", keyed=True),
    "django": Preset("auth_user", "password", "is_active"),
    "fastapi-users": Preset("user", "hashed_password", "is_active"),
}


def user_id(owner: str) -> str:
    """The id that somebody has as a user of the service: their own, where it is a UUID."""
    try:
        return str(uuid.UUID(owner))
    except ValueError:
        return str(uuid.uuid5(OURS, owner))


@dataclass(slots=True)
class ServiceUsers:
    """People of another app, as users of the service.

    Attributes:
        rows: Where they are, each with their hash and whether they may come in, if that is known.
        where: It in a sentence.
        kind: What their names are owned by.
    """

    rows: People
    where: str
    kind: str = "user"

    def pages(self) -> Iterator[list[Record]]:
        """Everybody, under their new ids."""
        for page in self.rows.pages():
            yield [(user_id(owner), name, also) for owner, name, also in page]

    def count(self) -> tuple[int, int]:
        """How many rows there are, and how many of them have no id."""
        return self.rows.count()

    def existing(self, owners: Collection[str]) -> set[str]:
        """All of them: the service has users of its own, too."""
        return set(owners)

    def uniques(self) -> list[str] | None:
        """What keeps the names unique there by itself."""
        return self.rows.uniques()


@dataclass(slots=True)
class Accounts:
    """What became of people's passwords.

    Attributes:
        users: How many are users from now on.
        hashes: How many of these have a password.
        corrected: How many of those before, who never came in, have another hash than until now.
        unread: How many hashes cannot be checked, by how they begin.
    """

    users: int = 0
    hashes: int = 0
    corrected: int = 0
    unread: dict[str, int] = field(default_factory=dict)


def import_accounts(
    engine: AnyEngine, people: ServiceUsers, *, keyed: bool, keys: Keys
) -> Accounts:
    """Make a user of everybody who has their name, with their hash; who is one already stays so.

    Args:
        engine: Of the service's database.
        people: Who; their names are imported already.
        keyed: Whether hashes are Flask-Security's.
        keys: What hashes of other apps need beside themselves.

    Raises:
        ConfigError: That library's salt is not set.
        StoreUnavailable: The database cannot answer; what was done before is kept.
    """
    if keyed and not keys.flask_security:
        raise ConfigError(
            "set DIBS_FLASK_SECURITY_SALT to the app's SECURITY_PASSWORD_SALT, with which it keys"
            " its hashes; if it has SECURITY_PASSWORD_SINGLE_HASH, name --table and --hashes"
            " instead of --from"
        )
    done = Accounts()
    everybody = (one for page in people.pages() for one in page if one[1] is not None)
    while batch := list(islice(everybody, BATCH)):
        users = [_user(owner, also, done, keyed, keys) for owner, _, also in batch]
        new, corrected = insert_adopted(engine, users)
        done.corrected += corrected
        done.users += len(new)
        done.hashes += sum(one.password_hash is not None for one in users if one.id in new)
    return done


def _user(owner: str, also: Any, done: Accounts, keyed: bool, keys: Keys) -> AdoptedUser:
    given, *active = also or (None,)
    is_active = not active or str(active[0]).strip().lower() not in NO
    stored = given.decode("utf-8", "replace") if isinstance(given, bytes) else str(given or "")
    # Django begins what is nobody's password with an exclamation mark.
    if not stored or stored.startswith("!"):
        return AdoptedUser(owner, None, is_active)
    if keyed and stored.startswith("$"):
        stored = FLASK_SECURITY + stored
    if parse(stored, keys) is None:
        begins = stored[: 1 + max(stored.find("$", 1), stored.find("}"), 0)]
        done.unread[begins] = done.unread.get(begins, 0) + 1
    # One that cannot be read is kept: DIBS_HASH_CHECK may be set later.
    fits = len(stored.encode("utf-8", "replace")) <= LONGEST_HASH and stored.isprintable()
    return AdoptedUser(owner, stored if fits else None, is_active)
