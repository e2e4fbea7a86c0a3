"""The site that `make docs` has built: its links lead somewhere, and it asks no other host."""

from __future__ import annotations

import ast
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.conftest import missing
from tests.docs.blocks import PAGES, ROOT, blocks
from tests.services import ServiceMissing

SITE = ROOT / "build" / "site"
PROVED = re.compile(r"\[`(test_\w+)`\]\(([^)]+)\)")
# What a browser fetches by itself, and not when somebody follows a link.
FETCHED = {("link", "href")} | {(tag, "src") for tag in ("script", "img", "iframe", "source")}
CHINESE = [page for page in PAGES if ".zh" in page.name]
CHINESE += sorted((ROOT / "docs" / "hosts").glob("*.zh.md"))


class Reader(HTMLParser):
    """What a page of HTML fetches, where it leads, and which places it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: set[str] = set()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key == "id" and value:
                self.places.add(value)
            elif (tag, key) in FETCHED and ("rel", "canonical") not in attrs:
                self.fetched.add(value or "")
            elif (tag, key) == ("a", "href"):
                self.links.add(value or "")


@pytest.fixture
def site() -> Path:
    if not (SITE / "index.html").exists():
        missing(ServiceMissing("build/site is missing: run make docs"))
    return SITE


@cache
def read(path: Path) -> Reader:
    return Reader(path.read_text(encoding="utf-8"))


def test_nothing_is_fetched_from_another_host(site: Path):
    """By no page, and by no style sheet; tests/browser/test_site.py sees what scripts ask for."""
    for page in site.rglob("*.html"):
        assert [one for one in read(page).fetched if urlsplit(one).netloc] == [], page
    for sheet in site.rglob("*.css"):
        found = re.findall(r"url\(([^)]*)\)|@import\s+(\S+)", sheet.read_text(encoding="utf-8"))
        assert [one for one in found if "//" in one[0][:9] or one[1]] == [], sheet


def test_every_link_leads_somewhere(site: Path):
    """To a page or file of the site, and to a place in it where one is named."""
    for page in site.rglob("*.html"):
        broken = []
        for link in read(page).links | read(page).fetched:
            address = urlsplit(link)
            if address.scheme or address.netloc or not link:
                continue
            path = unquote(address.path)
            target = site / path.lstrip("/") if path.startswith("/") else (page.parent / path)
            target = target / "index.html" if target.is_dir() else target
            if path == "":
                target = page
            is_there = target.is_file() and (
                not address.fragment
                or target.suffix != ".html"
                or unquote(address.fragment) in read(target.resolve()).places
            )
            if not is_there and page.name != "404.html":
                broken.append(link)
        assert broken == [], page


def test_every_page_is_there(site: Path):
    """Of docs/, where README.md of a folder is its index."""
    for page in (ROOT / "docs").rglob("*.md"):
        place = page.relative_to(ROOT / "docs").with_suffix("")
        place = place.parent if place.name in ("README", "index") else place
        assert (site / place / "index.html").exists(), place


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_test_that_proves_something_is_there(page: Path):
    for test, link in PROVED.findall(page.read_text(encoding="utf-8")):
        source = (page.parent / link).read_text(encoding="utf-8")
        assert re.search(rf"^def {test}\(", source, re.M), (test, link)


@pytest.mark.parametrize("name", ["promises.md", "threats.md"])
def test_every_line_names_its_test(name: str):
    """But those of other tables than of promises, and of what is in an attacker's way."""
    lines = (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines()
    rows = [one for one in lines if one.startswith("| ") and " by |" not in one]
    assert len(rows) > 10
    assert [row for row in rows if not PROVED.search(row)] == []


@pytest.mark.parametrize("chinese", CHINESE, ids=lambda page: page.name)
def test_a_chinese_page_says_the_same(chinese: Path):
    """Same links, headings, figures and code; only comments and answers are in Chinese."""
    english = chinese.with_name(chinese.name.replace(".zh", ""))
    texts = [page.read_text(encoding="utf-8") for page in (english, chinese)]
    links = [set(re.findall(r"\]\(([^)]+)\)", text.replace(".zh.md", ".md"))) for text in texts]
    assert links[0] == links[1]
    assert len({len(re.findall(r"^#+ ", text, re.M)) for text in texts}) == 1
    assert len({len(re.findall(r"^\| |^- ", text, re.M)) for text in texts}) == 1
    figures = [re.findall(r"^\| [^|]+((?: \| \d+)+) \|$", text, re.M) for text in texts]
    assert figures[0] == figures[1]
    assert code(english) == code(chinese)


@pytest.mark.parametrize("chinese", CHINESE, ids=lambda page: page.name)
def test_a_chinese_page_leads_to_chinese_pages(chinese: Path):
    """Where there are some, but for the link to English itself."""
    text = re.sub(r"\[English\]\(.*?\)", "", chinese.read_text(encoding="utf-8"))
    links = [chinese.parent / one for one in re.findall(r"\]\(([^)#]+\.md)[#)]", text)]
    assert [one for one in links if one.with_suffix(".zh.md").exists()] == []


def code(page: Path) -> list[tuple[str, object]]:
    """The blocks of a page, without what is told to its reader."""
    found: list[tuple[str, object]] = []
    for block in blocks(page):
        if block.language == "python":
            found.append(("python", ast.dump(ast.parse(block.text))))
        elif block.language == "sh":
            chosen = " -H 'Accept-Language: zh'"
            text = re.sub(r"#.*", "", block.text.replace(chosen, ""))
            found.append(("sh", text.split()))
        else:
            lines = [line.partition("#")[0].rstrip() for line in block.text.splitlines()]
            found.append((block.language, lines if block.language in ("ini", "text") else None))
    return found
