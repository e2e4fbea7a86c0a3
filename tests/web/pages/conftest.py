"""A site with pages and passwords."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.pages.browser import Browser, member
from tests.web.site import Site


@pytest.fixture
def paged(make_site: Callable[..., Site]) -> Site:
    return make_site(password="required", argon2_memory_kib="64")


@pytest.fixture
def anybody(paged: Site) -> Browser:
    return Browser(paged)


@pytest.fixture
def ada(paged: Site) -> Browser:
    """Somebody who is logged in."""
    return member(paged, "Ada")
