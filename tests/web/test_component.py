"""The module of `<dibs-username>`, as it is served; tests/browser/ has what it does."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from flask import Flask

from dibs.state import state_of
from dibs.web import component
from dibs.web.words import LOCALES

PATH = "/dibs-username.js"
MOST = 5000  # bytes, compressed


@pytest.fixture
def source(site) -> str:
    text: str = site.get(PATH).text
    return text


def test_it_is_small(source):
    """With the words of all languages, as a server in front sends it."""
    assert len(gzip.compress(source.encode(), 6)) <= MOST


def test_pages_of_every_origin_may_load_it(site):
    """Whatever DIBS_CORS_ORIGINS says: it is the same for everybody and holds no secret."""
    answer = site.get(PATH, Origin="https://anywhere.example")
    assert answer.status_code == 200
    assert answer.content_type == "text/javascript; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("taken", ["gzip", "br, gzip;q=0.5", "*", "GZIP"])
def test_it_is_compressed_for_who_takes_that(site, source, taken):
    """As small as it is said to be, and told apart from the plain one."""
    answer = site.get(PATH, Accept_Encoding=taken)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.data) == int(answer.headers["Content-Length"]) <= MOST
    assert gzip.decompress(answer.data).decode() == source
    assert answer.headers["ETag"] != site.get(PATH).headers["ETag"]


@pytest.mark.parametrize("taken", ["", "br", "gzip;q=0", "identity"])
def test_it_is_plain_for_others(site, source, taken):
    answer = site.get(PATH, Accept_Encoding=taken)
    assert "Content-Encoding" not in answer.headers
    assert answer.text == source


@pytest.mark.parametrize("taken", ["", "gzip"])
def test_it_is_not_sent_again(site, taken):
    tag = site.get(PATH, Accept_Encoding=taken).headers["ETag"]
    answer = site.get(PATH, If_None_Match=tag, Accept_Encoding=taken)
    assert (answer.status_code, answer.data) == (304, b"")
    assert site.get(PATH, If_None_Match='"another"').status_code == 200


def test_the_words_of_every_language_are_in_it(make_site):
    """Different ones, whatever language the first reader has; and which is the service's own."""
    site = make_site(locale="ja")
    found = re.search(
        r"^const SAID = (\{.*?\}) // ", site.get(PATH, Accept_Language="zh").text, re.M
    )
    assert found
    said = json.loads(found[1])
    assert said["locale"] == "ja"
    assert said["words"].keys() == set(LOCALES)
    for key in component.WORDS:
        assert len({words[key] for words in said["words"].values()}) == len(LOCALES)
    assert site.get(PATH, Accept_Language="en").text == site.get(PATH, Accept_Language="zh").text


def test_it_asks_nobody_else(source):
    """A third party would learn who signs up; what it asks lies beside itself."""
    assert "http:" not in source
    assert "https:" not in source
    assert not re.search(r"\bimport\s*[({'\"]", source)


def test_under_a_prefix(site):
    """It looks for the service beside itself."""
    app = Flask(__name__)
    state_of(app).parts = site.parts
    app.register_blueprint(component.blueprint, url_prefix="/names")
    answer = app.test_client().get(f"/names{PATH}")
    assert "new URL('.', import.meta.url)" in answer.text


def test_it_is_in_the_package():
    """Beside the code, where the wheel has it."""
    assert (Path(component.__file__).parent / component.FILE).is_file()
