"""Pages under a name of one's own: DIBS_SITE, and templates in DIBS_HOME."""

from __future__ import annotations

import random
import re

import pytest

from dibs.app import create_app
from dibs.errors import ConfigError
from dibs.web.pages.accent import (
    CONTRAST,
    DARK,
    HOVER,
    LIGHT,
    colour,
    contrast,
    readable,
    stylesheet,
)
from dibs.web.pages.base import FOLDER
from tests.web.pages.browser import Browser, member

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PNG = b"\x89PNG\r\n\x1a\n and so on"
WEBP = b"RIFF\0\0\0\0WEBP and so on"


@pytest.fixture
def logo(tmp_path):
    """A file that is a logo."""
    file = tmp_path / "logo.svg"
    file.write_text(SVG)
    return file


@pytest.mark.parametrize(
    ("language", "terms", "privacy"),
    [
        ("en", "Terms", "Privacy"),
        ("zh", "服务条款", "隐私政策"),
        ("ja", "利用規約", "プライバシーポリシー"),
    ],
)
def test_every_page_has_the_name_and_the_links(make_site, language, terms, privacy):
    """In each language, also where somebody is signed in; dibs is not named."""
    said = "name=Acme Harbour; terms=https://acme.example/terms; privacy=/privacy"
    ada = member(make_site(password="required", site=said), "Ada")
    for path in ("/", "/account", "/@Ada", "/@nobody", "/account/delete"):
        page = ada.get(path, Accept_Language=language).text
        assert re.search(r"<title>[^<]+ · Acme Harbour</title>", page)
        assert '<a class="brand" href="/"><bdi>Acme Harbour</bdi></a>' in page
        assert f'<a href="https://acme.example/terms">{terms}</a>' in page
        assert f'<a href="/privacy">{privacy}</a>' in page
        assert "dibs" not in re.sub(r"<[^>]+>", "", page)


def test_without_the_setting_all_is_as_it_was(paged):
    page = paged.get("/").text
    assert "<bdi>dibs</bdi>" in page
    assert "dibs-site" not in page
    assert "Terms" not in page
    assert {paged.get(f"/dibs-site.{one}").status_code for one in ("css", "logo")} == {404}
    assert paged.get("/openapi.json").json["info"]["title"] == "dibs"


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=x>', "{{ 7*7 }}%(x)s", "ספר & 猫"]
)
def test_a_name_is_text_and_nothing_else(make_site, name):
    """Neither markup, nor a template, nor a field of a sentence."""
    site = make_site(password="required", site=f"name={name}")
    page = site.get("/").text
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = escaped.replace('"', "&#34;")
    assert page.count(escaped) == 2
    assert name not in page.replace(escaped, "")
    assert site.get("/openapi.json").json["info"]["title"] == name


def test_links_are_escaped(make_site):
    page = make_site(site='terms=/t?a=1&b="><script>x</script>').get("/").text
    assert 'href="/t?a=1&amp;b=&#34;&gt;&lt;script&gt;x&lt;/script&gt;"' in page


def test_the_policy_of_the_pages_stays(make_site, paged, logo):
    """Name, colour and logo need nothing that it forbids."""
    site = make_site(password="required", site=f"name=Acme; accent=#0a6; logo={logo}")
    shown, usual = site.get("/"), paged.get("/")
    policy = "Content-Security-Policy"
    assert shown.headers[policy] == usual.headers[policy]
    assert "style=" not in shown.text
    assert "<style" not in shown.text


def test_the_accent_is_a_stylesheet_of_its_own(make_site):
    """After the built-in one, and kept for good by its address."""
    site = make_site(site="accent=#0A6")
    page = site.get("/").text
    usual, found = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
    assert usual.startswith("/dibs.css")
    answer = site.get(found)
    assert (answer.status_code, answer.mimetype) == (200, "text/css")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.data == stylesheet("#00aa66")


def test_text_can_be_read_with_every_accent():
    """WCAG 2.2 AA on light and dark pages, on buttons, and on those under the pointer."""
    some = random.Random(7)
    texts = ["#000000", "#ffffff", "#ffd500", "#767676", "#0000ff", "#00ff00"]
    texts += [f"#{some.randrange(1 << 24):06x}" for _ in range(300)]
    for theme in (LIGHT, DARK):
        for text in texts:
            found = readable(colour(text), theme)
            red, green, blue = (min(255, one * HOVER) for one in found)
            for one in (found, (red, green, blue)):
                assert contrast(one, theme.ink) >= CONTRAST, text
            assert min(contrast(found, one) for one in theme.pages) >= CONTRAST, text


def test_an_accent_that_can_be_read_stays_what_it_is():
    assert readable(colour("#23594a"), LIGHT) == colour("#23594a")
    assert readable(colour("#8fd0b8"), DARK) == colour("#8fd0b8")
    assert round(contrast((0, 0, 0), (255, 255, 255)), 6) == 21


def test_the_colours_that_are_counted_with_are_those_of_the_pages():
    css = (FOLDER / "static" / "dibs.css").read_text()
    found = [re.findall(rf"--dibs-{one}: (#\w+);", css) for one in ("page", "raised")]
    pages = [[colour(one.replace("#fff", "#ffffff")[:7]) for one in of] for of in found]
    assert list(LIGHT.pages) == [pages[0][0], pages[1][0]]
    assert list(DARK.pages) == [pages[0][1], pages[1][1]]
    assert f"brightness({HOVER})" in css


@pytest.mark.parametrize(
    ("file", "data", "kind"),
    [
        ("a.svg", SVG.encode(), "image/svg+xml"),
        ("b.PNG", PNG, "image/png"),
        ("c.webp", WEBP, "image/webp"),
    ],
)
def test_a_logo_is_a_picture_and_runs_nothing(make_site, tmp_path, file, data, kind):
    """Its type by its name, no guessing, and opened by itself it is in a sandbox."""
    (tmp_path / file).write_bytes(data)
    site = make_site(site=f"logo={tmp_path / file}")
    page = site.get("/").text
    (address,) = re.findall(r'<img src="([^"]+)" alt="">', page)
    assert f'<link rel="icon" type="{kind}" href="{address}">' in page
    answer = site.get(address)
    assert (answer.status_code, answer.mimetype, answer.data) == (200, kind, data)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert answer.headers["Content-Security-Policy"].endswith("; sandbox")


def test_a_template_in_the_home_goes_before_ours(make_site, tmp_path):
    folder = tmp_path / "templates" / "dibs"
    folder.mkdir(parents=True)
    (folder / "home.html").write_text(
        '{% extends "dibs/base.html" %}'
        '{% block content %}<h1>{{ _("Sign up") }} & sail</h1>{% endblock %}'
    )
    site = make_site(password="required", home=str(tmp_path))
    assert "<h1>注册 & sail</h1>" in Browser(site).get("/", Accept_Language="zh").text
    assert Browser(site).get("/sign-in").status_code == 200


@pytest.mark.parametrize("data", [b"\n{% block", b"\xff"])
def test_a_broken_template_is_told_at_the_start(tmp_path, data):
    """And not to whoever opens the page, as a 500."""
    folder = tmp_path / "templates" / "dibs"
    folder.mkdir(parents=True)
    (folder / "home.html").write_bytes(data)
    with pytest.raises(ConfigError, match=r"home\.html") as caught:
        create_app({"DIBS_HOME": str(tmp_path), "DIBS_PASSWORD": "off"})
    assert "\n" not in str(caught.value)
