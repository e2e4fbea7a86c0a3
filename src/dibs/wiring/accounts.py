"""Accounts, put together from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from dibs.accounts.housekeeping import Housekeeping
from dibs.accounts.idempotency import SLACK_SECONDS, IdempotentRequests
from dibs.accounts.keys import KeyRing
from dibs.accounts.login import Logins
from dibs.accounts.passwords import Argon2, Keys, Passwords, PwnedPasswords, Rules
from dibs.accounts.passwords.older import Check
from dibs.accounts.policy import Reading
from dibs.accounts.profile import Profiles, StaffAccounts
from dibs.accounts.recovery import Recovery
from dibs.accounts.registration import Registration
from dibs.accounts.teams import TeamAccounts
from dibs.accounts.tokens import AccessTokens
from dibs.config import Settings
from dibs.context import Budget
from dibs.errors import ConfigError
from dibs.registry import Registry
from dibs.registry.coherence import Coherence
from dibs.secret import ServiceSecret
from dibs.store.accounts.erasures import Erasures
from dibs.store.accounts.idempotency import Requests
from dibs.store.accounts.invitations import Invitations
from dibs.store.accounts.recoveries import Recoveries
from dibs.store.accounts.sessions import Sessions
from dibs.store.accounts.teams import Teams
from dibs.store.accounts.users import Users
from dibs.store.names.store import NameStore


@dataclass(frozen=True, slots=True)
class Accounts:
    """Everything about users: what is done with them, and the tables of it."""

    passwords: Passwords
    registration: Registration
    logins: Logins
    profiles: Profiles
    recovery: Recovery
    teams: TeamAccounts
    staff: StaffAccounts
    repeats: IdempotentRequests
    users: Users


def make_accounts(
    settings: Settings,
    store: NameStore,
    registry: Registry,
    coherence: Coherence,
    secret: ServiceSecret,
    reading: Reading,
) -> Accounts:
    """Put them together; nothing is read yet.

    Raises:
        ConfigError: A setting of passwords cannot be used.
    """
    passwords, parser, rows = _passwords(settings), registry.parser, store.transactions
    users = Users(rows, settings.namespace)
    access = AccessTokens(
        KeyRing(settings.resolved_keys_file),
        secret=settings.token_secret,
        issuer=settings.issuer,
        audience=settings.audience,
        seconds=settings.access_seconds,
    )
    sessions = Sessions(rows)
    expiring = Housekeeping(sessions, Erasures(rows, settings.history_ms))
    logins = Logins(users, sessions, expiring, passwords, access, parser, settings, secret)
    profiles = Profiles(users, logins, passwords, coherence, settings)
    teams, ways = Teams(rows, settings.namespace), Recoveries(rows)
    requests = Requests(rows, patience_ms=round(1000 * (settings.deadline + SLACK_SECONDS)))
    return Accounts(
        passwords,
        Registration(registry, passwords, settings, secret, Invitations(rows)),
        logins,
        profiles,
        Recovery(users, ways, logins, passwords, settings, secret),
        TeamAccounts(registry, teams, coherence, settings, secret, reading),
        StaffAccounts(store, users, logins, profiles, ways, teams, parser, settings),
        IdempotentRequests(requests, settings.namespace, secret),
        users,
    )


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
