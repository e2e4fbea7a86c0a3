"""Which language an answer is in."""

from __future__ import annotations

import pytest

WORDS = {
    "en": "A user with that username already exists.",
    "zh": "用户名已存在",
    "ja": "そのユーザー名はすでに使われています。",
}


@pytest.mark.parametrize(
    ("accept", "locale"),
    [
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("ZH-cn", "zh"),
        ("zh-TW;q=0.9", "zh"),
        ("zh-Hans-CN, en;q=0.9", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("ja-JP", "ja"),
        ("ja-JP, en;q=0.5", "ja"),
        ("en-GB, zh;q=0.5", "en"),
        ("fr, ja;q=0.3, en;q=0.2", "ja"),
        ("en;q=0.1, ja;q=0.2", "ja"),
        ("zh;q=0, ja;q=0.1", "ja"),
        ("fr", "en"),
        ("*", "en"),
        ("*, zh;q=0.5", "en"),
        ("zh;q=0", "en"),
        ("", "en"),
        ("garbage;;q=x,,;", "en"),
        ("zh;q=nan", "en"),
        ("x" * 10_000, "en"),
        ("\xff\xfe", "en"),
        ("../../zh", "en"),
    ],
)
def test_accept_language(site, accept, locale):
    """What the client wants most of what we have (RFC 4647, 3.4); else English."""
    site.register("ada")
    answer = site.register("ada", Accept_Language=accept)
    assert answer.json["detail"] == WORDS[locale]
    assert answer.headers["Content-Language"] == locale


@pytest.mark.parametrize("locale", WORDS)
@pytest.mark.parametrize("accept", [None, "*", "fr", "garbage"])
def test_default_language(make_site, locale, accept):
    """DIBS_LOCALE, for clients that ask for none of ours."""
    site = make_site(locale=locale)
    site.register("ada")
    headers = {} if accept is None else {"Accept_Language": accept}
    assert site.register("ada", **headers).json["detail"] == WORDS[locale]


def test_the_client_s_wish_goes_before_the_default(make_site):
    answer = make_site(locale="zh").register("", Accept_Language="en")
    assert answer.json["detail"] == "A username is required."


@pytest.mark.parametrize("locale", ["zh", "ja"])
@pytest.mark.parametrize("path", ["/nope", "/users?limit=x", "/usernames/a", "/usernames/x%20y%40"])
def test_no_english_is_left(site, locale, path):
    """Everything that is said, the title too, is in the reader's language."""
    body = site.get(path, Accept_Language=locale).json
    said = [
        body["message"],
        body.get("title", "。"),
        *(one["detail"] for one in body.get("reasons", [])),
    ]
    assert all(any(char > "\u3000" for char in text) for text in said)
