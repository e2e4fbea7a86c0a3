"""Every sentence for a reader is there in every language, and the compiled catalogues are fresh."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog

from dibs.web import words
from tests.web.messages import messages

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "src/dibs/web/translations"
INSTALLED = Path(words.__file__).parent / "translations"
TRANSLATED = [locale for locale in words.LOCALES if locale != "en"]
FIELD = re.compile(r"%\(\w+\)[a-z]")


def catalogue(locale: str) -> Catalog:
    """What the translators wrote."""
    with (FOLDER / locale / "LC_MESSAGES/dibs.po").open("rb") as file:
        return pofile.read_po(file, locale=locale)


def entries(locale: str) -> dict[str, str]:
    """Each English sentence and its translation."""
    return {str(entry.id): str(entry.string) for entry in catalogue(locale) if entry.id}


@pytest.mark.parametrize("locale", TRANSLATED)
def test_every_message_is_translated(locale):
    """And the catalogue holds nothing that no code says."""
    assert messages() == entries(locale).keys()
    assert [english for english, said in entries(locale).items() if not said] == []


@pytest.mark.parametrize("locale", TRANSLATED)
def test_fields_are_kept(locale):
    """A translation names what the English sentence names, no more and no less."""
    for english, said in entries(locale).items():
        assert sorted(FIELD.findall(english)) == sorted(FIELD.findall(said)), said
        assert FIELD.sub("", said).count("%") == FIELD.sub("", english).count("%") == 0


@pytest.mark.parametrize("locale", TRANSLATED)
def test_nothing_is_unsure(locale):
    """A fuzzy entry is left out when the catalogue is compiled."""
    assert [entry.id for entry in catalogue(locale) if entry.fuzzy and entry.id] == []


@pytest.mark.parametrize("folder", [FOLDER, INSTALLED], ids=["checkout", "installed"])
@pytest.mark.parametrize("locale", TRANSLATED)
def test_what_is_compiled_is_what_was_written(locale, folder):
    """After a change: scripts/translations."""
    with (folder / locale / "LC_MESSAGES/dibs.mo").open("rb") as file:
        compiled = {str(entry.id): entry.string for entry in mofile.read_mo(file) if entry.id}
    assert compiled == entries(locale), "run scripts/translations"


OTHER_WORDS = {
    "en": re.compile(r"\blog(ged|ging|s)?[ -]?(in|out|on|off)\b", re.IGNORECASE),
    "zh": re.compile("登入|登出|签入|登陆|你"),
    "ja": re.compile("サイン|ログオン|ログオフ"),
}
"""What the pages do not say: their buttons say `Sign in`, and in Chinese their reader is 您."""


@pytest.mark.parametrize("locale", words.LOCALES)
def test_pages_and_messages_have_the_same_words(locale):
    said = messages() if locale == "en" else entries(locale).values()
    assert [one for one in said if OTHER_WORDS[locale].search(one)] == []


def test_there_is_a_catalogue_for_each_language():
    assert {path.name for path in FOLDER.iterdir()} == set(TRANSLATED)


def test_the_words_of_every_tutorial():
    """The classic example, to the letter."""
    zh = entries("zh")
    assert zh["Registration successful."] == "注册成功"
    assert zh["A user with that username already exists."] == "用户名已存在"
    assert zh["A username is required."] == "用户名不能为空"


def test_the_script_compiles_these_catalogues():
    """Its one command, aimed at a copy, makes the same files."""
    script = (ROOT / "scripts/translations").read_text(encoding="utf-8")
    assert "--domain dibs --directory src/dibs/web/translations" in script
    subprocess.run(["sh", "-n", ROOT / "scripts/translations"], check=True)
