"""Accounts, put together from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from dibs.accounts.idempotency import SLACK_SECONDS, IdempotentRequests
from dibs.accounts.keys import KeyRing
from dibs.accounts.login import Logins
from dibs.accounts.passwords import Argon2, Keys, Passwords, PwnedPasswords, Rules
from dibs.accounts.passwords.older import Check
from dibs.accounts.policy import Reading
from dibs.accounts.profile import Profiles
from dibs.accounts.recovery import Recovery
from dibs.accounts.registration import Registration
from dibs.accounts.staff import StaffAccounts
from dibs.accounts.teams import TeamAccounts
from dibs.accounts.tokens import AccessTokens
from dibs.config import Settings
from dibs.context import Budget
from dibs.errors import ConfigError
from dibs.names import Parser
from dibs.registry import Registry
from dibs.registry.coherence import Coherence
from dibs.registry.renames import Renames
from dibs.secret import ServiceSecret
from dibs.store.accounts.idempotency import Requests
from dibs.store.accounts.recoveries import Recoveries
from dibs.store.accounts.sessions import Sessions
from dibs.store.accounts.teams import Teams
from dibs.store.accounts.users import Users
from dibs.store.names.store import NameStore


@dataclass(frozen=True, slots=True)
class Accounts:
    """Everything about users."""

    passwords: Passwords
    registration: Registration
    logins: Logins
    profiles: Profiles
    recovery: Recovery
    teams: TeamAccounts
    staff: StaffAccounts
    repeats: IdempotentRequests


def make_accounts(
    settings: Settings,
    store: NameStore,
    registry: Registry,
    renames: Renames,
    coherence: Coherence,
    secret: ServiceSecret,
    reading: Reading,
) -> Accounts:
    """Put them together; nothing is read yet.

    Args:
        settings: Of passwords and tokens.
        store: Where users are.
        registry: Where names are claimed.
        renames: Gives users other names.
        coherence: Tells the caches of names that go with them.
        secret: Of the service.
        reading: Who may read what.

    Raises:
        ConfigError: A setting of passwords cannot be used.
    """
    passwords = _passwords(settings)
    users, hashes = Users(store.transactions, settings.namespace), settings.hashes
    logins = _logins(settings, store, users, passwords, registry.parser, secret)
    profiles = Profiles(
        users,
        logins,
        passwords,
        coherence=coherence,
        renames=renames,
        quarantine=settings.quarantine_ms,
        hashes=hashes,
    )
    recoveries, parser = Recoveries(store.transactions), registry.parser
    return Accounts(
        passwords,
        Registration(
            registry,
            passwords,
            mode=settings.password,
            secret=secret,
            is_open=settings.registration == "open",
        ),
        logins,
        profiles,
        Recovery(
            users,
            recoveries,
            logins,
            passwords,
            secret=secret,
            hashes=hashes,
        ),
        TeamAccounts(
            registry,
            Teams(store.transactions, settings.namespace),
            coherence,
            quarantine=settings.quarantine_ms,
            secret=secret,
            reading=reading,
        ),
        StaffAccounts(
            store,
            users,
            recoveries,
            logins,
            profiles,
            parser=parser,
            namespace=settings.namespace,
        ),
        _repeats(settings, store, secret),
    )


def _repeats(settings: Settings, store: NameStore, secret: ServiceSecret) -> IdempotentRequests:
    patience_ms = round(1000 * (settings.deadline + SLACK_SECONDS))
    rows = Requests(store.transactions, patience_ms=patience_ms)
    return IdempotentRequests(rows, namespace=settings.namespace, secret=secret)


def _passwords(settings: Settings) -> Passwords:
    try:
        argon2 = Argon2(settings.argon2_memory_kib, settings.argon2_passes, settings.argon2_lanes)
        rules = Rules(
            min_length=settings.password_min_length,
            service_words=tuple(settings.service_words.split()),
            breaches=PwnedPasswords() if settings.breaches == "pwned" else None,
        )
    except ValueError as error:
        raise ConfigError(f"The settings of passwords: {error}") from error
    # What a user is stored or let in by needs the time of one attempt, and a moment to get there.
    reserve = Budget(settings.deadline).connect + 0.2
    return Passwords(argon2=argon2, rules=rules, keys=hash_keys(settings), reserve=reserve)


def hash_keys(settings: Settings) -> Keys:
    """What hashes of other apps need beside themselves.

    Raises:
        ConfigError: DIBS_HASH_CHECK names no function.
    """
    return Keys(settings.flask_security_salt.encode(), hash_check(settings.hash_check))


def hash_check(name: str) -> Check | None:
    """The function that DIBS_HASH_CHECK names; None if it names none.

    Raises:
        ConfigError: There is none.
    """
    if not name:
        return None
    module, _, function = name.partition(":")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"DIBS_HASH_CHECK names no function: {error}") from error
    if not callable(found):
        raise ConfigError(f"DIBS_HASH_CHECK names no function: {name}")
    return found  # type: ignore[no-any-return]


def _logins(
    settings: Settings,
    store: NameStore,
    users: Users,
    passwords: Passwords,
    parser: Parser,
    secret: ServiceSecret,
) -> Logins:
    access = AccessTokens(
        KeyRing(settings.resolved_keys_file),
        secret=settings.token_secret,
        issuer=settings.issuer,
        audience=settings.audience,
        seconds=settings.access_seconds,
    )
    return Logins(
        users,
        Sessions(store.transactions),
        passwords,
        access,
        secret=secret,
        parser=parser,
        session_seconds=settings.refresh_seconds,
        max_sessions=settings.max_sessions,
    )
