"""The code blocks of the documentation, and what runs them; and what it says of settings."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import httpx

from dibs.config import PREFIX, Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "README.zh.md", *(ROOT / "docs").glob("*.md")])
UUID4 = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What no two answers have in common: tokens, and moments.
NEW = re.compile(r'("\w+_(?:token|at)": ?")[^"]+"')
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


def with_answers(page: Path, port: int) -> Iterator[tuple[list[str], str]]:
    """Each curl of a page to this port, and the JSON that stands below it."""
    found = blocks(page)
    for block, following in zip(found, [*found[1:], Block("", "")], strict=False):
        for words in block.commands() if block.language == "sh" else []:
            if words[0] == "curl" and f"127.0.0.1:{port}/" in " ".join(words):
                assert following.language == "json"
                yield words, following.text


def masked(answer: str) -> str:
    """An answer without what is random in it."""
    return UUID4.sub("...", NEW.sub(r'\1..."', answer.strip()))


def tokens_in(answer: str) -> dict[str, str]:
    """The tokens of an answer, by the names of the variables that a page puts them into."""
    members = json.loads(answer)
    return {name.upper(): text for name, text in members.items() if name.endswith("_token")}


def filled_in(words: list[str], variables: dict[str, str]) -> list[str]:
    """The words of a command, its `$VARIABLES` replaced."""
    return [re.sub(r"\$([A-Z_]+)", lambda found: variables[found[1]], word) for word in words]


def is_shown(answer: str, shown: str) -> bool:
    """Whether this is the answer that is shown: on one line to the letter, but for a random id.

    What is shown on several lines is the same JSON, with the same methods of suggestions if any.
    """
    if "\n" not in shown.strip():
        return masked(answer) == masked(shown)
    real, said = json.loads(answer), json.loads(shown)
    offers, wanted = real.pop("suggestions", []), said.pop("suggestions", [])
    methods = {one["method"] for one in offers}
    return bool(real == said and all(one["method"] in methods for one in wanted))


def curl(words: list[str], port: int) -> httpx.Response:
    """Sends what a curl command sends, to another port; refuses options it does not know."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d")
    parser.add_argument("-X")
    given = parser.parse_args(words[1:])
    headers = dict(line.split(": ", 1) for line in given.H)
    url = given.url.replace("127.0.0.1:5000", f"127.0.0.1:{port}")
    method = given.X or ("GET" if given.d is None else "POST")
    return httpx.request(method, url, headers=headers, content=given.d, timeout=30)


def documented() -> list[tuple[str, str, str]]:
    """Key, default and meaning of every setting, as docs/settings.md has it."""
    return [(PREFIX + f.name.upper(), _default(f), f.metadata["meaning"]) for f in fields(Settings)]


def _default(setting: Field[Any]) -> str:
    choices = get_args(get_type_hints(Settings)[setting.name])
    others = [choice for choice in choices if choice != setting.default]
    return "; ".join([f"`{setting.default}`" if setting.default != "" else "", *others])
