"""DIBS_ settings: what is taken, what is refused, and in which words."""

from __future__ import annotations

import pytest

from dibs.cache.redis.taken import TOMBSTONE_MS
from dibs.cache.taken import STALE_FILL_SECONDS
from dibs.config import LONGEST_DEADLINE, Settings, load
from dibs.errors import ConfigError
from tests.docs.blocks import documented


def test_nothing_set_is_the_default():
    assert load({}) == Settings()


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_value_is_the_default(empty):
    """As in `DIBS_LOCALE= dibs serve`."""
    assert load({"DIBS_LOCALE": empty, "DIBS_POOL_SIZE": empty}) == Settings()


def test_text_becomes_what_it_should_be():
    found = load({"DIBS_DEADLINE": "7.5", "DIBS_POOL_SIZE": "3", "DIBS_PASSWORD": "off"})
    assert (found.deadline, found.pool_size, found.password) == (7.5, 3, "off")


def test_other_keys_are_not_ours():
    """`app.config` is full of them."""
    assert load({"SECRET_KEY": "x", "DEBUG": True}) == Settings()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("DIBS_STRATEGY", "nonsense", "give one of auto, query_then_insert, unique_constraint"),
        ("DIBS_PASSWORD", "Off", "give one of required, optional, off"),
        ("DIBS_LOCALE", "fr", "give one of en, zh, ja"),
        ("DIBS_RATE_LIMITS", "10/minute", "`10/minute` is not on, off or a group with its rates"),
        ("DIBS_RATE_LIMITS", "login=10/minuet", "`10/minuet` of login is no rate such as"),
        ("DIBS_RATE_LIMITS", "login=0/minute", "`0/minute` of login is no rate"),
        ("DIBS_RATE_LIMITS", "login=", "`` of login is no rate"),
        ("DIBS_RATE_LIMITS", "login=1/minute,2/60seconds", "two rates for the same time"),
        ("DIBS_RATE_LIMITS", "logins=1/minute", "do you mean login?"),
        ("DIBS_RATE_LIMITS", "xyz=1/minute", "there are register, login, refresh, check"),
        ("DIBS_RATE_LIMITS", "login=1/day; login=2/day", "the group login stands twice"),
        ("DIBS_NAME_RULES", "min_length=0", "`min_length=0` is none of"),
        ("DIBS_NAME_RULES", "min_length=31", "min_length is 31 and max_length 30"),
        ("DIBS_NAME_RULES", "max_length=2", "min_length is 3 and max_length 2"),
        ("DIBS_NAME_RULES", "max_length=64", "with a number up to 63"),
        ("DIBS_NAME_RULES", "numbers=yes", "`numbers=yes` is none of"),
        ("DIBS_NAME_RULES", "dns=1", "`dns=1` is none of"),
        ("DIBS_NAME_RULES", "dns=on; dns=off", "`dns` stands twice"),
        ("DIBS_NAME_RULES", "reserved=", "`reserved=` is none of"),
        ("DIBS_NAME_RULES", "reserved=acme **", "`reserved=acme **` is none of"),
        ("DIBS_NAME_RULES", "reserved=acme?", "`*` stands for any characters"),
        ("DIBS_NAME_RULES", "reserved=(a+)+$", "`*` stands for any characters"),
        ("DIBS_NAME_RULES", "min_length", "an example is `min_length=2; numbers=on`"),
        ("DIBS_SITE", "Acme", "'Acme' is none of name=, accent=, logo=, terms= and privacy="),
        ("DIBS_SITE", "name=A; name=B", "`name` stands twice"),
        ("DIBS_SITE", "name=", "name takes 1 to 60 printable characters"),
        ("DIBS_SITE", "name=" + "x" * 61, "name takes 1 to 60 printable characters"),
        ("DIBS_SITE", "name=a\r\nSet-Cookie: b", "name takes 1 to 60 printable characters"),
        ("DIBS_SITE", "name=a\u202eb", "name takes 1 to 60 printable characters"),
        ("DIBS_SITE", "accent=green", "a colour such as #0a6 or #00aa66, not 'green'"),
        ("DIBS_SITE", "accent=#0a6} body {x:y", "accent takes a colour"),
        ("DIBS_SITE", "accent=#00aa6", "accent takes a colour"),
        ("DIBS_SITE", "terms=javascript:alert(1)", "terms takes an address that begins with"),
        ("DIBS_SITE", "privacy=//evil.example", "privacy takes an address that begins with"),
        ("DIBS_SITE", "privacy=/\\evil.example", "privacy takes an address"),
        ("DIBS_SITE", "terms=https:///a", "terms takes an address"),
        ("DIBS_SITE", "terms=https://[a", "terms takes an address"),
        ("DIBS_SITE", "terms=data:text/html,x", "terms takes an address"),
        ("DIBS_SITE", "logo=/etc/passwd", "logo takes an .svg, .png or .webp file"),
        ("DIBS_SITE", "logo=/nowhere/a.svg", "'/nowhere/a.svg': No such file or directory"),
        ("DIBS_URL_PREFIX", "names", "give a path such as /names"),
        ("DIBS_URL_PREFIX", "/names/", "give a path such as /names"),
        ("DIBS_URL_PREFIX", "//host", "give a path such as /names"),
        ("DIBS_URL_PREFIX", "/..", "give a path such as /names"),
        ("DIBS_URL_PREFIX", "/a%2fb", "give a path such as /names"),
        ("DIBS_URL_PREFIX", "forwarded", "give DIBS_TRUSTED_PROXIES too"),
        ("DIBS_TRUSTED_PROXIES", "-1", "give 0 or more"),
        ("DIBS_TRUSTED_PROXIES", "yes", "give a whole number"),
        ("DIBS_DEADLINE", "soon", "give a number"),
        ("DIBS_DEADLINE", "1", "give 5 to 57 seconds"),
        ("DIBS_DEADLINE", "nan", "give 5 to 57 seconds"),
        ("DIBS_DEADLINE", "inf", "give 5 to 57 seconds"),
        ("DIBS_DEADLINE", "57.5", "give 5 to 57 seconds"),
        ("DIBS_DEADLINE", "-5", "give 5 to 57 seconds"),
        ("DIBS_POOL_SIZE", "0", "give 1 or more"),
        ("DIBS_POOL_SIZE", "1.5", "give a whole number"),
        ("DIBS_NAMESPACE", "x" * 65, "at most 64"),
        ("DIBS_NAMESPACE", "é" * 33, "at most 64"),
        ("DIBS_NAMESPACE", "a\n", "printable"),
        ("DIBS_STRATEGIE", "x", "is no setting; do you mean DIBS_STRATEGY?"),
        ("DIBS_", "x", "is no setting"),
    ],
)
def test_what_cannot_be_used_is_refused(key, value, words):
    """One sentence that names the key and says what it takes."""
    with pytest.raises(ConfigError, match=key) as caught:
        load({key: value})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.png", b"<svg></svg>"), ("a.svg", b"<html>"), ("a.svg", b"<svg>" + b" " * 262_144)],
)
def test_a_logo_that_is_none_is_refused(tmp_path, name, data):
    """By what is in it, and by its size."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError, match=r"DIBS_SITE .* picture of at most 256 KiB"):
        load({"DIBS_SITE": f"logo={tmp_path / name}"})


def test_the_default_database_is_a_file_in_the_home(tmp_path):
    assert Settings(home=str(tmp_path)).resolved_database_url == f"sqlite:///{tmp_path}/dibs.db"


@pytest.mark.parametrize("password", ["secret", "a:b", ""])
def test_a_shown_address_has_no_password(password):
    shown = Settings(database_url=f"postgresql://ada:{password}@db/x").shown_database_url
    assert shown == "postgresql://ada:***@db/x"


def test_every_setting_is_explained():
    assert all(meaning.endswith(".") for _, _, meaning in documented())
    assert len(documented()) == len(Settings.__dataclass_fields__)


def test_no_release_outlasts_its_tombstone():
    """Nor a fill that was read just before it ended."""
    assert 1000 * (LONGEST_DEADLINE + STALE_FILL_SECONDS) < TOMBSTONE_MS
