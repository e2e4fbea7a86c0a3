"""`GET /usernames/<name>`: advice about a name."""

from __future__ import annotations

import pytest


def test_a_free_name(make_site, strategy):
    """Free until somebody registers it, in any spelling."""
    site = make_site(strategy=strategy)
    free = site.get("/usernames/Ada")
    assert (free.json["available"], free.json["canonical"], free.json["reason"]) == (
        True,
        "ada",
        None,
    )
    site.register("ada")
    taken = site.get("/usernames/ADA").json
    assert (taken["available"], taken["reason"]) == (False, "taken")


def test_a_verdict_is_not_kept(site):
    """It may be wrong a moment later."""
    answer = site.get("/usernames/ada", Accept_Language="zh")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Language"] == "zh"
    members = "name canonical available reason message reasons renamed_to suggestions"
    assert set(answer.json) == set(members.split())


def test_a_check_claims_nothing(site):
    """And costs one statement."""
    site.get("/usernames/ada")
    statements = [one for one in site.sql if not one.startswith("PRAGMA")]
    assert [one.split()[0] for one in statements] == ["SELECT"]
    assert site.users() == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("%FF%FE%FD", "\ufffd\ufffd\ufffd"),
        ("%00", "\x00"),
        ("%ED%A0%80", "\ufffd" * 3),
        ("..", ".."),
        ("%2e%2e", ".."),
        ("a%2Fb", "a/b"),
        ("%2F", "/"),
        ("a%0Ab", "a\nb"),
        ("a%0D%0Ab", "a\r\nb"),
        ("..%2f..%2fetc%2fpasswd", "../../etc/passwd"),
        ("ada%20lovelace", "ada lovelace"),
        ("%E2%80%AEada", "\u202eada"),
        ("ada%40example.org", "ada@example.org"),
        ("x" * 60_000, "x" * 60_000),
    ],
)
def test_an_invalid_name_is_told_so(site, path, name):
    """200 with the reasons, and the database is not asked."""
    answer = site.get(f"/usernames/{path}")
    assert answer.status_code == 200
    verdict = answer.json
    assert (verdict["name"], verdict["available"], verdict["reason"]) == (name, False, "invalid")
    assert verdict["reasons"]
    assert verdict["message"]
    assert site.sql == []


@pytest.mark.parametrize("path", ["\xff\xfe\xfd", "ad\xffa", "\xed\xa0\x80", "\xef\xbf\xbd\xff"])
def test_what_is_no_utf_8_is_called_that(site, path):
    """Werkzeug replaces the bytes, in its test client too; what a server gives has them still."""
    served = {"PATH_INFO": f"/usernames/{path}"}
    reasons = site.client.get("/usernames/ada", environ_overrides=served).json["reasons"]
    assert [reason["code"] for reason in reasons] == ["encoding"]


def test_a_replacement_character_is_only_a_character(site):
    """Somebody may well type one."""
    reasons = site.get("/usernames/ada%EF%BF%BD").json["reasons"]
    assert [reason["code"] for reason in reasons] == ["character"]


def test_a_reserved_name_is_called_that(site):
    verdict = site.get("/usernames/admin").json
    assert (verdict["available"], verdict["reason"]) == (False, "reserved")


def test_several_reasons_are_one_text_in_each_language(site):
    """Chinese and Japanese put no space between sentences."""
    path = "/usernames/.%40"
    texts = {tag: site.get(path, Accept_Language=tag).json["message"] for tag in ("zh", "ja")}
    assert "；" in texts["zh"]
    assert "。ユーザー名" in texts["ja"] or "。メール" in texts["ja"]
