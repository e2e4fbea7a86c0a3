"""`<dibs-username>` on a page of another site, in a real browser: what it says."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.field import FORM, Joining
from tests.browser.field import field as field_of
from tests.browser.watch import violations
from tests.load import register

TAKEN = "A user with that username already exists."
FREE = "is free."


@pytest.fixture(scope="module")
def joining(make_service, foreign) -> Joining:
    service = make_service(password="off", cors_origins=foreign.origin)
    for name in ("ada", "grace", "سارة"):
        assert service.one(register(name)).status == 201
    return Joining(service, foreign)


def test_a_free_name(page, joining):
    field = joining.open(page)
    field.type("lovelace")
    expect(field.message).to_have_text(f"lovelace {FREE}")
    field.shows("free")
    assert field.input.get_attribute("aria-invalid") is None
    expect(field.suggestions).to_have_count(0)


def test_a_suggestion_is_taken_by_mouse(page, joining):
    field = joining.open(page)
    field.type("ada")
    expect(field.message).to_have_text(TAKEN)
    expect(field.input).to_have_attribute("aria-invalid", "true")
    name = field.suggestions.first.inner_text()
    field.suggestions.first.click()
    expect(field.message).to_have_text(f"{name} {FREE}")
    expect(field.input).to_have_value(name)
    expect(field.input).to_be_focused()
    expect(field.suggestions).to_have_count(0)
    page.get_by_role("button", name="Join").click()
    page.wait_for_url("**/sent")
    assert joining.foreign.sent[-1] == {"username": [name]}


def test_a_suggestion_is_taken_by_keyboard(page, joining):
    field = joining.open(page)
    page.keyboard.press("Tab")
    page.keyboard.type("Ada")
    expect(field.message).to_have_text(TAKEN)
    page.keyboard.press("Tab")
    expect(field.suggestions.first).to_be_focused()
    page.keyboard.press("Tab")
    name = field.suggestions.nth(1).inner_text()
    page.keyboard.press("Enter")
    expect(field.message).to_have_text(f"{name} {FREE}")
    expect(field.input).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/sent")
    assert joining.foreign.sent[-1] == {"username": [name]}


def test_a_page_that_listens_hears_of_a_suggestion(page, joining):
    """As if it had been typed: frameworks keep what they hear, not what stands there."""
    field = joining.open(page)
    page.evaluate(
        "for (const kind of ['input', 'change'])"
        " document.forms[0].addEventListener(kind, e => window[kind] = e.target.value)"
    )
    field.type("grace")
    name = field.suggestions.first.inner_text()
    field.suggestions.first.click()
    assert page.evaluate("[input, change]") == [name, name]


def test_broken_rules_in_the_servers_words(page, joining):
    """Each on a line of its own, with how to mend it."""
    field = joining.open(page)
    answers = []
    page.on("response", lambda answer: answers.append(answer))
    field.type("a b!")
    field.shows("invalid")
    reasons = [reason["detail"] for reason in answers[-1].json()["reasons"]]
    assert len(reasons) == 2
    assert [line.strip() for line in field.message.locator("span").all_inner_texts()] == reasons
    expect(field.input).to_have_attribute("aria-invalid", "true")
    field.input.fill("")
    expect(field.message).to_be_empty()
    assert field.input.get_attribute("aria-invalid") is None


@pytest.mark.parametrize(
    ("browser_language", "attributes", "taken", "free", "offer"),
    [
        ("zh-CN", "", "用户名已存在", "lovelace 可以使用", "可以试试这些用户名："),
        (
            "ja-JP",
            "",
            "そのユーザー名はすでに使われています。",
            "lovelace は使えます。",
            "次のユーザー名は",
        ),
        (
            "en-GB",
            ' lang="ja"',
            "そのユーザー名はすでに使われています。",
            "lovelace は使えます。",
            "次の",
        ),
        ("ja-JP", ' lang="zh-Hans"', "用户名已存在", "lovelace 可以使用", "可以试试这些用户名："),
        ("fr-FR", ' lang="fr"', TAKEN, f"lovelace {FREE}", "Try one of these:"),
    ],
)
def test_languages(new_page, joining, browser_language, attributes, taken, free, offer):
    """The page's, else the browser's, else the service's; and the message says which it is in."""
    field = joining.open(new_page(locale=browser_language), attributes=attributes)
    field.type("ada")
    expect(field.message).to_have_text(taken)
    expect(field.answer.get_by_text(offer)).to_be_visible()
    language = {"用": "zh", "そ": "ja", "A": "en"}[taken[0]]
    expect(field.message).to_have_attribute("lang", language)
    field.type("lovelace")
    expect(field.message).to_have_text(free)


def test_names_from_right_to_left_are_isolated(page, joining):
    """They cannot turn the sentence around: what follows the name stands behind it."""
    field = joining.open(page)
    field.type("ليلى")
    expect(field.message).to_have_text(f"ليلى {FREE}")
    name, after = page.evaluate("""() => {
        const name = document.querySelector('.dibs-message bdi'), range = document.createRange()
        range.selectNode(name.nextSibling)
        return [name, range].map(one => one.getBoundingClientRect().left)
    }""")
    assert name < after
    field.type("سارة")
    expect(field.message).to_have_text(TAKEN)
    assert field.suggestions.count() == field.suggestions.locator("> bdi:only-child").count() > 0
    assert field.input.evaluate("input => getComputedStyle(input).direction") == "rtl"


def test_on_a_page_from_right_to_left(page, joining):
    """What is said stands at the page's own side, and its colon where the sentence ends."""
    field = joining.open(page, attributes=' lang="ar" dir="rtl"')
    field.type("ada")
    expect(field.message).to_have_text(TAKEN)
    right, edge, colon, label = page.evaluate("""() => {
        const range = document.createRange()
        const rectangle = (node, from) => {
            range.selectNodeContents(node)
            range.setStart(node, from)
            return range.getBoundingClientRect()
        }
        const label = document.querySelector('.dibs-offers span').firstChild
        return [
            rectangle(document.querySelector('.dibs-message span').firstChild, 0).right,
            document.querySelector('.dibs-answer').getBoundingClientRect().right,
            rectangle(label, label.length - 1).left,
            rectangle(label, 0).left,
        ]
    }""")
    assert abs(right - edge) < 1
    assert colon > label


def test_it_is_announced(page, joining):
    """By a live region that is there before it has anything to say, and as a description."""
    body = FORM.replace("required", 'required aria-describedby="hint"')
    field = joining.open(page, body.replace("<button>", '<p id="hint">Pick one.</p><button>'))
    status = page.get_by_role("status")
    expect(status).to_have_attribute("aria-live", "polite")
    expect(field.message).to_be_empty()
    expect(field.input).to_have_accessible_description("Pick one.")
    field.type("ada")
    expect(status).to_contain_text(TAKEN)
    expect(status).to_contain_text("Try one of these:")
    expect(field.input).to_have_accessible_description(f"Pick one. {TAKEN}")
    expect(page.get_by_role("group", name="Try one of these:")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(new_page, joining, watch, scheme, width):
    """In every state, in both colour schemes."""
    page = new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    field = joining.open(page)
    for typed, state in [("lovelace", "free"), ("ada", "taken"), ("a b!", "invalid")]:
        field.type(typed)
        field.shows(state)
        assert violations(page) == []
    watch.expect("INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    field.type("somebody")
    field.shows("offline")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_page_of_strict_policy(page, joining, watch):
    """No inline script, no inline style: nothing is blocked, and colours are there."""
    policy = f"default-src 'none'; script-src {joining.base}; connect-src {joining.base}"
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    html = joining.html().replace("<title>", f"{meta}<title>")
    watch.expect("Applying inline style violates")  # the page's own
    page.goto(joining.foreign.page(html))
    field = field_of(page)
    field.type("lovelace")
    field.shows("free")
    assert field.message.evaluate("one => getComputedStyle(one).color") == "rgb(17, 99, 41)"


def test_a_page_chooses_the_colours(page, joining):
    """By custom properties; and its own rules go before those of the element."""
    style = (
        "<style>dibs-username { --dibs-free: rgb(1, 2, 3) } .dibs-message { margin: 7px }</style>"
    )
    field = joining.open(page, style + FORM)
    field.type("lovelace")
    field.shows("free")
    css = field.message.evaluate(
        "one => [getComputedStyle(one).color, getComputedStyle(one).margin]"
    )
    assert css == ["rgb(1, 2, 3)", "7px"]


def test_events(page, joining):
    """For a page that wants to know."""
    field = joining.open(page)
    page.evaluate("window.heard = []; addEventListener('dibs-check', e => heard.push(e.detail))")
    field.type("ada")
    field.shows("taken")
    field.type("lovelace")
    field.shows("free")
    heard = [one for one in page.evaluate("heard") if one["state"] not in ("checking", "idle")]
    assert [(one["name"], one["state"]) for one in heard] == [
        ("ada", "taken"),
        ("lovelace", "free"),
    ]
    assert heard[0]["answer"]["reason"] == "taken"
    assert heard[1]["answer"]["canonical"] == "lovelace"


def test_two_on_one_page(page, joining):
    """Neither knows of the other."""
    page.goto(
        joining.address(
            FORM + '<label>Second <dibs-username id="b"><input></dibs-username></label>'
        )
    )
    first, second = page.locator("dibs-username").all()
    first.locator("input").fill("ada")
    second.locator("input").fill("lovelace")
    expect(first.locator(".dibs-message")).to_have_text(TAKEN)
    expect(second.locator(".dibs-message")).to_have_text(f"lovelace {FREE}")
    ids = [one.get_attribute("id") for one in page.locator(".dibs-message").all()]
    assert len(set(ids)) == 2
    first.locator("button").first.click()
    expect(first.locator(".dibs-message")).to_have_text(re.compile(FREE))
    expect(second.locator("input")).to_have_value("lovelace")


def test_an_origin_that_is_not_let_in(page, joining, watch, make_service):
    """The field stays one that can be sent, and says so."""
    closed = Joining(make_service(password="off"), joining.foreign)
    watch.expect("CORS policy", "ERR_FAILED")
    field = closed.open(page)
    field.type("lovelace")
    field.shows("unknown")
    expect(field.message).to_contain_text("You can go on anyway.")
    page.get_by_role("button", name="Join").click()
    page.wait_for_url("**/sent")
