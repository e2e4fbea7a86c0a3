"""The composition root: from settings to the parts. No Flask."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dibs.accounts.policy import Reading
from dibs.cache import NameFilter, TakenNames
from dibs.config import Settings, name_rules
from dibs.config.extras import installing, needs
from dibs.config.secrets import refuse_weak_secrets
from dibs.errors import ConfigError
from dibs.names import RESERVED, NamePolicy, Parser, rules_version
from dibs.observe import COUNTS
from dibs.registry import Registry
from dibs.registry.coherence import Coherence
from dibs.registry.holds import Holds
from dibs.registry.renames import Renames
from dibs.registry.restores import RestoreWatch
from dibs.secret import ServiceSecret
from dibs.store import Budget, Deadline, NameStore
from dibs.store.database.engine import connect
from dibs.store.database.transactions import Transactions
from dibs.store.models import ALL_TABLES, Tables
from dibs.store.names.history import History
from dibs.store.names.moves import Pace
from dibs.store.names.reading import Listing
from dibs.store.schema import upgrade
from dibs.strategies import STRATEGIES, Sources

if TYPE_CHECKING:
    from dibs.accounts.registration import Registration
    from dibs.cache.filter.bloom import FilterKey
    from dibs.cache.filter.follower import FilterFile
    from dibs.cache.redis.address import Address
    from dibs.cache.redis.confirmed import RedisConfirmed
    from dibs.cache.redis.counts import RedisCounts
    from dibs.cache.redis.taken import RedisCache
    from dibs.wiring.accounts import Accounts


Opened = tuple[NameStore, Budget]
"""A store, and what starts a deadline for it."""


class InRedis(NamedTuple):
    """What a service has in Redis, both reached by one link, which `taken` closes."""

    taken: RedisCache
    limits: RedisCounts
    confirmed: RedisConfirmed


@dataclass(frozen=True)
class Parts:
    """Everything a service is made of; the budget starts every request's deadline."""

    settings: Settings
    budget: Budget
    store: NameStore
    cache: TakenNames
    filter: NameFilter
    coherence: Coherence
    registry: Registry
    holds: Holds
    renames: Renames
    history: History
    reading: Reading
    secret: ServiceSecret
    redis: InRedis | None
    restores: RestoreWatch

    @cached_property
    def accounts(self) -> Accounts:
        """Everything about users; made when it is first asked for, as it takes an extra.

        Raises:
            ConfigError: A setting of passwords cannot be used.
        """
        with needs("service", "Logging in"):
            from dibs.wiring.accounts import make_accounts

        return make_accounts(
            self.settings, self.store, self.registry, self.coherence, self.secret, self.reading
        )

    @property
    def registration(self) -> Registration:
        """How users register."""
        return self.accounts.registration

    @property
    def parser(self) -> Parser:
        """Reads names: which there can be, and which are one."""
        return self.registry.parser

    def close(self) -> None:
        """Give back every connection, and let the threads end."""
        self.restores.close()
        self.filter.close()
        self.cache.close()
        self.store.close()


def build(
    settings: Settings,
    *,
    reading: Reading | None = None,
    tables: Tables = ALL_TABLES,
    parser: Parser | None = None,
    opened: Opened | None = None,
) -> Parts:
    """Put the parts together, perhaps on an app's own database; no connection is opened yet.

    Raises:
        ConfigError: The database's address cannot be used, or a secret is weak.
    """
    refuse_weak_secrets(settings)
    store, budget = opened or open_store(settings, tables)
    secret = ServiceSecret(settings.secret_key, lambda ends: store.secret(deadline=ends))
    redis = _in_redis(settings, secret)
    cache = TakenNames(redis.taken if redis else None, COUNTS)
    filter_ = _filter(settings, store, budget)
    coherence = Coherence(store, cache, filter_)
    registry = Registry(
        store,
        STRATEGIES[settings.resolved_strategy](Sources(store, cache, filter_)),
        parser=parser or store.parser,
        coherence=coherence,
        namespace=settings.namespace,
        quarantine=settings.quarantine_ms,
    )
    held, most = settings.hold_seconds, settings.holds
    return Parts(
        settings,
        budget,
        store,
        cache,
        filter_,
        coherence,
        registry,
        Holds(registry, store, coherence, secret=secret, seconds=held, most=most),
        _renames(settings, registry, store, coherence),
        History(store.transactions, settings.namespace),
        reading or Reading(),
        secret,
        redis,
        RestoreWatch(
            store,
            cache,
            filter_,
            budget=budget,
            folder=Path(settings.home).absolute(),
            namespaces=settings.all_namespaces,
            elsewhere=redis.confirmed if redis else None,
        ),
    )


def _renames(
    settings: Settings, registry: Registry, store: NameStore, coherence: Coherence
) -> Renames:
    return Renames(
        registry,
        store,
        coherence,
        quarantine=settings.quarantine_ms,
        redirects=settings.redirects == "on",
        pace=Pace(pause=1000 * settings.rename_pause, most=settings.renames),
    )


@lru_cache
def has_accounts() -> bool:
    """Whether anybody can be logged in: what reads tokens and passwords comes with an extra."""
    try:
        with needs("service", "Logging in"):
            import dibs.wiring.accounts  # noqa: F401
    except ConfigError:
        return False
    return True


def make_parser(settings: Settings) -> Parser:
    """What reads the service's names."""
    rules = name_rules.parse(settings.name_rules)
    reserved = RESERVED.without(settings.unreserved.split())
    return Parser(
        policy=NamePolicy(**rules.limits),
        reserved=reserved.with_patterns(rules.reserved, free=rules.free),
        lookalikes=settings.lookalikes,
    )


def open_cache(settings: Settings, opened: Opened | None = None) -> TakenNames:
    """The caches alone, for who frees names elsewhere; the database is asked for its secret."""
    store, _ = opened or open_store(settings)

    def in_database(deadline: Deadline) -> str:
        try:
            return store.secret(deadline=deadline)
        finally:
            store.close()  # asked once: nothing else is wanted of it

    redis = _in_redis(settings, ServiceSecret(settings.secret_key, in_database))
    return TakenNames(redis.taken if redis else None, COUNTS)


def redis_address(settings: Settings) -> Address | None:
    """Where Redis is, if it is used; nothing is asked yet.

    Raises:
        ConfigError: The address cannot be used, or redis-py is not installed.
    """
    if not settings.redis_url:
        return None
    try:
        from dibs.cache.redis.address import Address
    except ImportError as error:
        raise ConfigError(f"DIBS_REDIS_URL needs redis-py: {installing('redis')}") from error
    return Address(settings.redis_url)


def _in_redis(settings: Settings, secret: ServiceSecret) -> InRedis | None:
    """What is in Redis, if it is used."""
    address = redis_address(settings)
    if address is None:
        return None
    from dibs.cache.redis.breaker import RedisBreaker
    from dibs.cache.redis.confirmed import RedisConfirmed
    from dibs.cache.redis.counts import RedisCounts
    from dibs.cache.redis.taken import RedisCache

    # Twice as many as to the database: requests that are waiting for it have been counted, and
    # one that finds none free is counted by its own process alone.
    link = RedisBreaker(address, connections=2 * settings.pool_size, counters=COUNTS)
    return InRedis(
        RedisCache(link, secret=secret.in_database, counters=COUNTS),
        RedisCounts(link, secret=secret, namespace=settings.namespace),
        RedisConfirmed(link, secret=secret.in_database),
    )


def _filter(settings: Settings, store: NameStore, budget: Budget) -> NameFilter:
    if settings.resolved_strategy != "membership_filter":
        return NameFilter()
    feed, recipe, shelf = filter_parts(settings, store, budget)
    from dibs.cache.filter.follower import Follower

    return Follower(
        feed,
        recipe=recipe,
        shelf=shelf,
        namespace=settings.namespace,
        counters=COUNTS,
        near=settings.deadline + 1,
    )


def filter_parts(
    settings: Settings, store: NameStore, budget: Budget
) -> tuple[Listing, Callable[[str], FilterKey], FilterFile]:
    """What a filter is made of: the names, what makes its recipe, and where it is kept.

    Raises:
        ConfigError: Its library is not installed.
    """
    try:
        from dibs.cache.filter.bloom import FilterKey
        from dibs.cache.filter.follower import FilterFile
    except ImportError as error:
        raise ConfigError(
            f"DIBS_STRATEGY=membership_filter needs rbloom: {installing('filter')}"
        ) from error
    rules = rules_version(settings.lookalikes)
    return (
        Listing(store.transactions, settings.namespace, budget),
        partial(FilterKey, namespace=settings.namespace, rules=rules),
        FilterFile(Path(settings.home).absolute(), settings.namespace),
    )


def open_store(settings: Settings, tables: Tables = ALL_TABLES) -> Opened:
    """The store that the settings name, and what starts a deadline for it.

    Raises:
        ConfigError: The database's address cannot be used.
    """
    budget, url = Budget(settings.deadline), settings.resolved_database_url
    make_home(settings)
    engine = connect(url, budget=budget, pool_size=settings.pool_size, pooled=settings.pooled)
    parser = make_parser(settings)
    return NameStore(
        Transactions(engine, budget), parser=parser, tables=tables, grouped=True
    ), budget


def create_tables(settings: Settings) -> None:
    """Create the tables, or bring them to the newest migration.

    Raises:
        ConfigError: The database's address cannot be used.
    """
    make_home(settings)
    upgrade(settings.resolved_database_url, rules_version(settings.lookalikes))


def make_home(settings: Settings) -> None:
    """Make the default database's folder and file, for nobody else to read."""
    if settings.database_url:
        return
    home = Path(settings.home)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite would let everybody read it; its -wal and -shm are made as it is.
        os.close(os.open(home / "dibs.db", os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ConfigError(f"DIBS_HOME {settings.home} cannot be made: {error.strerror}") from error
