"""What the documentation site has beside docs/: for MkDocs, see mkdocs.yml.

The pages link to tests, examples and the pages at the root of the repository, as the code host
shows them. On the site each of these is a page, too, so that it needs no other host.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\()([^)#:\s]+)(#[^)]*)?\)")
FENCED = re.compile(r"(^```.*?^```$)", re.M | re.S)
# A READER of the README is at home on the index; these two are pages of the site as they are.
PAGES = {"README.md": "index.md", "README.zh.md": "index.zh.md"}
TOP = ("CONTRIBUTING.md", "CHANGELOG.md")
LANGUAGES = {".py": "python", ".toml": "toml", ".sh": "sh", ".html": "html", "": "text"}
# Between these no white space is due where a line ends.
HAN = "\u3000-\u303f\u4e00-\u9fff\uff00-\uffef"
SILENT = "---\nsearch: { exclude: true }\nhide: [navigation, toc]\n---\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the two pages of the root, and a page for each file that a page links to."""
    for name in TOP:
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    for path in sorted(linked()):
        page = File.generated(config, place(path), content=SILENT + shown(path))
        page.inclusion = page.inclusion.NOT_IN_NAV
        files.append(page)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Have links lead to the pages of the site; join the lines of Chinese paragraphs."""
    markdown = outside_code(markdown, lambda text: relinked(text, page.file.src_uri))
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]  # which would have this one page
    if is_chinese(page):
        end = re.compile(rf"(?<=[{HAN}])\n *(?=[{HAN}])")
        markdown = outside_code(markdown, lambda text: end.sub("", text))
    return markdown


def on_page_context(_: Any, page: Page, config: MkDocsConfig, **__: Any) -> None:
    """Have the words around a page be in its language."""
    config.theme["language"] = "zh" if is_chinese(page) else "en"


def on_post_build(config: MkDocsConfig) -> None:
    """Have the search find words inside of Chinese sentences, which have no spaces."""
    path = Path(config.site_dir) / "search" / "search_index.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    between = re.compile(r"(?<=[\u4e00-\u9fff])(?=[\u4e00-\u9fff])")
    for one in index["docs"]:
        one["title"], one["text"] = (between.sub("\u200b", one[key]) for key in ("title", "text"))
    path.write_text(json.dumps(index, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def is_chinese(page: Page) -> bool:
    return page.file.src_uri.endswith(".zh.md")


def outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """The text with everything changed but its code blocks."""
    parts = FENCED.split(markdown)
    return "".join(part if i % 2 else change(part) for i, part in enumerate(parts))


def relinked(text: str, uri: str) -> str:
    """The text of the page with this address, whose links lead to the pages of the site."""
    start = posixpath.dirname(uri)

    def there(found: re.Match[str]) -> str:
        target = home_of(uri) / found[2]
        if uri.startswith("source/") or not target.exists():
            return found[0]  # a link of ours, or one that MkDocs shall complain about
        end = posixpath.relpath(place(target.resolve()), start)
        return f"{found[1]}{end}{found[3] or ''})"

    return LINK.sub(there, text)


def home_of(uri: str) -> Path:
    """The folder from which the links of a page are read."""
    return ROOT if uri in TOP else (ROOT / "docs" / uri).parent


def place(path: Path) -> str:
    """Where the site has a file or folder of the repository."""
    name = path.relative_to(ROOT).as_posix()
    if name in TOP:
        return name
    if name.startswith("docs/"):
        return name.removeprefix("docs/")
    if name in PAGES:
        return PAGES[name]
    return f"source/{name}/index.md" if path.is_dir() else f"source/{name}.md"


def linked() -> set[Path]:
    """Every file and folder outside docs/ that a page links to, and what is in these folders."""
    pages = [*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in TOP)]
    found: set[Path] = set()
    for page in pages:
        for link in LINK.finditer(page.read_text(encoding="utf-8")):
            target = (page.parent / link[2]).resolve()
            if target.exists() and place(target).startswith("source/"):
                found |= {target, *inside(target)}
    return found


def inside(folder: Path) -> Iterator[Path]:
    """What is in a folder, but for what Python and tests leave there."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in ("__pycache__", "instance") and (path.is_dir() or path.suffix == ".py"):
            yield path
            yield from inside(path)


def shown(path: Path) -> str:
    """The Markdown of a page with a file, or with the list of a folder."""
    name = path.relative_to(ROOT).as_posix()
    if path.is_dir():
        lines = (
            f"- [{one.name}]({one.name}{'/index' if one.is_dir() else ''}.md)"
            for one in sorted(path.iterdir())
            if one in set(inside(path))
        )
        return f"# {name}/\n\n" + "\n".join(lines)
    language = LANGUAGES.get(path.suffix, "text")
    return f"# {name}\n\n`````{language}\n{path.read_text(encoding='utf-8')}\n`````\n"
