"""Every code block of the READMEs and docs/ is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from flask import Flask

from dibs import signals
from dibs.config import load
from tests.cli.terminal import Terminal
from tests.docs.blocks import (
    PAGES,
    ROOT,
    blocks,
    curl,
    filled_in,
    is_shown,
    tokens_in,
    with_answers,
)
from tests.service import Service

pytestmark = pytest.mark.slow

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


TINY = ("--seconds", "0.05", "--names", "30")  # what it finds out is in test_compare.py

# What is run by the tests below; tests/docs/test_adopting.py runs one page as a whole.
RUN = [page for page in PAGES if page.name != "adopting.md"]


def name_of(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_of_a_kind_that_is_run(page):
    """The tests below run all of these kinds."""
    assert {block.language for block in blocks(page)} <= {
        "sh",
        "bash",  # test_backup.py
        "json",
        "python",
        "text",
        "ini",
        "html",
        "yaml",  # test_metrics.py
    }
    programs = {
        words[0] for block in blocks(page) if block.language == "sh" for words in block.commands()
    }
    tokens = {program for program in programs if re.match("(ACCESS|REFRESH)_TOKEN=", program)}
    assert programs - tokens <= {"make", "curl", "dibs", "pip", "flask"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_curl(page):
    """In their order, on a new service; the answer is the one below."""
    examples = list(with_answers(page, 5000))
    if not examples:
        return
    with Service(password="required", workers=1) as service:
        tokens: dict[str, str] = {}
        for words, expected in examples:
            answer = curl(filled_in(words, tokens), service.port).text
            assert is_shown(answer, expected), answer
            tokens |= tokens_in(answer)


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_pip_and_flask(page):
    """Who has what pip is told to install can run the app; its name is one that flask finds."""
    commands = [
        words
        for block in blocks(page)
        if block.language == "sh"
        for words in block.commands()
        # test_story.py runs the others.
        if words[0] in ("pip", "flask") and "--app" not in words and words[-1] != "./"
    ]
    if commands:
        forms = ["flask-wtf"] if "from flask_wtf" in page.read_text(encoding="utf-8") else []
        assert commands == [
            ["pip", "install", *forms, "flask-sqlalchemy", "/path/to/dibs"],
            ["flask", "run", "--port", "8000"],
        ]
        assert "`app.py`" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_dibs_commands(page, tmp_path, monkeypatch, capsys):
    """In their order, in an empty folder; the service that one asks is there."""
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    for block in blocks(page):
        for words in block.commands() if block.language == "sh" else []:
            if words[0] == "dibs" and words[1] == "prove" and ":5000/" in words[2]:
                with Service(workers=1) as service:
                    words[2] = words[2].replace("5000", str(service.port))
                    assert terminal.dibs(*words[1:]).status == 0
            elif words[0] == "dibs" and words[1] != "prove":  # the others: test_story.py
                words += TINY if words[1] == "compare" else ()
                assert terminal.dibs(*words[1:]).status == 0


@pytest.mark.parametrize("page", ["first-steps.md", "first-steps.zh.md"])
def test_commands_in_a_sentence(page, tmp_path, monkeypatch, capsys):
    """Of the pages that start a service, about the user whom they have registered there."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    terminal.dibs("db", "upgrade")
    assert terminal.dibs("register", "lovelace", "--password", "correct horse battery").status == 0
    commands = re.findall(r"`\.venv/bin/dibs ([^`]+)`", text)
    assert len(commands) == 3
    for command in commands:
        said = terminal.dibs(*command.split())
        assert (said.status, "lovelace" in said.out) == (0, True), said


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_python(page, tmp_path, monkeypatch, capsys):
    """In an empty folder: an app takes a name once, a program prints what is shown below it."""
    monkeypatch.chdir(tmp_path)
    shown = blocks(page)
    for at, block in enumerate(shown):
        # The form and the pages are looked at in a browser: tests/browser/test_component_docs.py.
        if block.language == "python" and "FlaskForm" not in block.text:
            names: dict[str, Any] = {"__name__": "example"}
            exec(block.text, names)
            for signal in signals.SIGNALS.values():
                signal.receivers.clear()  # or they hear of the next example
            if shown[at + 1 : at + 2] and shown[at + 1].language == "text":
                assert capsys.readouterr().out == shown[at + 1].text
            elif "app" in names:
                for words, expected in with_answers(page, 8000):
                    assert is_shown(asked(names["app"], words), expected)
                assert joined(names) == [201, 409, 422, 201]
            if engine := names.get("engine") or names.get("engine_of_db"):
                engine.dispose()


def asked(app: Flask, words: list[str]) -> str:
    """What the example's app answers to a curl."""
    assert words[:4] == ["curl", "-s", "-X", "POST"]
    return app.test_client().post(words[4]).text


def joined(names: dict[str, Any]) -> list[int]:
    """What the example's app answers, one request after the other."""
    app: Flask = names["app"]
    with app.app_context():
        names["engine_of_db"] = names["db"].engine
    client = app.test_client()
    return [client.post(f"/join/{name}").status_code for name in ("Eve", "EVE", "a", "grace")]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_settings(page, tmp_path):
    """A `.env` that is shown is one that is taken."""
    for block in blocks(page):
        if block.language == "ini":
            (tmp_path / ".env").write_text(block.text)
            load(dotenv_values(tmp_path / ".env"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make(page):
    """Targets that are shown are there.

    They are not run: this may be `make test` itself. What they run is what is
    tested: see the next two.
    """
    for block in blocks(page):
        for words in block.commands() if block.language == "sh" else []:
            assert words[0] != "make" or re.search(rf"^{words[1]}:.*##", MAKEFILE, re.M)


def recipe(target: str) -> str:
    """The commands of a target."""
    found = re.search(rf"^{target}:[^\n]*\n((?:\t[^\n]*\n)+)", MAKEFILE, re.M)
    assert found
    return found[1]


def test_make_serve_runs_dibs_serve():
    """Which tests/cli/test_serve.py starts in an empty folder."""
    assert recipe("serve").strip() == "@exec $(BIN)/dibs serve $(ARGS)"


def test_make_test_runs_every_test():
    """All that pytest finds in tests/, this file too: the recipe chooses none by itself."""
    assert recipe("test").strip() == "@exec .venv-test/bin/$(PYTEST) -n 4 $(ARGS)"
    assert "\nPYTEST := python -P -m pytest\n" in MAKEFILE


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links(page):
    """A page of ours that is linked to is there."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    own = [link for link in links if "://" not in link]
    assert [link for link in own if not (page.parent / link).exists()] == []
