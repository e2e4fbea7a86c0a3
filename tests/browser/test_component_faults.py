"""`<dibs-username>` when answers are late, lost, refused or never come.

Time is the page's own, and stands still but for what a test lets pass.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.field import Field, Held, Joining
from tests.load import register

TAKEN = "A user with that username already exists."
UNKNOWN = "The username cannot be checked right now. You can go on anyway."
OFFLINE = "You are offline. The username will be checked as soon as you are back online."
START = 1_800_000_000_000  # ms


@pytest.fixture(scope="module")
def joining(make_service, foreign) -> Joining:
    service = make_service(password="off", cors_origins=foreign.origin)
    assert service.one(register("ada")).status == 201
    return Joining(service, foreign)


@pytest.fixture
def asked(page: Page) -> list[str]:
    """The names that the service was asked about."""
    names: list[str] = []

    def note(request: Request) -> None:
        if "/usernames/" in request.url:
            names.append(request.url.rpartition("/")[2])

    page.on("request", note)
    return names


@pytest.fixture
def frozen(page: Page, joining: Joining) -> Field:
    """A page on which no time passes by itself."""
    page.clock.install(time=START / 1000)
    field = joining.open(page)
    page.clock.pause_at(START / 1000 + 3600)
    return field


def answer_with(page: Page, status: int, **headers: str) -> None:
    """Let every check be refused like this, as a page of another origin may read it."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()} | {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "Retry-After",
    }
    page.route("**/usernames/*", lambda route: route.fulfill(status=status, headers=headers))


def go_on(page: Page) -> None:
    page.unroute("**/usernames/*")


def test_it_asks_once_one_has_stopped_typing(page, frozen, asked):
    for letter in "lovelace":
        frozen.input.press(letter)
        page.clock.run_for(249)
    assert asked == []
    page.clock.run_for(1)
    expect(frozen.message).to_have_text("lovelace is free.")
    assert asked == ["lovelace"]


def test_how_long_that_is_can_be_set(page, frozen, asked):
    frozen.host.evaluate("host => host.setAttribute('debounce', 900)")
    frozen.type("lovelace")
    page.clock.run_for(899)
    assert asked == []
    page.clock.run_for(1)
    frozen.shows("free")


def test_nothing_flickers(page, frozen):
    """What was said stays until there is an answer, or 300 ms have gone by without one."""
    frozen.type("ada")
    page.clock.run_for(250)
    expect(frozen.message).to_have_text(TAKEN)
    held = Held(page)
    frozen.type("lovelace")
    page.clock.run_for(250)
    request = held.wait_for("lovelace")
    page.clock.run_for(299)
    assert frozen.message.inner_text() == TAKEN
    frozen.shows("taken")
    assert page.evaluate("document.forms[0].checkValidity()")  # it was about another name
    page.clock.run_for(1)
    expect(frozen.message).to_have_text("Checking…")
    request.continue_()
    expect(frozen.message).to_have_text("lovelace is free.")


def test_a_request_that_is_stale_is_given_up(page, frozen):
    held = Held(page)
    frozen.type("ada")
    page.clock.run_for(250)
    held.wait_for("ada")
    with page.expect_event("requestfailed") as failed:
        frozen.type("lovelace")
    assert failed.value.url.endswith("/ada")
    assert failed.value.failure == "net::ERR_ABORTED"


def test_an_old_answer_is_never_shown_over_a_newer_one(page, joining):
    """Not even where requests cannot be given up: the first answer comes after the second."""
    page.add_init_script("AbortController.prototype.abort = () => {}")
    page.add_init_script(
        "window.heard = []; addEventListener('dibs-check', e => heard.push(e.detail))"
    )
    field = joining.open(page)
    held = Held(page)
    field.type("ada")
    first = held.wait_for("ada")
    field.type("lovelace")
    held.wait_for("lovelace").continue_()
    expect(field.message).to_have_text("lovelace is free.")
    with page.expect_response("**/usernames/ada") as late:
        first.continue_()
    assert late.value.json()["available"] is False
    late.value.finished()
    page.evaluate("() => new Promise(done => setTimeout(done))")
    expect(field.message).to_have_text("lovelace is free.")
    assert [one["name"] for one in page.evaluate("heard") if one["answer"]] == ["lovelace"]


def test_an_old_answer_is_not_shown_while_nothing_newer_is_asked(page, joining):
    """Between two requests lies the time in which one types."""
    page.add_init_script("AbortController.prototype.abort = () => {}")
    field = joining.open(page)
    held = Held(page)
    field.type("ada")
    first = held.wait_for("ada")
    field.input.fill("")
    with page.expect_response("**/usernames/ada") as late:
        first.continue_()
    late.value.finished()
    page.evaluate("() => new Promise(done => setTimeout(done))")
    expect(field.message).to_be_empty()


def test_offline_while_typing_and_back(page, joining, watch):
    watch.expect("INTERNET_DISCONNECTED")
    field = joining.open(page)
    field.type("ada")
    field.shows("taken")
    page.context.set_offline(True)
    field.type("lovelace")
    expect(field.message).to_have_text(OFFLINE)
    assert page.evaluate("document.forms[0].checkValidity()")
    assert field.input.get_attribute("aria-invalid") is None
    page.context.set_offline(False)
    expect(field.message).to_have_text("lovelace is free.")


def test_a_service_that_is_away_is_tried_again(page, frozen, asked, watch):
    """Each time after twice as long, half a minute at most, and without a word."""
    watch.expect("ERR_CONNECTION_REFUSED")
    page.route("**/usernames/*", lambda route: route.abort("connectionrefused"))
    frozen.type("lovelace")
    page.clock.run_for(250)
    expect(frozen.message).to_have_text(UNKNOWN)
    assert page.evaluate("document.forms[0].checkValidity()")
    page.evaluate(
        "window.heard = []; addEventListener('dibs-check', e => heard.push(e.detail.state))"
    )
    for tries, seconds in enumerate([1, 2, 4, 8, 16, 30, 30], start=1):
        page.clock.run_for(seconds * 1000 - 1)
        assert len(asked) == tries
        page.clock.run_for(1)
        page.wait_for_function("tries => heard.length === tries", arg=tries)
    assert set(page.evaluate("heard")) == {"unknown"}
    go_on(page)
    page.clock.run_for(30_000)
    frozen.shows("free")


@pytest.mark.parametrize("status", [503, 429])
def test_retry_after_is_kept(page, frozen, asked, watch, status):
    watch.expect(f"status of {status}")
    answer_with(page, status, Retry_After="7")
    frozen.type("lovelace")
    page.clock.run_for(250)
    expect(frozen.message).to_have_text(UNKNOWN)
    assert page.evaluate("document.forms[0].checkValidity()")
    go_on(page)
    page.clock.run_for(6999)
    assert asked == ["lovelace"]
    page.clock.run_for(1)
    expect(frozen.message).to_have_text("lovelace is free.")
    assert asked == ["lovelace"] * 2


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("Wed, 14 Jan 2027 09:00:00 GMT", 0),  # filled in by the test
        ("-5", 1),
        ("soon", 1),
        ("99999999999", 3600),
    ],
)
def test_retry_after_in_other_forms(page, frozen, asked, watch, said, seconds):
    """A moment, or nonsense, which is no reason to ask at once and for ever."""
    watch.expect("status of 503")
    if not seconds:
        said, seconds = page.evaluate("new Date(Date.now() + 90_500).toUTCString()"), 90
    answer_with(page, 503, Retry_After=said)
    frozen.type("lovelace")
    page.clock.run_for(250)
    frozen.shows("unknown")
    page.clock.run_for(seconds * 1000 - 1000)
    assert asked == ["lovelace"]
    go_on(page)
    page.clock.run_for(2000)
    frozen.shows("free")


def test_what_is_no_answer_is_not_asked_for_again(page, frozen, asked, watch):
    """Such as the page of somebody else who sits at this address."""
    watch.expect("status of 404")
    for status in (404, 200):
        answer_with(page, status)
        frozen.type(f"name{status}")
        with page.expect_response("**/usernames/*"):  # what is shown is of the name before, too
            page.clock.run_for(250)
        frozen.shows("unknown")
        page.clock.run_for(120_000)
        assert asked == [f"name{status}"]
        asked.clear()
        go_on(page)


def test_a_service_that_never_answers(page, frozen, asked):
    """Is as good as away after ten seconds."""
    held = Held(page)
    frozen.type("lovelace")
    page.clock.run_for(250)
    held.wait_for("lovelace")
    page.clock.run_for(9999)
    frozen.shows("checking")
    page.clock.run_for(1)
    frozen.shows("unknown")
    go_on(page)
    page.clock.run_for(1000)
    frozen.shows("free")


def test_too_many_checks_at_the_real_service(page, make_service, foreign, asked, watch):
    """It says when the next one will be answered, and the page of another site can read that."""
    watch.expect("status of 429")
    # Without Redis, which on a busy machine may seem away: its count and the worker's are two.
    service = make_service(
        password="off",
        cors_origins=foreign.origin,
        rate_limits="check=1/1hour",
        workers=1,
        redis_url="",
    )
    page.clock.install(time=START / 1000)
    field = Joining(service, foreign).open(page)
    page.clock.pause_at(START / 1000 + 3600)
    for name, state in (("lovelace", "free"), ("hopper", "unknown")):
        field.type(name)
        page.clock.run_for(250)
        field.shows(state)
    page.clock.run_for(3_000_000)
    assert asked == ["lovelace", "hopper"]
    page.clock.run_for(600_000)
    page.wait_for_timeout(0)
    assert asked == ["lovelace", "hopper", "hopper"]


def test_a_form_is_sent_without_an_answer(page, joining):
    """The service decides in the end, not the check."""
    field = joining.open(page)
    Held(page)
    field.type("ada")
    page.get_by_role("button", name="Join").click()
    page.wait_for_url("**/sent")
    assert joining.foreign.sent[-1] == {"username": ["ada"]}


def test_an_element_that_is_gone_asks_no_more(page, frozen, asked):
    frozen.type("lovelace")
    frozen.host.evaluate("host => { window.kept = host; host.remove() }")
    page.clock.run_for(1000)
    assert asked == []
    page.evaluate("document.forms[0].prepend(kept)")
    frozen.type("hopper")
    page.clock.run_for(250)
    frozen.shows("free")
    assert asked == ["hopper"]


def test_words_that_are_being_composed_are_not_asked_about(page, joining, asked):
    """As Chinese and Japanese are typed: only what was chosen in the end is a name."""
    field = joining.open(page)
    field.host.evaluate("host => host.setAttribute('debounce', 0)")
    field.input.focus()
    session = page.context.new_cdp_session(page)
    for text in ("s", "さ", "さk", "さく"):
        place = {"selectionStart": len(text), "selectionEnd": len(text)}
        session.send("Input.imeSetComposition", {"text": text, **place})
    page.evaluate("() => new Promise(done => setTimeout(done, 50))")
    assert asked == []
    session.send("Input.insertText", {"text": "桜子"})
    expect(field.message).to_have_text("桜子 is free.")
    assert len(asked) == 1
