"""Somebody with a phone who has forgotten a password is back, in each way and language."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.watch import Watch, violations, violations_in_both_themes
from tests.service import Service

OLD, NEW = "correct horse battery", "another good one"
REFUSED = r"status of 4\d\d "
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce"}
NewContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def service(make_service) -> Service:
    found: Service = make_service(password="required")
    return found


@pytest.fixture(scope="module")
def site(service: Service) -> str:
    return f"http://127.0.0.1:{service.port}"


def enter(page: Page, address: str, **fields: str) -> None:
    """Fill in the form of a page, and send it."""
    page.goto(address)
    for name, text in fields.items():
        page.locator(f"main [name={name}]").first.fill(text)
    page.locator("main form > button").first.click()


def has_password(page: Page, site: str, name: str, password: str) -> None:
    enter(page, f"{site}/sign-in", username=name, password=password)
    expect(page).to_have_url(f"{site}/account")


def broken(page: Page, locale: str) -> list[str]:
    """Rules of axe; by night only once, since a language has no colours."""
    return violations_in_both_themes(page) if locale == "en-GB" else violations(page)


def made_codes(page: Page, site: str, locale: str) -> list[str]:
    page.goto(f"{site}/account")
    page.locator("section[aria-labelledby=codes] summary").click()
    form = page.locator("form[action$='/account/codes']")
    form.locator("[name=current_password]").fill(OLD)
    form.locator("button").last.click()
    expect(page.locator(".codes li")).to_have_count(10)
    assert broken(page, locale) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return page.locator(".codes code").all_inner_texts()


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN", "ja-JP"])
def test_three_ways_back(new_context: NewContext, service: Service, site, watch: Watch, locale):
    watch.expect(REFUSED)
    name = f"forgot{locale[:2]}"
    page = new_context(locale=locale, **PHONE).new_page()
    enter(page, f"{site}/sign-up", username=name, password=OLD)
    expect(page).to_have_url(f"{site}/account")
    code = made_codes(page, site, locale)[0]

    # By one of their own codes, on another device.
    phone = new_context(locale=locale, **PHONE).new_page()
    phone.goto(f"{site}/sign-in")
    phone.locator("a[href*='/forgot-password']").click()
    assert broken(phone, locale) == []
    enter(phone, phone.url, username=name, code="0000-0000-0000-0000", new_password=NEW)
    expect(phone.locator("[name=code]")).to_be_focused()
    enter(phone, f"{site}/forgot-password", username=name, code=code, new_password=NEW)
    expect(phone).to_have_url(re.compile("/sign-in"))
    has_password(phone, site, name, NEW)

    # By staff's link.
    warden = new_context(locale=locale, **PHONE).new_page()
    enter(warden, f"{site}/sign-up", username=f"warden{locale[:2]}", password=OLD)
    service.run("staff", "grant", f"warden{locale[:2]}")
    warden.wait_for_timeout(1500)  # a worker believes a role for a second
    warden.goto(f"{site}/staff?name={name}")
    form = warden.locator("form[action$='/staff/link']")
    form.locator("xpath=..").locator("summary").click()
    form.locator("button").click()
    link = warden.locator("code.secret").inner_text()
    assert (broken(warden, locale), link.startswith(site)) == ([], True)
    lost = new_context(locale=locale, **PHONE).new_page()
    enter(lost, link, new_password=NEW + "!")
    has_password(lost, site, name, NEW + "!")

    # By the command.
    service.run("user", "password", name, "--password", OLD)
    asked = new_context(locale=locale, **PHONE).new_page()
    has_password(asked, site, name, OLD)


def test_what_is_typed_can_be_shown(new_context: NewContext, site: str):
    """And is a password again when it is sent: browsers keep nothing else."""
    page = new_context(**PHONE).new_page()
    page.goto(f"{site}/sign-in")
    field = page.locator("[name=password]")
    field.fill(OLD)
    button = page.get_by_role("button", name="Show password")
    assert button.evaluate("(one) => one.getBoundingClientRect().height") >= 44
    button.click()
    expect(field).to_have_attribute("type", "text")
    assert violations_in_both_themes(page) == []
    page.get_by_role("button", name="Hide password").press("Enter")
    expect(field).to_have_attribute("type", "password")
    expect(field).to_have_value(OLD)
    plain = new_context(java_script_enabled=False, **PHONE).new_page()
    plain.goto(f"{site}/sign-in")
    expect(plain.get_by_text("Show password")).to_have_count(0)
