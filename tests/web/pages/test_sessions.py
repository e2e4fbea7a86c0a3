"""Where somebody is signed in: what tells one row from the next."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from tests.web.pages.browser import Browser
from tests.web.pages.test_languages import Words
from tests.web.site import PASSWORD, Site

LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36"
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOVEMBER = 1_793_491_500_000  # 2026-10-31 22:05 UTC


def signed_in(site: Site, agent: str) -> Browser:
    browser = Browser(site)
    form = browser.form("/sign-in", "/sign-in")
    typed = {**form.fields, "username": "ada", "password": PASSWORD}
    assert browser.post(form.action, typed, User_Agent=agent).status_code == 303
    return browser


def began(site: Site, moments: list[int]) -> None:
    """Has the sessions have begun then, in the order in which they did."""
    with site.parts.store.engine.begin() as connection:
        ids = connection.scalars(text("SELECT id FROM dibs_sessions ORDER BY created_at, rowid"))
        for row_id, at in zip(ids.all(), moments, strict=True):
            sql = text("UPDATE dibs_sessions SET created_at = :at WHERE id = :id")
            connection.execute(sql, {"at": at, "id": row_id})


def rows(page: str) -> list[str]:
    """What is said of each session, as it is read."""
    part = page.partition('id="devices"')[2].partition("</ul>")[0]
    return [squeezed("".join(Words(one).said)) for one in part.split("<li>")[1:]]


def squeezed(words: str) -> str:
    """Without the spaces, of which the page has some more than the reader sees."""
    return "".join(words.split())


@pytest.fixture
def three(ada: Browser) -> Browser:
    """Ada in a browser without a known name, and on two computers that call themselves the same."""
    for _ in range(2):
        signed_in(ada.site, LINUX)
    began(ada.site, [NOVEMBER, NOVEMBER + 2 * HOUR_MS, NOVEMBER + 3 * DAY_MS])
    return ada


def test_no_two_rows_say_the_same(three):
    """Nor do their buttons, which are read out without what stands beside them."""
    page = three.get("/account").text
    found = rows(page)
    assert len(found) == len(set(found)) == 3
    buttons = re.findall(r'<button class="quiet">(.*?)</button>', page)
    assert len(buttons) == len(set(buttons)) == 4


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "Signed in Nov 1, 2026, 00:05 UTC"),
        ("zh", "2026年11月1日 00:05 UTC 登录"),
        ("ja", "ログイン：2026年11月1日 0:05 UTC"),
    ],
)
def test_when_each_began(three, locale, said):
    """In the reader's language; whose time of day no server knows."""
    page = three.get("/account", Accept_Language=locale).text
    assert sum(squeezed(said) in row for row in rows(page)) == 1
    assert '<time datetime="2026-11-01T00:05:00.000Z">' in page


def test_this_device_is_marked(three):
    """And comes first; of the others it is said when they were used."""
    found = rows(three.get("/account").text)
    assert ["Thisdevice" in row for row in found] == [True, False, False]
    assert ["Lastused" in row for row in found] == [False, True, True]


def test_what_was_used_this_moment_is_not_yet_to_come(paged):
    """Nor where the database's clock is a little ahead of ours."""
    from time import time

    from dibs.web.pages.base import ago

    with paged.app.test_request_context():
        assert [ago(int(time() * 1000) + ahead) for ahead in (0, 5000)] == ["1 second ago"] * 2
