"""The code blocks of the documentation, and what runs them."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "README.zh.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True, slots=True)
class Block:
    """A code block.

    Attributes:
        language: What stands behind the three backticks.
    """

    language: str
    text: str

    def commands(self) -> list[list[str]]:
        """The words of every command line, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(page: Path) -> list[Block]:
    """Every code block of a page."""
    return [Block(*found) for found in BLOCK.findall(page.read_text(encoding="utf-8"))]


def with_answers(page: Path) -> Iterator[tuple[list[str], Any]]:
    """Each curl of a page and the JSON that stands below it."""
    found = blocks(page)
    for block, following in zip(found, [*found[1:], Block("", "")], strict=False):
        for words in block.commands() if block.language == "sh" else []:
            if words[0] == "curl":
                yield words, json.loads(following.text)


def curl(words: list[str], port: int) -> httpx.Response:
    """Sends what a curl command sends, to another port; refuses options it does not know."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d")
    given = parser.parse_args(words[1:])
    headers = dict(line.split(": ", 1) for line in given.H)
    url = given.url.replace("127.0.0.1:5000", f"127.0.0.1:{port}")
    method = "GET" if given.d is None else "POST"
    return httpx.request(method, url, headers=headers, content=given.d, timeout=30)
