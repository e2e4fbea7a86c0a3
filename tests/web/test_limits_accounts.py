"""Limits on tries of passwords, counted by account."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.limiting import AWAY, HOME, Clock, ask, login, tries


def test_wrong_passwords_are_counted_by_account(with_ada):
    """From wherever they come, and by whatever spelling."""
    site = with_ada(account="3/hour")
    sources = [f"192.0.2.{number}" for number in range(5)]
    spellings = ["ada", "ADA", "\uff41da", "ada", "ada"]
    found = [tries(site, 1, *one)[0] for one in zip(spellings, sources, strict=True)]
    assert found == [401, 401, 401, 429, 429]
    assert login(site, source=AWAY).status_code == 429
    assert tries(site, 1, "bob") == [401]


def test_no_at_and_no_blank_before_it_is_another_account(with_ada):
    site = with_ada(account="2/hour")
    typed = ["ada", "@ada", "@ada ", "@ ada", "@ @ada", "@\u3000@ @ada", "@@ada"]
    assert [tries(site, 1, one)[0] for one in typed] == [401] * 2 + [429] * 5


def test_look_alikes_are_one_account(with_ada):
    """Or each of them would give as many tries again; so are spellings that one may sign in by."""
    site = with_ada(account="2/hour")
    assert tries(site, 1, "modern") + tries(site, 2, "modem") == [401, 401, 429]
    assert tries(site, 1, "Γιώργος") + tries(site, 2, "ΓΙΩΡΓΟΣ") == [401, 401, 429]


def test_an_unknown_name_is_counted_like_a_known_one(with_ada):
    """Nobody learns from a limit who is here."""
    site = with_ada(account="2/hour", account_source="3/hour")
    known, unknown = (
        [login(site, name, "wrong one") for _ in range(3)] for name in ("ada", "nobody")
    )
    for one, other in zip(known, unknown, strict=True):
        assert (one.status_code, one.data) == (other.status_code, other.data)
        names = ("RateLimit", "RateLimit-Policy", "Retry-After")
        assert [one.headers.get(name) for name in names] == [
            other.headers.get(name) for name in names
        ]


def test_only_failures_count_for_an_account(with_ada):
    """Not logins that succeed, and not requests that are refused for another reason."""
    site = with_ada(account="2/hour", account_source="2/hour")
    assert {login(site).status_code for _ in range(5)} == {200}
    for _ in range(3):
        assert ask(site, "POST", "/login", json={"username": "ada"}).status_code == 422
        assert ask(site, "POST", "/login", data=b"{").status_code == 415
    assert tries(site, 1) == [401]
    assert login(site).status_code == 200


def test_a_good_login_clears_its_own_source_s_failures_on_that_account(with_ada):
    """As NIST has it, and those from everywhere else stay."""
    site = with_ada(account="3/hour", account_source="2/hour")
    assert tries(site, 1) == [401]
    assert login(site).status_code == 200
    assert tries(site, 1) == [401]
    # Two of three are spent.
    assert tries(site, 2, source=AWAY) == [401, 429]


def test_a_good_login_does_not_clear_the_source_s_count(with_ada):
    """Or whoever has one account could try all others as often as she likes."""
    site = with_ada(login="4/hour")
    assert tries(site, 2, "bob") == [401, 401]
    assert login(site).status_code == 200
    assert tries(site, 2, "bob") == [401, 429]


def test_one_source_is_stopped_before_the_account_is(with_ada):
    """And the owner comes in from elsewhere."""
    site = with_ada(account="9/hour", account_source="2/hour")
    assert tries(site, 8, source=AWAY) == [401] * 2 + [429] * 6
    assert login(site).status_code == 200
    # What was refused was no try, and has not been counted as one.
    assert tries(site, 3, source="203.0.113.1") == [401, 401, 429]


def test_an_owner_is_not_kept_out_of_where_she_came_from(with_ada):
    """By who tries from everywhere; from a source that is new to the account, for the window."""
    site = with_ada(account="3/hour", account_source="2/hour")
    clock = Clock(site)
    assert login(site, source=HOME).status_code == 200
    attack = [tries(site, 1, source=f"203.0.113.{number}")[0] for number in range(6)]
    assert attack == [401] * 3 + [429] * 3
    assert login(site, source=HOME).status_code == 200
    assert login(site, source=AWAY).status_code == 429
    # Who shares her source has only as many tries as any source.
    assert tries(site, 3, source=HOME) == [401, 401, 429]
    clock.now += 3600
    assert login(site, source=AWAY).status_code == 200


def test_a_session_outlives_an_attack_on_its_account(with_ada):
    """Refreshing is not logging in."""
    site = with_ada(account="1/hour")
    tokens = login(site).get_json()
    assert tries(site, 2, source=AWAY) == [401, 429]
    headers = {"Authorization": f"Bearer {tokens['refresh_token']}"}
    assert ask(site, "POST", "/refresh", headers=headers).status_code == 200


def test_many_tries_at_once_are_no_more_than_the_limit(with_ada, monkeypatch):
    """A try is counted before its password is looked at."""
    site = with_ada(account="1/hour")
    inner: list[int] = []

    def check_password(*args: Any, **kwargs: Any) -> Any:
        inner.extend(tries(site, 1, source=AWAY))
        raise RuntimeError

    monkeypatch.setattr(type(site.parts.accounts.logins), "login", check_password)
    assert tries(site, 1) == [500]
    assert inner == [429]


def test_a_change_of_password_is_a_try_too(with_ada):
    """Who has stolen an access token may not guess the password with it."""
    site = with_ada(account="2/hour")
    token = login(site).get_json()["access_token"]
    body = {"current_password": "wrong one", "password": "another long password"}
    found = [
        ask(
            site, "PATCH", "/users/me", json=body, headers={"Authorization": f"Bearer {token}"}
        ).status_code
        for _ in range(3)
    ]
    assert found == [403, 403, 429]
    anonymous = [ask(site, "PATCH", "/users/me", json=body).status_code for _ in range(3)]
    assert anonymous == [401] * 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"username": 1}',
        b'{"username": "\\ud800"}',
        b"\xff",
        b"[" * 9999,
    ],
)
def test_a_body_that_names_nobody(with_ada, body):
    """Is refused by who reads it, not by a limit, and never a 500."""
    site = with_ada(account="1/hour", account_source="1/hour")
    found = [
        ask(site, "POST", "/login", data=body, content_type="application/json").status_code
        for _ in range(3)
    ]
    assert set(found) <= {400, 422}
    assert ask(site, "POST", "/login", data=b"x" * 70_000).status_code == 413


def test_nobody_s_name_is_logged(with_ada, caplog):
    """It may be a password, typed into the wrong field."""
    caplog.set_level("DEBUG")
    site = with_ada(account="1/hour", login="3/hour")
    assert tries(site, 4, "hunter2hunter2") == [401, 429, 429, 429]
    assert "hunter2" not in caplog.text
    # Where it came from stands in the lines that are for that, and nowhere else.
    told = {one.name for one in caplog.records if HOME in one.getMessage()}
    assert told == {"dibs.request", "dibs.security"}
