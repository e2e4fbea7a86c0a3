"""The pages in a real browser: by keyboard, without scripts, in both themes and three languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.backends import POSTGRESQL
from tests.browser.watch import Watch, violations, violations_in_both_themes
from tests.service import Service

PASSWORD = "correct horse battery"
REFUSED = r"status of 4\d\d "
TAKEN = {
    "en-GB": "A user with that username already exists.",
    "zh-CN": "用户名已存在",
    "ja-JP": "そのユーザー名はすでに使われています。",
}
NewContext = Callable[..., BrowserContext]
# Where colours change with the theme they change at once.
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce"}


@pytest.fixture(scope="module")
def service(make_service) -> Service:
    """With passwords, and a quarantine as by default."""
    found: Service = make_service(password="required", quarantine="90")
    return found


@pytest.fixture(scope="module")
def site(service: Service) -> str:
    """Its address."""
    return f"http://127.0.0.1:{service.port}"


def sign_up(page: Page, site: str, name: str, password: str = PASSWORD) -> None:
    fill_in(page, site, name, password)
    page.click("main form > button")


def fill_in(page: Page, site: str, name: str, password: str = PASSWORD) -> None:
    page.goto(f"{site}/sign-up")
    page.fill("[name=username]", name)
    page.fill("[name=password]", password)


def fits(page: Page) -> bool:
    """Nothing sticks out to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_axe_finds_nothing(new_context: NewContext, site: str, watch: Watch):
    """On every page, also on one with errors, in both themes; and none is wider than a phone."""
    watch.expect(REFUSED)
    page = new_context(**PHONE).new_page()
    sign_up(page, site, "axe")
    page.click("summary:has-text('Create a team')")
    page.fill("[name=name]", "axe-team")
    page.click("details[open] form > button")
    expect(page).to_have_url(f"{site}/@axe-team")
    page.fill("[name=username]", "axe")
    with page.expect_navigation():
        page.click("main form > button")
    assert (violations_in_both_themes(page), fits(page)) == ([], True)
    paths = ["/", "/account", "/account/delete", "/@axe", "/@nobody-there"]
    for path in paths:
        page.goto(site + path)
        assert (path, violations_in_both_themes(page), fits(page)) == (path, [], True)
    other = new_context(**PHONE).new_page()
    for path in ("/", "/sign-in", "/sign-up", "/sign-up?username=axe"):
        other.goto(site + path)
        assert (path, violations_in_both_themes(other), fits(other)) == (path, [], True)
    sign_up(other, site, "axe", "x")
    expect(other.locator("[name=password]")).to_be_focused()
    assert (violations_in_both_themes(other), fits(other)) == ([], True)


@pytest.mark.parametrize("accent", ["#fd0", "#014"])
def test_axe_finds_nothing_in_a_colour_of_ones_own(
    new_context: NewContext, make_service, watch: Watch, accent: str
):
    """A light one and a dark one, where nobody may sign up."""
    watch.expect(REFUSED)
    theirs = f"name=Acme; accent={accent}; terms=/terms; privacy=https://acme.example/privacy"
    port = make_service(password="required", registration="closed", site=theirs).port
    page = new_context(**PHONE).new_page()
    for path in ("/", "/sign-in", "/sign-up", "/forgot-password", "/join/nobody-s", "/@nobody"):
        page.goto(f"http://127.0.0.1:{port}{path}")
        expect(page.locator("header")).to_contain_text("Acme")
        assert (path, violations_in_both_themes(page), fits(page)) == (path, [], True)


def test_by_keyboard_alone(new_page, site: str):
    """Sign up from the first page, make a team and sign out, without a pointer."""
    page = new_page()
    page.goto(site)
    tabs_to(page, "#ask")
    page.keyboard.type("keyboard-lover")
    page.keyboard.press("Enter")
    expect(page.get_by_text("keyboard-lover is free.")).to_be_visible()
    tabs_to(page, "[name=password]")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site}/account")
    tabs_to(page, "[aria-labelledby=teams] summary")
    page.keyboard.press("Enter")
    tabs_to(page, "[name=name]")
    page.keyboard.type("keyboard-lovers")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="keyboard-lovers")).to_be_visible()
    tabs_to(page, "header button")
    page.keyboard.press("Enter")
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def tabs_to(page: Page, selector: str) -> None:
    """Presses Tab until this has the focus, which must be seen."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement?.matches(s)", selector):
            width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
            assert width != "0px"
            return
    raise AssertionError(f"no Tab reaches {selector}")


@pytest.mark.parametrize("locale", TAKEN)
def test_without_scripts(new_context: NewContext, site: str, watch: Watch, locale: str):
    """Two want one name: one has it, the other is told in her language and picks another."""
    watch.expect(REFUSED)
    name = f"plain-{locale.lower()}"
    pages = [new_context(java_script_enabled=False, locale=locale).new_page() for _ in range(2)]
    for page in pages:
        page.goto(f"{site}/sign-up")
        page.fill("[name=username]", name)
        page.fill("[name=password]", PASSWORD)
    for page in pages:
        page.click("main form > button")
    first, second = pages
    expect(first).to_have_url(f"{site}/account")
    expect(second.locator(".errors")).to_contain_text(TAKEN[locale])
    expect(second.locator("[name=username]")).to_have_value(name)
    expect(second.locator("[name=password]")).to_have_value("")
    second.click(".others a >> nth=0")
    picked = second.locator("[name=username]").input_value()
    assert picked not in ("", name)
    second.fill("[name=password]", PASSWORD)
    second.click("main form > button")
    expect(second).to_have_url(f"{site}/account")
    expect(second.locator("main .name")).to_have_text(picked)


def test_the_field_takes_the_place_of_the_server_s_answer(page: Page, site: str, watch: Watch):
    """Of two answers, an old and a new one, only the new one is seen."""
    watch.expect(REFUSED)
    page.goto(f"{site}/sign-up?username=admin")
    expect(page.locator(".errors.past")).to_be_visible()
    page.fill("[name=username]", "surely-free")
    expect(page.get_by_text("surely-free is free.")).to_be_visible()
    expect(page.locator(".errors.past")).to_be_hidden()


def test_a_session_ended_elsewhere(new_page, site: str):
    """The other browser is told at its next page."""
    page, other = new_page(), new_page()
    sign_up(page, site, "two-browsers")
    other.goto(f"{site}/sign-in")
    other.fill("[name=username]", "two-browsers")
    other.fill("[name=password]", PASSWORD)
    other.click("main form > button")
    expect(other).to_have_url(f"{site}/account")
    other.click("text=Sign out everywhere")
    expect(other.get_by_text("You are signed out on every device.")).to_be_visible()
    # On another worker a session is believed for one second at most.
    expect_reloaded(page, f"{site}/sign-in?next=/account")
    expect(page.get_by_text("This session has ended.")).to_be_visible()


def expect_reloaded(page: Page, url: str) -> None:
    """Reloads until the page is another one."""
    for _ in range(200):
        page.reload()
        if page.url == url:
            return
    raise AssertionError(page.url)


def test_the_language_is_switched_and_kept(page: Page, site: str):
    """With one click, for every page after it; the browser's own wish comes second."""
    page.goto(f"{site}/sign-up?username=switcher")
    page.click("text=日本語")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(page.locator("[name=username]")).to_have_value("switcher")
    page.goto(f"{site}/sign-in")
    expect(page.get_by_role("heading", name="ログイン")).to_be_visible()


def test_nothing_is_stopped_by_the_policy(page: Page, site: str):
    """The module and the stylesheet are loaded under it; `watch` sees any complaint."""
    page.goto(site)
    page.fill("#ask", "policy-free")
    expect(page.get_by_text("policy-free is free.")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('main button')).cursor") == (
        "pointer"
    )


def test_back_to_a_page_of_who_has_left(page: Page, site: str):
    """The browser keeps no copy of an account for the next person at the desk."""
    sign_up(page, site, "left-the-desk")
    expect(page).to_have_url(f"{site}/account")
    page.click("header button")
    expect(page).to_have_url(f"{site}/sign-in")
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_rename_and_follow_the_old_link(new_page, site: str):
    """By keyboard alone; whoever has the old link finds her."""
    page = new_page()
    sign_up(page, site, "old-name")
    expect(page).to_have_url(f"{site}/account")
    page.locator("h1").click()  # from where Tab begins
    tabs_to(page, "summary")
    page.keyboard.press("Enter")
    expect(
        page.get_by_text("For 90 days nobody else can register your old username")
    ).to_be_visible()
    tabs_to(page, "#do_rename-username")
    page.keyboard.type("new-name")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your username was changed.")).to_be_visible()
    expect(page.locator("main .name")).to_have_text("new-name")
    other = new_page()
    other.goto(f"{site}/@old-name")
    expect(other).to_have_url(f"{site}/@new-name?was=old-name")
    expect(other.get_by_role("heading", name="new-name")).to_be_visible()
    expect(other.get_by_text("old-name is now called new-name.")).to_be_visible()
    assert violations_in_both_themes(other) == []
    # Their own name in other capitals they can have.
    tabs_to(page, "[aria-labelledby=name] summary")
    page.keyboard.press("Enter")
    page.fill("#do_rename-username", "New-Name")
    expect(page.get_by_text("New-Name is free.")).to_be_visible()


def test_a_member_is_removed_in_two_steps(new_page, site: str):
    """By keyboard; what it means stands before the button."""
    sign_up(new_page(), site, "member-2")
    page = new_page()
    sign_up(page, site, "owner-1")
    page.click("summary:has-text('Create a team')")
    page.fill("[name=name]", "two-steps")
    page.click("details[open] form > button")
    page.fill("[name=username]", "member-2")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Members updated.")).to_be_visible()
    expect(page.get_by_role("button", name="Remove from the team")).to_be_hidden()
    page.click("summary:has-text('member-2')")
    assert (violations_in_both_themes(page), fits(page)) == ([], True)
    page.click("text=Remove from the team")
    expect(page.get_by_text("Members updated.")).to_be_visible()
    expect(page.get_by_role("link", name="member-2")).to_have_count(0)


def test_moments_are_those_of_the_reader_s_clock(new_context: NewContext, site: str):
    """And in the order of the reader's region; what the server said is the title."""
    page = new_context(locale="en-GB", timezone_id="Asia/Tokyo").new_page()
    sign_up(page, site, "in-tokyo")
    moment = page.locator("time").first
    expect(moment).to_have_attribute("title", re.compile(r" UTC$"))
    expect(moment).to_have_text(re.compile(r"^\d\d? \w{3,4} \d{4}, \d\d:\d\d$"))
    shown = page.evaluate("document.querySelector('time').dateTime.slice(11, 13)")
    tokyo = (int(shown) + 9) % 24
    expect(moment).to_have_text(re.compile(f", {tokyo:02}:"))


def test_what_docs_would_send_unchanged_works(page: Page, site: str):
    """A user is registered by `Try it out` and `Execute` alone."""
    page.goto(f"{site}/docs/")
    operation = page.locator("#operations-Users-post_register, [id$=post_register]").first
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    status = operation.locator(".live-responses-table .response-col_status").last
    expect(status).to_contain_text("201")


def test_a_rename_that_is_refused(page: Page, site: str, new_page, watch: Watch):
    """The form is open, the reason is focused, and one of those that are free is picked."""
    watch.expect(REFUSED)
    sign_up(new_page(), site, "has-it")
    sign_up(page, site, "wants-another")
    page.click("text=Change username >> nth=0")
    page.fill("#do_rename-username", "Has-It")
    page.click("details[open] form > button")
    expect(page.locator("#do_rename-username")).to_be_focused()
    assert (violations(page), fits(page)) == ([], True)
    page.click(".others a >> nth=0")
    picked = page.locator("#do_rename-username").input_value()
    page.click("details[open] form > button")
    expect(page.locator("main .name")).to_have_text(picked)


def test_a_suggestion_of_the_script_is_picked(page: Page, site: str, new_page, watch: Watch):
    """While one types: taken, a name that is free, a click, and it is hers."""
    watch.expect(REFUSED)
    sign_up(new_page(), site, "scripted")
    page.goto(f"{site}/sign-up")
    page.fill("[name=username]", "Scripted")
    expect(page.get_by_text("A user with that username already exists.")).to_be_visible()
    page.click(".dibs-offers button >> nth=0")
    picked = page.locator("[name=username]").input_value()
    assert picked.casefold() != "scripted"
    expect(page.get_by_text(f"{picked} is free.")).to_be_visible()
    page.fill("[name=password]", PASSWORD)
    page.click("main form > button")
    expect(page.locator("main .name")).to_have_text(picked)


ROUNDS = 3
SEND = "() => { setTimeout(() => document.querySelector('main form').requestSubmit(), 100) }"


def test_two_browsers_want_one_name_at_once(new_context: NewContext, site: str, watch: Watch):
    """Both forms stand still until both are sent: one has the name, the other is told in words."""
    watch.expect(REFUSED)
    for round_ in range(ROUNDS):
        name, held = f"raced-{round_}", list[Route]()
        pages = [new_context().new_page() for _ in range(2)]
        for page in pages:
            fill_in(page, site, name)
            hold(page, f"{site}/sign-up", held)
            page.evaluate(SEND)
        wait_for_two(held, pages[0])
        for route in held:
            route.continue_()
        for page in pages:
            expect(page.locator("main .name, .errors")).to_be_visible()
        won = [page for page in pages if page.url == f"{site}/account"]
        (lost,) = [page for page in pages if page not in won]
        expect(won[0].locator("main .name")).to_have_text(name)
        expect(lost.locator(".errors")).to_contain_text(TAKEN["en-GB"])
        expect(lost.locator("[name=username]")).to_have_value(name)
        expect(lost.locator(".others a")).to_have_count(5)


def hold(page: Page, address: str, held: list[Route]) -> None:
    """Keeps what is sent there."""

    def keep(route: Route) -> None:
        held.append(route)

    page.route(address, keep)


def wait_for_two(held: list[Route], page: Page) -> None:
    """Lets the browsers go on meanwhile."""
    for _ in range(2000):
        if len(held) == 2:
            return
        page.wait_for_timeout(5)  # a page that is held answers nothing
    raise AssertionError("in vain")


def test_staff(new_context: NewContext, service: Service, watch: Watch):
    """Find a name and reserve it, by keyboard alone; axe finds nothing, in either theme."""
    watch.expect(REFUSED)
    site, name = f"http://127.0.0.1:{service.port}", "warden"
    page = new_context(**PHONE).new_page()
    sign_up(page, site, name)
    expect(page).to_have_url(f"{site}/account")
    page.goto(f"{site}/staff")
    expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
    make_staff(service, name)
    expect_reloaded_with(page, "Registrations")
    assert (violations_in_both_themes(page), fits(page)) == ([], True)
    page.click("text=As a table >> nth=0")
    assert (violations_in_both_themes(page), fits(page)) == ([], True)
    for path in ("/staff/users", "/staff/log", f"/staff?name={name}"):
        page.goto(site + path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        assert (violations_in_both_themes(page), fits(page)) == ([], True), path
    page.goto(f"{site}/staff")
    tabs_to(page, "#look")
    page.keyboard.type("Brand-New")
    page.keyboard.press("Enter")
    expect(page.locator("main .name")).to_have_text("Brand-New")
    assert (violations_in_both_themes(page), fits(page)) == ([], True)
    tabs_to(page, "summary")
    page.keyboard.press("Enter")
    assert violations_in_both_themes(page) == []
    tabs_to(page, "#do_reserve-reason")
    page.keyboard.press("Enter")
    expect(page.locator("#do_reserve-reason")).to_be_focused()
    expect(page.locator(".errors")).to_contain_text("Give a reason")
    assert (violations_in_both_themes(page), fits(page)) == ([], True)
    tabs_to(page, "#do_reserve-reason")
    page.keyboard.type("A trademark")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The name is reserved.")).to_be_visible()
    assert (violations_in_both_themes(page), fits(page)) == ([], True)
    other = new_context().new_page()
    sign_up(other, site, "brand-new")
    expect(other.locator(".errors")).to_contain_text("This username is reserved")


def make_staff(service: Service, name: str) -> None:
    """As `dibs staff grant` does."""
    whose = f"(SELECT owner FROM dibs_names WHERE display = '{name}')"
    url = str(service.settings["database_url"])
    POSTGRESQL.execute(f"UPDATE dibs_users SET role = 'staff' WHERE id = {whose}", url)


def expect_reloaded_with(page: Page, heading: str) -> None:
    """Reloads until it is there: a worker believes a role for a second."""
    for _ in range(200):
        page.reload()
        if page.get_by_role("heading", name=heading).count():
            return
    raise AssertionError(heading)
