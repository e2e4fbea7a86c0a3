"""The examples of README.md and docs/component.md, pasted."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import expect
from werkzeug.serving import make_server

from dibs.state import parts_of
from tests.browser.field import Joining, field
from tests.docs.blocks import ROOT, blocks
from tests.load import register
from tests.services.tools import free_port

PAGE = ROOT / "docs/component.md"
TAKEN = "A user with that username already exists."
# A page speaks its reader's language; the Chinese README's example says so in its own.
PAGES = {
    ROOT / "README.md": (TAKEN, "{} is free.", "Sign up"),
    ROOT / "README.zh.md": ("用户名已存在", "{} 可以使用", "注册"),
    PAGE: (TAKEN, "{} is free.", "Sign up"),
}


@pytest.fixture(scope="module")
def joining(make_service, foreign) -> Joining:
    service = make_service(password="off", cors_origins=foreign.origin)
    assert service.one(register("ada")).status == 201
    return Joining(service, foreign)


@pytest.mark.parametrize("source", PAGES, ids=lambda path: path.name)
def test_the_html_is_all_that_a_page_needs(page, joining, source):
    """Pasted into an empty file that another origin serves: five lines, letter by letter."""
    taken, free, button = PAGES[source]
    (html,) = [block.text for block in blocks(source) if block.language == "html"]
    assert len(html.splitlines()) == 5
    assert html.count("http://127.0.0.1:5000/") == 1
    page.goto(joining.foreign.page(html.replace("http://127.0.0.1:5000", joining.base)))
    example = field(page)
    example.type("ada")
    expect(example.message).to_have_text(taken)
    name = example.suggestions.first.inner_text()
    example.suggestions.first.click()
    expect(example.message).to_have_text(free.format(name))
    page.get_by_role("button", name=button).click()
    page.wait_for_load_state()
    assert joining.foreign.sent[-1] == {"username": [name]}


@pytest.fixture
def flask_wtf(tmp_path, monkeypatch) -> Iterator[str]:
    """The example with a form, served; its address."""
    monkeypatch.chdir(tmp_path)
    (code,) = [block.text for block in blocks(PAGE) if block.language == "python"]
    names: dict[str, Any] = {"__name__": "example"}
    exec(code, names)
    app, port = names["app"], free_port()
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}/join"
    server.shutdown()
    thread.join()
    server.server_close()
    parts_of(app).store.close()
    with app.app_context():
        names["db"].engine.dispose()


def test_the_form_of_flask_wtf(page, flask_wtf):
    """The field helps, and the app decides: also about what was not checked."""
    page.goto(flask_wtf)
    field(page).type("lovelace")
    expect(field(page).message).to_have_text("lovelace is free.")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("Welcome!")).to_be_visible()
    page.goto(flask_wtf)
    field(page).type("Lovelace")
    expect(field(page).message).to_have_text(TAKEN)


@pytest.mark.parametrize(("name", "said"), [("lovelace", TAKEN), ("a b", "spaces")])
def test_the_form_of_flask_wtf_without_javascript(new_page, flask_wtf, name, said):
    """What was typed is kept, and what is wrong with it is said."""
    page = new_page(java_script_enabled=False)
    for typed in ("lovelace", name):
        page.goto(flask_wtf)
        page.get_by_label("Username").fill(typed)
        page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page.get_by_label("Username")).to_have_value(name)
