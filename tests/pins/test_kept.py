"""Tokens, keys and rows that were made before still hold: none of them is made here.

They are bytes of the day they were recorded, shown to the service through its own routes. A
change that fails here signs everybody out, or answers a retry as a new request.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.pins.conftest import Make

SECRET = "5e0d7f1c94ab3628d1f7a3c60be9248d"
TOKEN_SECRET = "c3a1f0b27d9e4c58a6b41e0f97d2835c"
USER, SESSION = "5b1c9a52-6b5c-4b2b-9d5b-7f3d3f0f1a10", "0b8e7c1e-6c53-4a2f-8f1e-1f4cbb7c7b11"
PASSWORD = "correct horse battery"
PASSWORD_HASH = (
    "$argon2id$v=19$m=8,t=2,p=1$8IaoSic4PvN3pWfAxKVdzw$nLqlVf2UpvoovGP7cK5OB3fLyd1nluLR4XDAoPyh4ZI"
)
ACCESS_HS256 = (
    "eyJhbGciOiJIUzI1NiIsImtpZCI6ImhzMjU2IiwidHlwIjoiYXQrand0In0.eyJpc3MiOiJkaWJzIiwi"
    "YXVkIjoiZGlicyIsInN1YiI6IjViMWM5YTUyLTZiNWMtNGIyYi05ZDViLTdmM2QzZjBmMWExMCIsInNp"
    "ZCI6IjBiOGU3YzFlLTZjNTMtNGEyZi04ZjFlLTFmNGNiYjdjN2IxMSIsImlhdCI6MTc2NzIyNTYwMCwi"
    "bmJmIjoxNzY3MjI1NjAwLCJleHAiOjMyNTAzNjgwMDAwLCJqdGkiOiIwMDExMjIzMzQ0NTU2Njc3In0."
    "EdME8mvd9B70YFokJEoa0nmVJKeyRXft7tol5x1STDA"
)
ACCESS_ED25519 = (
    "eyJhbGciOiJFZERTQSIsImtpZCI6IjAwMTEyMjMzYWFiYmNjZGQiLCJ0eXAiOiJhdCtqd3QifQ.eyJpc"
    "3MiOiJkaWJzIiwiYXVkIjoiZGlicyIsInN1YiI6IjViMWM5YTUyLTZiNWMtNGIyYi05ZDViLTdmM2QzZ"
    "jBmMWExMCIsInNpZCI6IjBiOGU3YzFlLTZjNTMtNGEyZi04ZjFlLTFmNGNiYjdjN2IxMSIsImlhdCI6M"
    "Tc2NzIyNTYwMCwibmJmIjoxNzY3MjI1NjAwLCJleHAiOjMyNTAzNjgwMDAwLCJqdGkiOiIwMDExMjIzM"
    "zQ0NTU2Njc3In0.cw5b4K4uKUu2goBiUPRSWtFxdJASRgmqG9xvO4KQmJ7ivxabm8I9kcIDU85bGJFin"
    "VnUMLxGpTFWTZ8ygqx8Bg"
)
# No secret of anybody: its private part counts from 0 to 31.
KEYS = {
    "keys": [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": "00112233aabbccdd",
            "x": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg",
            "d": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "created_at": 1767225600,
            "retired_at": None,
        }
    ]
}
ACCESS_ES256 = (
    "eyJhbGciOiJFUzI1NiIsImtpZCI6IjQ0NTU2Njc3YWFiYmNjZGQiLCJ0eXAiOiJhdCtqd3QifQ.eyJpc"
    "3MiOiJkaWJzIiwiYXVkIjoiZGlicyIsInN1YiI6IjViMWM5YTUyLTZiNWMtNGIyYi05ZDViLTdmM2QzZ"
    "jBmMWExMCIsInNpZCI6IjBiOGU3YzFlLTZjNTMtNGEyZi04ZjFlLTFmNGNiYjdjN2IxMSIsImlhdCI6M"
    "Tc2NzIyNTYwMCwibmJmIjoxNzY3MjI1NjAwLCJleHAiOjMyNTAzNjgwMDAwLCJqdGkiOiIwMDExMjIzM"
    "zQ0NTU2Njc3In0.yaEzcu0j-ayKdZVA0MNXJUeQ1L7u-FU--YemBXORZRqlbVEQcsLCLMbGoenJ7nOpQ"
    "9HQg8p2RnS6LlwYsak-jg"
)
KEYS_ES256 = {
    "keys": [
        {
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": "44556677aabbccdd",
            "x": "elkxgIYMQDfIPBJ0mEXI7hQk3Sl_rcuJXjWCVdLH0rI",
            "y": "qMolWA8mJv5XkGL_G5n_kcJKDaBvsytb4gFIySSfVlA",
            "d": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "created_at": 1767225600,
            "retired_at": None,
        }
    ]
}
REFRESH = (
    "0b8e7c1e-6c53-4a2f-8f1e-1f4cbb7c7b11.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    ".NLP-gmuygtlbRivMgsBLqW"
)
REFRESH_HASH = "181e75a639940a2a7b3714deb88cd0f690b3cef06e245c813ce81d0ef6528e11"
FOLLOWING = (
    "0b8e7c1e-6c53-4a2f-8f1e-1f4cbb7c7b11.m8HiXmLCAKc_wRIA-hE0Z8wus86U0DkovyGZT_2Loc0"
    ".TPaSTklKrWkX6b4uAU9uFX"
)
FOLLOWING_HASH = "361a2c83febdcf2474d65a5ffd64a9b75c68ed8600bab3391a08ed519b1adab5"
CSRF = "AAECAwQFBgcICQoL.8ac1f1f8e48eb260e22995e75398a24ffb2ef10a2c0f83abdd76bd07bed44a90"
HOLD = "Ym9i.ca83ef8e8a50037ff06766dae5f69bb56bf332db292483f83c3f4265cf224f90"
FAR = 32_503_680_000_000
"""In the year 3000, in milliseconds since 1970."""

KEY = {"Idempotency-Key": "recorded-before-0001", "Content-Type": "application/json"}
BY_TOKEN = {"Authorization": f"Bearer {ACCESS_HS256}"}


@pytest.fixture(params=["DIBS_SECRET_KEY", "dibs_meta"])
def service(
    request: pytest.FixtureRequest,
    serve: Make,
    database: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> Flask:
    """With a user and her session from before; its secret is set, or the one in the database."""
    # The recorded token is good until the year 3000, and none that dibs signs for more than a day.
    monkeypatch.setattr("dibs.accounts.tokens.KEEP_SECONDS", 10**12)
    users = "INSERT INTO dibs_users (id, password_hash, created_at) VALUES (?, ?, 0)"
    database.execute(users, [USER, PASSWORD_HASH])
    database.execute(
        "INSERT INTO dibs_names (namespace, name_key, canonical, display, rules_version, state,"
        " owner_kind, owner, version, created_at, updated_at)"
        " VALUES ('default', 'ada', 'ada', 'Ada', 1, 'owned', 'user', ?, 1, 0, 0)",
        [USER],
    )
    database.execute(
        "INSERT INTO dibs_sessions (id, user_id, token_hash, repeats, device, created_at, used_at,"
        " expires_at) VALUES (?, ?, ?, 0, 'a device', 0, 0, ?)",
        [SESSION, USER, REFRESH_HASH, FAR],
    )
    given = {"password": "optional", "token_secret": TOKEN_SECRET}
    if request.param == "dibs_meta":
        database.execute("UPDATE dibs_meta SET secret = ?", [SECRET])
        return serve(**given)
    return serve(**given, secret_key=SECRET)


@pytest.fixture
def client(service: Flask) -> FlaskClient:
    return service.test_client(use_cookies=False)


def row(database: sqlite3.Connection, sql: str) -> tuple[Any, ...]:
    (found,) = database.execute(sql).fetchall()
    return tuple(found)


def test_an_access_token_of_hs256(client: FlaskClient) -> None:
    assert client.get("/users/me", headers=BY_TOKEN).get_json()["username"] == "Ada"


@pytest.mark.parametrize(
    ("token", "kept"), [(ACCESS_ED25519, KEYS), (ACCESS_ES256, KEYS_ES256)], ids=["EdDSA", "ES256"]
)
def test_an_access_token_of_a_key(
    serve: Make, service: Flask, tmp_path: Path, token: str, kept: dict[str, Any]
) -> None:
    """And the file with the key that verifies it."""
    keys = tmp_path / "keys.json"
    keys.touch(mode=0o600)
    keys.write_text(json.dumps(kept), encoding="utf-8")
    client = serve(password="optional").test_client()
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/users/me", headers=headers).get_json()["username"] == "Ada"
    (public,) = client.get("/.well-known/jwks.json").get_json()["keys"]
    assert public.items() <= kept["keys"][0].items()


def test_a_refresh_token(client: FlaskClient, database: sqlite3.Connection) -> None:
    """It is known by its hash, and the one that follows is always the same."""
    answer = client.post("/refresh", json={"refresh_token": REFRESH})
    assert answer.get_json()["refresh_token"] == FOLLOWING
    hashes = row(database, "SELECT token_hash, previous_hash FROM dibs_sessions")
    assert hashes == (FOLLOWING_HASH, REFRESH_HASH)


@pytest.mark.parametrize(("token", "status"), [(CSRF, 200), (CSRF[:-1], 403)], ids=["whole", "cut"])
def test_a_csrf_token(client: FlaskClient, token: str, status: int) -> None:
    """With the cookies by their names; another mac is refused."""
    headers = {"Cookie": f"dibs_access={ACCESS_HS256}", "X-CSRF-Token": token}
    assert client.post("/logout", headers=headers).status_code == status


def test_a_password(client: FlaskClient) -> None:
    """As it was hashed with other costs than those of today."""
    answer = client.post("/login", json={"username": "ADA", "password": PASSWORD})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "headers", "claim", "request_id", "fingerprint"),
    [
        (
            "/register",
            b'{"username": "Bob"}',
            {},
            "6PgEfgd-o_e49sEH",
            "38f24486e8c0547633516710d2a80c79536487f50b44e33bc2fde1097360e160",
            "e443d01b86f68be740ff75b70b80df1e6c4c52026bfff9ae51ec8d9edb851041",
        ),
        (
            "/holds",
            b'{"username": "Bob"}',
            {},
            "ypdEGrUzxeuz1zn7",
            "6a8ba28b12b03962c6a63902949a4494910287160b1f80b01e6320aa9ce9d440",
            "e443d01b86f68be740ff75b70b80df1e6c4c52026bfff9ae51ec8d9edb851041",
        ),
        (
            "/teams",
            b'{"name": "Bob"}',
            BY_TOKEN,
            "w0vuAw2sPbdxfk7j",
            "b2517e3ee3b54c31054175e366e4b485dfbf707d35f6a9014bf1b9b5a7abf8c0",
            "8db0ab97eeef6d72675a3ad2e688d882a1ddb7896e00ac37d1269ff644e17f9d",
        ),
    ],
    ids=["register", "hold", "team"],
)
def test_a_request_with_an_idempotency_key(
    client: FlaskClient,
    database: sqlite3.Connection,
    path: str,
    body: bytes,
    headers: dict[str, str],
    claim: str,
    request_id: str,
    fingerprint: str,
) -> None:
    """What is stored of it and of its claim: by these it is known when it comes again."""
    assert client.post(path, data=body, headers=KEY | headers).status_code == 201
    claims = "SELECT claim_token FROM dibs_names WHERE name_key = 'bob'"
    assert row(database, claims) == (claim,)
    requests = "SELECT id, fingerprint FROM dibs_requests"
    assert row(database, requests) == (request_id, fingerprint)


def test_a_hold_token(client: FlaskClient) -> None:
    """The same request has the same token, and with it the name is registered."""
    body = b'{"username": "Bob"}'
    assert client.post("/holds", data=body, headers=KEY).get_json()["hold_token"] == HOLD
    answer = client.post("/register", json={"username": "Bob", "hold_token": HOLD})
    assert answer.status_code == 201
