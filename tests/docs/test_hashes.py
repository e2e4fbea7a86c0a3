"""The page of stored hashes has every format that is read, and its examples are what it says."""

from __future__ import annotations

import re

import pytest

from dibs.accounts.passwords import Keys
from dibs.accounts.passwords.algorithms import Argon2
from dibs.accounts.passwords.formats import FORMATS
from dibs.accounts.passwords.hashing import Verifier
from dibs.config import Settings
from dibs.errors import ConfigError
from dibs.wiring.accounts import hash_check
from tests.docs.blocks import ROOT, blocks

PAGE = ROOT / "docs/hashes.md"
PASSWORD = "correct horse café"
EXAMPLES = re.findall(r"^\|.*`([^`]+)` \|$", PAGE.read_text(encoding="utf-8"), re.M)


@pytest.mark.parametrize("stored", EXAMPLES)
def test_examples(stored: str):
    assert Verifier(Argon2(8, 1)).check(PASSWORD, stored).ok


def test_every_format_is_there():
    for pattern, _ in FORMATS:
        assert any(map(pattern.fullmatch, EXAMPLES)), pattern.pattern


def test_function_of_ones_own(tmp_path, monkeypatch):
    """As the page has it, named by the setting."""
    (tmp_path / "shop.py").write_text(blocks(PAGE)[0].text)
    monkeypatch.syspath_prepend(tmp_path)
    verifier = Verifier(Argon2(8, 1), Keys(check=hash_check("shop:check")))
    stored = "shop:salt:67a1e09bb1f83f5007dc119c14d663aa"
    assert verifier.check("password", stored).ok
    assert not verifier.check("passwore", stored).ok
    assert not verifier.check("password", "lop:salt:67a1e09bb1f83f5007dc119c14d663aa").ok


@pytest.mark.parametrize("name", ["none", "none:check", "os:none", "os:name", ":", "os:"])
def test_no_function(name: str):
    assert Settings().hash_check == ""
    with pytest.raises(ConfigError, match="DIBS_HASH_CHECK names no function"):
        hash_check(name)
