"""Sites for the tests of HTTP: each on an SQLite file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import pytest

from dibs.accounts import passwords
from dibs.accounts.passwords import hashing
from dibs.accounts.passwords.algorithms import Argon2
from dibs.config.rates import DEFAULTS
from dibs.names import Lookalikes, rules_version
from dibs.store.schema import upgrade
from tests.backends import SQLITE
from tests.web.site import PASSWORD, Site


@pytest.fixture
def make_site() -> Iterator[Callable[..., Site]]:
    """Makes sites; settings are keywords, names alone is the default."""
    sites: list[tuple[Site, str]] = []

    def make(url: str = "", **settings: str) -> Site:
        place = url or (SQLITE.empty() if "lookalikes" in settings else SQLITE.shared())
        if "lookalikes" in settings:
            upgrade(place, rules_version(cast(Lookalikes, settings["lookalikes"])))
        sites.append((Site(place, **{"password": "off", **settings}), place))
        return sites[-1][0]

    yield make
    for site, place in sites:
        site.close()
        SQLITE.drop(place)


@pytest.fixture(params=["unique_constraint", "query_then_insert"])
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """Names alone."""
    return make_site()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every password that was hashed."""
    seen: list[str] = []

    make = hashing.make

    def hash_password(password: str, argon2: Argon2) -> str:
        seen.append(password)
        return make(password, argon2)

    monkeypatch.setattr(passwords, "make", hash_password)
    return seen


@pytest.fixture
def with_ada(make_site):
    """A site on which ada has a password; its limits are keywords."""

    def make(**groups: str) -> Site:
        usual = dict.fromkeys(DEFAULTS, "off") | groups
        said = "; ".join(f"{group}={rates}" for group, rates in usual.items())
        site: Site = make_site(password="required", rate_limits=said)
        assert site.register("ada", PASSWORD).status_code == 201
        return site

    return make
