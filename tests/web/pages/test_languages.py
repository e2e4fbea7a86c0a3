"""The pages in each language: by the browser's wish, or by the reader's own choice."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from dibs.web.pages.base import LANGUAGES
from dibs.web.words import LOCALES, spoken
from tests.web.pages.browser import Browser

PATHS = [
    "/",
    "/sign-up?username=ada",
    "/sign-in",
    "/forgot-password",
    "/new-password/x",
    "/account",
    "/account/delete",
    "/@Ada",
    "/@Rockets",
    "/@x",
]
OURS = {"dibs", "Ada", "Rockets", "English"}


class Words(HTMLParser):
    """What a reader reads, and what is read out to her."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.feed(page)

    def handle_data(self, data):
        self.said += [data.strip()] if data.strip() else []

    def handle_starttag(self, tag, attrs):
        self.said += [value for name, value in attrs if name == "aria-label" and value]


@pytest.mark.parametrize("locale", ["zh", "ja"])
def test_no_english_is_left(ada, locale):
    """On any page, and of what went wrong on it; names of people and languages apart."""
    ada.send("/account", "/account/teams", {"name": "Rockets"})
    pages = [ada.get(path, Accept_Language=locale) for path in PATHS]
    pages += [Browser(ada.site).get(path, Accept_Language=locale) for path in PATHS]
    pages.append(ada.send("/account", "/account/teams", {"name": "a b"}, Accept_Language=locale))
    for page in pages:
        if page.status_code == 303:
            continue
        assert f'<html lang="{locale}" dir="ltr">' in page.text
        assert page.headers["Content-Language"] == locale
        for text in Words(page.text).said:
            assert is_foreign(text), text


def is_foreign(text: str) -> bool:
    """Has letters of Chinese or Japanese, or is a name, or no words at all."""
    if any(char > "\u2e80" for char in text) or set(re.findall("[A-Za-z]{3,}", text)) <= OURS:
        return True
    # A free name that is offered, or what a browser calls itself.
    return text.startswith(("Ada", "ada", "Werkzeug", "AR", "a.", "A."))


def test_the_reader_s_choice_goes_first(anybody):
    """It is kept in a cookie; the address stays as it was, with what else was asked for."""
    answer = anybody.get("/sign-up?lang=ja&username=ada", Accept_Language="zh")
    assert (answer.status_code, answer.location) == (303, "/sign-up?username=ada")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    page = anybody.get("/sign-up", Accept_Language="zh")
    assert '<html lang="ja"' in page.text
    assert '<html lang="ja"' in anybody.get("/@nobody", Accept_Language="zh").text
    # The API says what its own client asks for.
    api = anybody.get("/usernames/a", Accept_Language="zh")
    assert api.headers["Content-Language"] == "zh"


@pytest.mark.parametrize("wanted", ["xx", "", "../ja", "ja ", "JA"])
def test_a_language_that_is_none_of_ours(anybody, wanted):
    assert anybody.get("/sign-in", Accept_Language="zh").status_code == 200
    anybody.client.set_cookie("dibs_language", wanted)
    assert '<html lang="zh"' in anybody.get(f"/sign-in?lang={wanted}", Accept_Language="zh").text


def test_the_switch_names_each_language_in_itself(anybody):
    page = anybody.get("/sign-in?next=/%40ada").text
    for tag, name in LANGUAGES.items():
        assert name in page
        if tag != "en":
            assert f'<a lang="{tag}" href="/sign-in?lang={tag}&amp;next=%2F%40ada">' in page
    assert '<span lang="en" aria-current="true">English</span>' in page
    assert LANGUAGES.keys() == set(LOCALES)


def test_after_a_form_the_switch_leads_to_its_page(ada):
    """`/account/password` alone has nothing to show."""
    page = ada.send("/account", "/account/password", {}).text
    assert 'href="/account?lang=ja"' in page


@pytest.mark.parametrize(
    ("tag", "tongue"), [("zh-Hans-CN", "zh"), ("ja", "ja"), ("fr", "en"), ("en-GB", "en")]
)
def test_the_words_language_is_said(tag, tongue):
    """A host app's language that has no catalogue is answered in English, and says so."""
    assert spoken(tag) == tongue
