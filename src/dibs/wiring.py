"""The composition root: from settings to the parts. No Flask."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dibs.accounts.registration import Registration
from dibs.config import Settings
from dibs.errors import ConfigError
from dibs.names import rules_version
from dibs.registry import Registry
from dibs.store import Budget, Store
from dibs.store.engine import connect
from dibs.store.schema import upgrade
from dibs.store.sql import SqlStore
from dibs.strategies import STRATEGIES


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a service is made of.

    Attributes:
        budget: Starts every request's deadline.
    """

    settings: Settings
    budget: Budget
    store: Store
    registry: Registry
    registration: Registration


def build(settings: Settings) -> Parts:
    """Put the parts together; no connection is opened yet.

    Raises:
        ConfigError: The database's address cannot be used.
    """
    store, budget = open_store(settings)
    strategy = STRATEGIES[settings.strategy](store)
    registry = Registry(
        store, strategy, namespace=settings.namespace, lookalikes=settings.lookalikes
    )
    registration = Registration(
        registry, store, mode=settings.password, secret_key=settings.secret_key
    )
    return Parts(settings, budget, store, registry, registration)


def open_store(settings: Settings) -> tuple[SqlStore, Budget]:
    """The store that the settings name, and what starts a deadline for it.

    Raises:
        ConfigError: The database's address cannot be used.
    """
    budget = Budget(settings.deadline)
    _make_home(settings)
    engine = connect(settings.resolved_database_url, budget=budget, pool_size=settings.pool_size)
    version = rules_version(settings.lookalikes)
    return SqlStore(engine, budget, rules_version=version), budget


def create_tables(settings: Settings) -> None:
    """Create the tables, or bring them to the newest migration.

    Raises:
        ConfigError: The database's address cannot be used.
        StoreUnavailable: The database cannot answer.
    """
    _make_home(settings)
    upgrade(settings.resolved_database_url, rules_version(settings.lookalikes))


def _make_home(settings: Settings) -> None:
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
