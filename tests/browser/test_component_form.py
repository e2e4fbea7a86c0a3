"""`<dibs-username>` as a field of a form: what is sent, and what can be done without it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.field import FORM, Joining, field
from tests.load import register

TAKEN = "A user with that username already exists."
ENTRIES = "[...new FormData(document.forms[0])]"
VALID = "document.forms[0].checkValidity()"
# Without an input of the page's own, which then nothing shows where there is no JavaScript.
ALONE = """<main><h1>Join</h1><form method="post" action="/sent">
<label for="name">Username</label>
<dibs-username id="name" name="username" required placeholder="ada"></dibs-username>
<button>Join</button></form></main>"""
BODIES = pytest.mark.parametrize("body", [FORM, ALONE], ids=["around an input", "alone"])


@pytest.fixture(scope="module")
def joining(make_service, foreign) -> Joining:
    service = make_service(password="off", cors_origins=foreign.origin)
    assert service.one(register("ada")).status == 201
    return Joining(service, foreign)


def join(page: Page) -> None:
    page.get_by_role("button", name="Join").click()


def test_without_javascript_it_is_a_plain_input(new_page, joining):
    page = new_page(java_script_enabled=False)
    page.goto(joining.address())
    page.get_by_label("Username").fill("lovelace")
    join(page)
    page.wait_for_url("**/sent")
    assert joining.foreign.sent[-1] == {"username": ["lovelace"]}


def test_without_the_module_it_is_a_plain_input(page, joining, watch):
    """Say the service is away, or something in between has blocked it."""
    watch.expect("ERR_FAILED")
    page.route("**/dibs-username.js", lambda route: route.abort())
    page.goto(joining.address())
    page.get_by_label("Username").fill("ada")
    join(page)
    page.wait_for_url("**/sent")
    assert joining.foreign.sent[-1] == {"username": ["ada"]}


@BODIES
def test_it_is_sent_once(page, joining, body):
    field = joining.open(page, body)
    assert page.evaluate(ENTRIES) == [["username", ""]]
    field.type("lovelace")
    assert page.evaluate(ENTRIES) == [["username", "lovelace"]]
    field.shows("free")
    join(page)
    page.wait_for_url("**/sent")
    assert joining.foreign.sent[-1] == {"username": ["lovelace"]}


@BODIES
def test_its_label_is_the_inputs(page, joining, body):
    joining.open(page, body)
    expect(page.get_by_role("textbox", name="Username")).to_have_count(1)
    page.get_by_text("Username").click()
    expect(page.get_by_role("textbox")).to_be_focused()


@BODIES
def test_a_space_that_a_telephone_adds_is_no_part_of_a_name(page, joining, body):
    field = joining.open(page, body)
    field.input.press_sequentially("lovelace ")
    field.input.press("Tab")
    expect(field.input).to_have_value("lovelace")
    field.shows("free")
    join(page)
    page.wait_for_url("**/sent")
    assert joining.foreign.sent[-1] == {"username": ["lovelace"]}


@BODIES
def test_required(page, joining, body):
    field = joining.open(page, body)
    assert page.evaluate(VALID) is False
    join(page)
    expect(field.input).to_be_focused()
    assert page.url.endswith(".html")
    field.type("lovelace")
    field.shows("free")
    assert page.evaluate(VALID) is True


@BODIES
def test_a_name_that_is_refused_is_not_sent(page, joining, body):
    """The browser says why, in the words of the service; any other name is sent at once."""
    field = joining.open(page, body)
    field.type("ada")
    field.shows("taken")
    assert page.evaluate(VALID) is False
    assert field.input.evaluate("input => input.validationMessage") == TAKEN
    join(page)
    expect(field.input).to_be_focused()
    assert page.url.endswith(".html")
    field.type("lovelace")
    assert page.evaluate(VALID) is True


def test_advice_alone(page, joining):
    """`advisory`: it says what it knows and leaves the rest to the server."""
    field = joining.open(page, FORM.replace("<dibs-username", "<dibs-username advisory"))
    field.type("ada")
    expect(field.message).to_have_text(TAKEN)
    join(page)
    page.wait_for_url("**/sent")
    assert joining.foreign.sent[-1] == {"username": ["ada"]}


@BODIES
def test_reset(page, joining, body):
    field = joining.open(page, body)
    field.type("ada")
    field.shows("taken")
    page.evaluate("document.forms[0].reset()")
    expect(field.input).to_have_value("")
    expect(field.message).to_be_empty()
    expect(field.suggestions).to_have_count(0)
    assert page.evaluate(ENTRIES) == [["username", ""]]
    assert field.input.evaluate("input => input.validity.customError") is False


@BODIES
@pytest.mark.parametrize("how", ["element", "fieldset"])
def test_disabled(page, joining, body, how):
    """Neither sent nor checked, and silent; and then again as before."""
    body = body.replace("<label", "<fieldset><label").replace("<button", "</fieldset><button")
    field = joining.open(page, body)
    field.type("ada")
    field.shows("taken")
    switch = f"on => document.querySelector('{how}').toggleAttribute('disabled', on)"
    switch = switch.replace("'element'", "'dibs-username'")
    page.evaluate(switch, True)
    expect(field.input).to_be_disabled()
    expect(field.message).to_be_empty()
    assert page.evaluate(ENTRIES) == []
    assert page.evaluate(VALID) is True
    page.evaluate(switch, False)
    expect(field.input).to_be_enabled()
    assert page.evaluate(ENTRIES) == [["username", "ada"]]
    field.type("lovelace")
    field.shows("free")


@BODIES
def test_back_on_the_page_the_name_is_there_and_checked(page, joining, body):
    field_ = joining.open(page, body)
    field_.type("ada")
    field_.shows("taken")
    page.goto(joining.foreign.page("<!doctype html><title>Elsewhere</title>"))
    page.go_back()
    again = field(page)
    expect(again.input).to_have_value("ada")
    expect(again.message).to_have_text(TAKEN)
    assert page.evaluate(ENTRIES) == [["username", "ada"]]


def test_what_the_page_came_with_is_not_checked(page, joining):
    """One's own name on a page for changing it, or one that the server has refused already."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    field = joining.open(page, FORM.replace("required", 'required value="ada"'))
    field.type("lovelace")
    field.shows("free")
    field.type("ada")
    expect(field.message).to_be_empty()
    assert page.evaluate(VALID) is True
    assert [url for url in asked if url.endswith("/ada")] == []


def test_by_a_script(page, joining):
    """`value`, `form` and `focus()` are those of an input."""
    field = joining.open(page)
    field.host.evaluate("host => { host.value = 'ada'; host.focus() }")
    expect(field.message).to_have_text(TAKEN)
    expect(field.input).to_be_focused()
    assert field.host.evaluate("host => [host.value, host.form === document.forms[0]]") == [
        "ada",
        True,
    ]


def test_one_that_is_added_later(page, joining):
    page.goto(joining.address("<main><h1>Join</h1><form></form></main>"))
    page.evaluate(
        "document.forms[0].innerHTML ="
        " '<label>Username <dibs-username><input name=username></dibs-username></label>'"
    )
    page.get_by_label("Username").fill("ada")
    expect(page.get_by_role("status")).to_contain_text(TAKEN)


def test_of_another_service(page, joining, make_service):
    """`src` names it, with or without a slash."""
    other = Joining(
        make_service(password="off", cors_origins=joining.foreign.origin), joining.foreign
    )
    for src in (other.base, f"{other.base}/"):
        field = joining.open(page, FORM.replace("<dibs-username", f'<dibs-username src="{src}"'))
        field.type("ada")
        expect(field.message).to_have_text("ada is free.")


@pytest.mark.parametrize(
    "name", ["a/b", "../ada", "a?b", "a#b", "%61da", "a%2fb", "/", r"\ud800abc", r"\u202eabc"]
)
def test_odd_names_reach_the_service_as_they_are(page, joining, name):
    """And break a rule there; none becomes another address."""
    field = joining.open(page)
    field.host.evaluate(f"host => {{ host.value = '{name}' }}")
    field.shows("invalid")


@pytest.mark.parametrize("name", [".", ".."])
def test_names_that_no_address_can_have(page, joining, watch, name):
    """An address that ends in dots is another address: these go unchecked to the server."""
    watch.expect("status of 404", "CORS policy", "ERR_FAILED")
    field = joining.open(page)
    field.type(name)
    field.shows("unknown")
    assert page.evaluate(VALID) is True
