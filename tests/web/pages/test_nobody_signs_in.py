"""Without passwords nobody signs in, and no page has a form or a link for it."""

from __future__ import annotations

import pytest

from tests.web.pages.browser import Browser
from tests.web.site import Site

SAID = "There is no signing in here"


@pytest.fixture
def names(make_site) -> Browser:
    """Names alone."""
    return Browser(make_site(password="off"))


@pytest.mark.parametrize("path", ["/sign-in", "/account", "/account/delete", "/staff"])
def test_the_form_is_not_there(names, path):
    """And what needs it says why; in words, as a page."""
    answer = names.get(path)
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"
    assert SAID in answer.text
    assert 'href="/sign-in"' not in answer.text
    assert "没有登录" in names.get(path, Accept_Language="zh").text


def test_nor_does_it_answer(names):
    """Not even with a token that a form of another page had."""
    token = names.form("/sign-up", "/sign-up").fields["csrf_token"]
    typed = {"csrf_token": token, "username": "ada", "password": "x"}
    answer = names.post("/sign-in", typed)
    assert answer.status_code == 404
    assert SAID in answer.text
    assert 'name="password"' not in answer.text


@pytest.mark.parametrize("path", ["/", "/sign-up", "/sign-up?username=ada", "/@ada", "/@nobody"])
def test_nothing_leads_there(names, path):
    names.send("/sign-up", "/sign-up", {"username": "ada"})
    page = names.get(path).text
    assert "/sign-in" not in page
    assert "/account" not in page


def test_signing_out_leads_elsewhere(names):
    answer = names.post("/sign-out", {})
    assert (answer.status_code, answer.location) == (303, "/")
    assert "You are signed out." in names.get("/").text


def test_who_is_signed_in_since_there_were_passwords(ada):
    """She may stay and leave; a password is not asked of her."""
    later = Site(ada.site.parts.settings.database_url, password="off")
    ada.client.application = later.app
    page = ada.get("/account").text
    assert "<bdi>Ada</bdi>" in page
    assert 'type="password"' not in page
    answer = ada.send("/account", "/account/sessions/end", {"session": "all"})
    assert answer.location == "/"
    assert "You are signed out on every device." in ada.get("/").text
    later.close()


# --- the first page's question ---------------------------------------------------


@pytest.mark.parametrize("check", ["token", "staff", "blind"])
def test_no_check_that_cannot_work(make_site, check):
    """Who is nobody would not be told whether it is free: they go on with the name."""
    browser = Browser(make_site(password="required", argon2_memory_kib="64", check=check))
    browser.sign_up("ada")
    browser.send("/account", "/sign-out", {})
    page = browser.get("/").text
    assert ("<dibs-username>" in page) == (check == "blind")
    assert "<button>Sign up</button>" in page
    for name in ("ada", "grace"):
        page = browser.get(f"/sign-up?username={name}").text
        assert f'value="{name}"' in page
        assert "already exists" not in page
        assert "is free" not in page


@pytest.mark.parametrize("typed", ["", "+", "%E3%80%80"])
@pytest.mark.parametrize(
    ("locale", "said"), [("en", "A username is required."), ("ja", "ユーザー名を")]
)
def test_no_name(anybody, typed, locale, said):
    """Told in our words, at the field; a page that is only opened complains of nothing."""
    page = anybody.get(f"/sign-up?username={typed}", Accept_Language=locale).text
    assert said in page.partition('id="do_sign_up-username-errors"')[2].partition("</ul>")[0]
    assert 'aria-invalid="true"' in page
    assert 'aria-describedby="do_sign_up-username-hint do_sign_up-username-errors"' in page
    assert said not in anybody.get("/sign-up", Accept_Language=locale).text


def test_no_form_leaves_its_words_to_the_browser(anybody):
    """Whose bubbles are in its own language and look."""
    for path in ("/", "/sign-up", "/sign-in"):
        page = anybody.get(path).text
        assert page.count("<form") == page.count(" novalidate>") > 0
