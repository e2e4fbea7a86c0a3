"""The first screen of the READMEs is a story that happens: an app that fails, a line, all is well.

Its pictures are made anew and compared. How many of those who ask at once get an error is another
number each time; all else stays as it is. `PIN=renew` writes the pictures.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.blocks import BLOCK, ROOT, Block
from tests.prove.apps import PROGRAMS, environment, served
from tests.services.tools import free_port

PICTURES = ["docs/prove-before.svg", "docs/prove-after.svg"]
APP = "examples/textbook"


def first_screen(name: str) -> tuple[str, list[Block]]:
    """What stands above the first heading, and its code blocks."""
    text, _, _ = (ROOT / name).read_text(encoding="utf-8").partition("\n## ")
    return text, [Block(*found) for found in BLOCK.findall(text)]


@pytest.mark.race
def test_the_story(tmp_path):
    """In its order, but on a port that is free."""
    text, shown = first_screen("README.md")
    shutil.copytree(ROOT / APP, tmp_path / APP)
    port, pictures = free_port(), iter(PICTURES)
    with ExitStack() as servers:
        for block, below in zip(shown, [*shown[1:], Block("", "")], strict=True):
            for words in block.commands() if block.language == "sh" else ():
                here = [word.replace("8000", str(port)) for word in words]
                if words[0] == "make":
                    continue  # test_examples.py says why
                if words[0] == "pip":
                    assert words == ["pip", "install", "flask-sqlalchemy", "./"]
                elif "run" in words:
                    servers.close()  # as whoever reads this is told
                    servers.enter_context(served(here, port, tmp_path))
                elif words[0] == "dibs":
                    picture = next(pictures)
                    said = run([*here, "--report", "new.svg"], tmp_path)
                    assert stable(said.stdout).endswith(stable(below.text)), said
                    assert said.returncode == (picture == PICTURES[0])
                    compare_picture(tmp_path / "new.svg", ROOT / picture, port)
                    assert f"]({picture})" in text
                else:
                    ran = run(here, tmp_path)
                    assert ran.returncode == 0, ran
    assert list(pictures) == []


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAMS / words[0], *words[1:]],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def stable(text: str) -> str:
    """Without how many came so late that they got an error."""
    text = re.sub(r"\d+ (people were given an error)", r"N \1", text)
    return re.sub(r"\d+ told the truth(, \d+ got an error)?", "N told the truth", text)


def compare_picture(new: Path, known: Path, port: int) -> None:
    """The words, their colours, and the shapes; the race of one name may have no error at all."""
    drawn = new.read_text(encoding="utf-8").replace(str(port), "8000")
    if os.environ.get("PIN") == "renew":
        known.write_text(drawn, encoding="utf-8")
    one, other = (words_of(svg) for svg in (drawn, known.read_text(encoding="utf-8")))
    assert one == other


def words_of(svg: str) -> tuple[str, str, set[str]]:
    """The style, the words as they stand below each other, and which marks there are."""
    style, drawn = svg.split("</style>")
    texts = re.findall(r"<text [^>]*>([^<]*)</text>", drawn)
    return (
        style.partition("<style>")[2],
        stable(" ".join(texts)),
        set(re.findall(r'<path class="(\w+)"', drawn)),
    )


def test_the_lines_are_all_that_the_app_has_more():
    """In both READMEs, whose commands and answers are the same."""
    stories = [first_screen(name)[1] for name in ("README.md", "README.zh.md")]
    commands, texts = (
        [[block.commands() for block in story if block.language == "sh"] for story in stories],
        [[block.text for block in story if block.language == "text"] for story in stories],
    )
    assert commands[0] == commands[1]
    assert texts[0] == texts[1]
    before, after = (code_of(name) for name in ("before.py", "app.py"))
    assert texts[0][1].splitlines() == [line for line in after if line not in before]
    assert [line for line in before if line not in after] == []


def code_of(name: str) -> list[str]:
    """The lines of an example, without its docstring and what stands before them."""
    text = (ROOT / APP / name).read_text(encoding="utf-8")
    return [line.strip() for line in text.split('"""', 2)[2].splitlines()]


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_numbers_are_those_of_the_picture(name):
    text, _ = first_screen(name)
    drawn = (ROOT / PICTURES[0]).read_text(encoding="utf-8")
    words = " ".join(re.findall(r"<text [^>]*>([^<]*)</text>", drawn))
    errors = sum(map(int, re.findall(r"(\d+) got an error", words)))
    assert {int(one) for one in re.findall(r"(\d+)(?: people were given| 人得到)", text)} == {
        errors
    }
