"""`POST /register`, when all is well."""

from __future__ import annotations

import logging
import sqlite3
from uuid import UUID

import pytest

from dibs.accounts import registration
from tests.backends import path_of
from tests.web.site import PASSWORD, problem


def test_the_classic(make_site, strategy):
    """Registered, then taken, then empty: in the words that every tutorial has."""
    site = make_site(strategy=strategy)
    first = site.register("test_user", Accept_Language="zh")
    assert (first.status_code, first.json["message"]) == (201, "注册成功")
    second = problem(site.register("test_user", Accept_Language="zh"), 409, "taken")
    assert second["error"] == "用户名已存在"
    assert problem(site.register("", Accept_Language="zh"), 400, "empty")["error"] == (
        "用户名不能为空"
    )


def test_the_classic_in_english_with_a_password(make_site, strategy):
    site = make_site(strategy=strategy, password="required")
    assert site.register("test_user", PASSWORD).status_code == 201
    taken = problem(site.register("test_user", PASSWORD), 409, "taken")
    assert taken["detail"] == "A user with that username already exists."


def test_a_registration_says_where_the_user_is(site):
    """The id is a UUIDv4, and Location leads to what was registered."""
    answer = site.register("Ada")
    assert answer.json.keys() == {"message", "id", "username"}
    assert UUID(answer.json["id"]).version == 7
    assert answer.headers["Location"] == f"/users/{answer.json['id']}"
    found = site.get(answer.headers["Location"])
    assert found.json == {"id": answer.json["id"], "username": "Ada"}


def test_a_success_says_its_language(site):
    """A cache must not give the Chinese answer to a Japanese reader."""
    answer = site.register("ada", Accept_Language="ja")
    assert answer.headers["Content-Language"] == "ja"
    assert "Accept-Language" in answer.headers["Vary"]


@pytest.mark.parametrize("spelling", ["ADA.LOVELACE", "ａda.lovelace", "Ada.Lovelace"])
def test_another_spelling_is_the_same_name(make_site, strategy, spelling):
    site = make_site(strategy=strategy)
    assert site.register("ada.lovelace").status_code == 201
    problem(site.register(spelling), 409, "taken")
    assert [user["username"] for user in site.users()] == ["ada.lovelace"]


def test_composed_and_decomposed_are_the_same_name(site):
    assert site.register("Zo\u00eb").status_code == 201
    problem(site.register("Zoe\u0308"), 409, "taken")


def test_names_are_readable_in_answers(site):
    """In UTF-8 as they were sent, not escaped."""
    answer = site.send('{"username": "王小明"}'.encode())
    assert answer.status_code == 201
    assert "王小明" in answer.text


def test_a_reserved_name_is_refused(site):
    """It breaks no rule of spelling: it cannot be had."""
    problem(site.register("admin"), 409, "reserved")
    assert site.users() == []


# --- passwords ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "password", "status"),
    [
        ("required", PASSWORD, 201),
        ("required", None, 422),
        ("optional", PASSWORD, 201),
        ("optional", None, 201),
        ("off", None, 201),
        ("off", PASSWORD, 422),
        ("off", "", 422),
    ],
)
def test_password_modes(make_site, mode, password, status):
    """DIBS_PASSWORD: required, optional, or not to be sent at all."""
    site = make_site(password=mode)
    assert site.register("ada", password).status_code == status
    assert len(site.users()) == (status == 201)


@pytest.mark.parametrize("mode", ["required", "optional"])
@pytest.mark.parametrize("password", ["", "x" * 7, "x" * 257, "\ud800" + "x" * 10])
def test_a_bad_password_costs_nothing(make_site, hashed, mode, password):
    """422 before it is hashed and before the database is asked anything."""
    site = make_site(password=mode)
    found = problem(site.register("ada", password), 422, "invalid")
    assert found["reasons"][0]["field"] == "password"
    assert (hashed, site.sql) == ([], [])


@pytest.mark.parametrize("length", [8, 256])
def test_the_longest_and_the_shortest_password(make_site, length):
    assert make_site(password="required").register("ada", "é" * length).status_code == 201


def test_a_taken_name_costs_no_hash(make_site, strategy, hashed):
    """Hashing takes longer than everything else together."""
    site = make_site(strategy=strategy, password="required")
    site.register("ada", PASSWORD)
    problem(site.register("ADA", PASSWORD), 409, "taken")
    assert hashed == [PASSWORD]


def test_passwords_are_stored_as_argon2id(make_site):
    """OWASP's first choice of parameters, a salt each, and never the password."""
    site = make_site(password="required", argon2_memory_kib="")
    for name in ("ada", "grace"):
        site.register(name, PASSWORD)
    path = path_of(str(site.parts.store.engine.url))
    with sqlite3.connect(path) as connection:
        hashes = [row[0] for row in connection.execute("SELECT password_hash FROM dibs_users")]
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert all(one.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for one in hashes)
    assert len(set(hashes)) == 2
    assert PASSWORD not in dump


def test_a_password_is_never_repeated(make_site, monkeypatch, caplog):
    """Neither in an answer nor in a log, not even when something breaks."""
    caplog.set_level(logging.DEBUG)
    site = make_site(password="required")
    answers = [site.register(name, PASSWORD) for name in ("ada", "ada", "a b", "")]
    answers += [site.send(b'{"username": "ada", "password": "%s"' % PASSWORD.encode())]
    monkeypatch.setattr(registration, "claim_token", None)
    answers += [site.register("grace", PASSWORD)]
    assert [answer.status_code for answer in answers] == [201, 409, 422, 400, 400, 500]
    answers += [site.get("/users"), site.get("/usernames/ada")]
    assert all(PASSWORD not in answer.text and "argon2" not in answer.text for answer in answers)
    assert PASSWORD not in caplog.text
    assert "argon2" not in caplog.text
