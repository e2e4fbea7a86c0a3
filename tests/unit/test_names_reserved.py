"""Which names are reserved, in which spellings, and which are not for all their likeness."""

from __future__ import annotations

import pytest

from dibs.errors import ConfigError, InvalidName
from dibs.names import RESERVED, is_reserved, parse
from dibs.names.canonical import normalise
from dibs.names.reserved import load

RESERVED_NAMES = [
    ("register", "routes"), ("postmaster", "roles"), ("security", "roles"), ("localhost", "hosts"),
    ("null", "values"), ("undefined", "values"), ("me", "values"), ("root", "roles"),
    ("dibs", "dibs"), ("ADMIN", "roles"), ("ａdmin", "roles"), ("Ädmin", "roles"),
    ("ad.min", "roles"), ("a-d-m-i-n", "roles"), ("admins", "roles"), ("adm1n", "roles"),
    ("adrnin", "roles"), ("moderat0rs", "roles"), ("арр", "routes"), ("1ogin", "routes"),
    ("logln", "routes"), ("nu11", "values"), ("nul", "values"), ("officials", "roles"),
    ("Админ", "roles"), ("администратор", "roles"), ("管理员", "roles"), ("官方", "roles"),
    ("客服", "roles"), ("관리자", "roles"), ("administrador", "roles"), ("管理者", "roles"),
    ("運営", "roles"), ("サポート", "roles"), ("ｻﾎﾟｰﾄ", "roles"), ("noc", "mailboxes"),
    ("sales", "mailboxes"), ("con", "values"), ("ssladmin", "roles"), ("SSL-Admin", "roles"),
    ("mis", "mailboxes"),
]  # fmt: skip
FREE = [
    "roots",
    "horne",
    "ali",
    "alı",
    "тор",
    "šales",
    "nan",
    "you",
    "story",
    "jobs",
    "edit",
    "pros",
    "h-rs",
    "mine",
    "gift",
    "pop",
    "held",
    "nil",
    "adam",
    "tea.m",
]


@pytest.mark.parametrize(("name", "group"), RESERVED_NAMES, ids=ascii)
def test_a_reserved_name_says_why(name, group):
    assert is_reserved(normalise(name)) == group


@pytest.mark.parametrize("name", FREE)
def test_what_only_resembles_one_is_free(name):
    """People are called so."""
    assert is_reserved(name) is None


@pytest.mark.parametrize("mode", ["standard", "strict", "off"])
def test_reserved_names_do_not_depend_on_the_mode(mode):
    """Without look-alikes nobody is staff either, and with them Ali is not `all`."""
    with pytest.raises(InvalidName) as refused:
        parse("Adm1n", lookalikes=mode)
    assert refused.value.reasons[0].params == {"group": "roles"}
    assert parse("Ali", lookalikes=mode).canonical == "ali"


def test_a_service_adds_its_own_routes():
    """The built-in names are left as they are."""
    ours = RESERVED.with_routes(["usernames", "Zürich", "no such/name", ""])
    assert ours.group_of("zürich") == "routes"
    assert is_reserved("zürich") is None
    with pytest.raises(InvalidName, match="reserved"):
        parse("ZÜRICH", reserved=ours)


def test_a_service_lets_people_have_some():
    """Whose names they are; other words stay reserved, and so does a route of its own."""
    ours = RESERVED.without(["Guest", "null"])
    parsed = [parse(name, reserved=ours).display for name in ("Guest", "GUEST", "Null")]
    assert parsed == ["Guest", "GUEST", "Null"]
    for kept in ("nul", "admin", "home"):
        with pytest.raises(InvalidName, match="reserved"):
            parse(kept, reserved=ours)
    assert ours.with_routes(["guest"]).group_of("guest") == "routes"
    assert RESERVED.without([]) is RESERVED
    for wrong in (["guset"], "guest"):
        with pytest.raises(ConfigError):
            RESERVED.without(wrong)


def test_every_word_is_reachable():
    """No entry is spelled so that it could never be met."""
    assert [word for word in RESERVED if normalise(word) != word or word not in RESERVED] == []
    assert len(RESERVED) > 600


def test_a_word_without_a_group_is_a_mistake():
    with pytest.raises(ValueError, match="no heading"):
        load("admin\n[roles]\n")


# --- DIBS_NAME_RULES --------------------------------------------------------------

OURS = RESERVED.with_patterns(
    ["acme", "*-bot", "Shop*", "zürich*"], free=["good-bot", "shopin*", "acrne"]
)


@pytest.mark.parametrize("mode", ["standard", "strict", "off"])
@pytest.mark.parametrize(
    ("name", "is_free"),
    [
        ("acme", False), ("ACME", False), ("acmes", True), ("ac.me", True), ("acrne", True),
        ("spam-bot", False), ("spam-b0t", False), ("\uff53pam-bot", False), ("spambot", True),
        ("spam.bot", True), ("good-bot", True), ("Good-Bot", True), ("g00d-bot", False),
        ("shop", False), ("shopper", False), ("workshop", True), ("shopin", True),
        ("Shop.in", False), ("ZÜRICH1", False), ("zurich1", True),
        ("ad.min", False), ("horne", True),
    ],
    ids=ascii,
)  # fmt: skip
def test_patterns_reserve_what_looks_like_them_but_for_exceptions(name, is_free, mode):
    """Without a `*` a pattern is one word; an exception counts in its own spelling."""
    if is_free:
        assert parse(name, reserved=OURS, lookalikes=mode).display == name
    else:
        with pytest.raises(InvalidName) as refused:
            parse(name, reserved=OURS, lookalikes=mode)
        assert refused.value.only_reserved


def test_patterns_stay_when_more_is_reserved():
    """With routes, own words and built-in ones that are let go."""
    ours = OURS.with_routes(["login"]).with_own(["mills"]).without(["guest"])
    groups = [ours.group_of(name) for name in ("spam-bot", "good-bot", "mills", "guest")]
    assert groups == ["own", None, "own", None]
    assert RESERVED.group_of("spam-bot") is None


@pytest.mark.parametrize("word", ["admin", "adm1n", "spam-bots"])
def test_an_exception_that_excepts_nothing_is_refused(word):
    """Above all one from a built-in word, which it would not let go."""
    with pytest.raises(ConfigError, match="^DIBS_NAME_RULES .*DIBS_UNRESERVED$"):
        RESERVED.with_patterns(["*-bot"], free=[word])


def test_a_long_name_is_no_trouble_for_many_stars():
    """Tried in all ways, these would be more than there is time for."""
    ours = RESERVED.with_patterns(["a" + "*a" * 20 + "*b"], free=[])
    assert ours.group_of("a" * 120) is None
    assert ours.group_of("a" * 120 + "b") == "own"
    assert ours.group_of("ab" + "xa" * 18 + "ab") is None
