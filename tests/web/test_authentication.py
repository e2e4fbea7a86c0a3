"""Who asks: every way in which a request can fail to say so is a 401."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dibs.accounts.keys import Key
from tests.backends import SQLITE
from tests.service import Service
from tests.web.people import Person, newcomer
from tests.web.site import PASSWORD, Site, problem


@pytest.fixture(scope="module")
def ada() -> Iterator[Person]:
    """One for all, because a request that is refused changes nothing."""
    url = SQLITE.migrated()
    site = Site(url, password="required", argon2_memory_kib="64")
    yield newcomer(site)
    site.close()
    SQLITE.drop(url)


def refused(person: Person, header: str, code: str = "token_invalid") -> None:
    """401 with a challenge, from a route that needs a login and from one that does not."""
    for path in ("/users/me", "/users", f"/users/{person.id}", "/sessions"):
        answer = person.site.get(path, Authorization=header)
        problem(answer, 401, code)
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith('Bearer realm="dibs", error="invalid_token"')
        assert challenge.isascii()
    assert person.ask("GET", "/users/me").status_code == 200


# --- the header ----------------------------------------------------------------

HEADERS: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "a space": lambda _: " ",
    "the scheme alone": lambda _: "Bearer",
    "the scheme and a space": lambda _: "Bearer ",
    "the token alone": lambda token: token,
    "no space": lambda token: f"Bearer{token}",
    "two spaces": lambda token: f"Bearer  {token}",
    "a tab": lambda token: f"Bearer\t{token}",
    "a space at the end": lambda token: f"Bearer {token} ",
    "a space at the front": lambda token: f" Bearer {token}",
    "two tokens": lambda token: f"Bearer {token} {token}",
    "two headers": lambda token: f"Bearer {token},Bearer {token}",
    "two headers, one of them Basic": lambda token: f"Basic YTpi, Bearer {token}",
    "a parameter": lambda token: f'Bearer realm="x", {token}',
    "quotes": lambda token: f'Bearer "{token}"',
    "Basic": lambda _: "Basic YWRhOnBhc3N3b3Jk",
    "Digest": lambda _: 'Digest username="ada"',
    "an unknown scheme": lambda token: f"Token {token}",
    "the word JWT": lambda token: f"JWT {token}",
    "non-ASCII": lambda _: "Bearer t\u00f6ken",
    "non-ASCII scheme": lambda token: f"B\u00e9arer {token}",
    "not UTF-8": lambda _: "Bearer \xff\xfe",
    "100 kB": lambda _: "Bearer " + "x" * 100_000,
    "1 MB": lambda _: "Bearer " + "x" * 1_000_000,
    "a 1 MB token that begins well": lambda token: f"Bearer {token}" + "A" * 1_000_000,
    "a million dots": lambda _: "Bearer " + "." * 1_000_000,
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_bad_header(ada, name):
    refused(ada, HEADERS[name](ada.tokens["access_token"]))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_in_any_case(ada, scheme):
    """RFC 9110, 11.1."""
    header = f"{scheme} {ada.tokens['access_token']}"
    assert ada.site.get("/users/me", Authorization=header).status_code == 200


def test_no_header_is_a_challenge_without_an_error(ada):
    """RFC 6750, 3.1: who sends nothing is told nothing more."""
    answer = ada.site.get("/users/me")
    problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="dibs"'


def test_who_is_not_logged_in_is_told_so_first(ada):
    """Before the body is read: neither 415 nor 422 says what the body should be."""
    for method, path in (("PATCH", "/users/me"), ("POST", "/teams")):
        problem(ada.site.client.open(path, method=method, data=b"x"), 401, "unauthenticated")


# --- the token -----------------------------------------------------------------


def b64(data: bytes | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Forge:
    """Makes tokens of the service's own key, with something changed; and of others."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.token: str = person.tokens["access_token"]
        self.key: Key = person.site.parts.accounts.logins.access.keys.signing
        self.header = {"alg": "EdDSA", "typ": "at+jwt", "kid": self.key.kid}
        self.claims = jwt.decode(self.token, options={"verify_signature": False})

    def signed(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Properly signed by the service's key; a claim that is None is left out."""
        said = {k: v for k, v in {**self.claims, **claims}.items() if v is not None}
        content = f"{b64({**self.header, **(header or {})})}.{b64(said)}"
        assert isinstance(self.key.private, ed25519.Ed25519PrivateKey)
        return f"{content}.{b64(self.key.private.sign(content.encode()))}"

    def hmac(self, secret: bytes, **header: Any) -> str:
        content = f"{b64({**self.header, 'alg': 'HS256', **header})}.{b64(self.claims)}"
        return f"{content}.{b64(hmac.digest(secret, content.encode(), hashlib.sha256))}"

    def public(self, encoding: Encoding, form: PublicFormat) -> bytes:
        return self.key.public.public_bytes(encoding, form)

    def foreign(self, **header: Any) -> str:
        """Signed by a key of the attacker's, who names it."""
        other = ed25519.Ed25519PrivateKey.generate()
        x = b64(other.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.key.kid}
        said = {name: jwk if value is True else value for name, value in header.items()}
        content = f"{b64({**self.header, **said})}.{b64(self.claims)}"
        return f"{content}.{b64(other.sign(content.encode()))}"

    def rsa(self) -> str:
        key = rsa.generate_private_key(65537, 2048)
        return jwt.encode(self.claims, key, "RS256", headers={"typ": "at+jwt", "kid": "x"})


PEM = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
RAW = (Encoding.Raw, PublicFormat.Raw)
TOKENS: dict[str, Callable[[Forge], str]] = {
    "nothing": lambda f: "x",
    "dots": lambda f: "..",
    "four parts": lambda f: f"{f.token}.x",
    "no signature": lambda f: f.token.rpartition(".")[0],
    "an empty signature": lambda f: f.token.rpartition(".")[0] + ".",
    "truncated": lambda f: f.token[:-1],
    "cut in half": lambda f: f.token[: len(f.token) // 2],
    "another signature": lambda f: f.token[:-20] + "A" * 20,
    "alg none": lambda f: f"{b64({**f.header, 'alg': 'none'})}.{b64(f.claims)}.",
    "alg None": lambda f: f"{b64({**f.header, 'alg': 'None'})}.{b64(f.claims)}.",
    "alg none with our signature": lambda f: f.signed({"alg": "none"}),
    "no alg": lambda f: f.signed({"alg": None}),
    "alg a list": lambda f: f.signed({"alg": ["EdDSA"]}),
    "HS256 with our public key as PEM": lambda f: f.hmac(f.public(*PEM)),
    "HS256 with our public key": lambda f: f.hmac(f.public(*RAW)),
    "HS256 with nothing": lambda f: f.hmac(b""),
    "HS256 under its own kid": lambda f: f.hmac(b"", kid="hs256"),
    "RS256": Forge.rsa,
    "ES256": lambda f: f.signed({"alg": "ES256"}),
    "kid: a path": lambda f: f.signed({"kid": "../../../../dev/null"}),
    "kid: SQL": lambda f: f.signed({"kid": "x' UNION SELECT 'secret' --"}),
    "kid: a NUL": lambda f: f.signed({"kid": "\0"}),
    "kid: another": lambda f: f.signed({"kid": "0" * 16}),
    "kid: a number": lambda f: f.signed({"kid": 1}),
    "kid: a list": lambda f: f.signed({"kid": [f.key.kid]}),
    "kid: null": lambda f: f.signed({"kid": None}),
    "jku": lambda f: f.foreign(jku="https://evil.example/jwks.json"),
    "x5u": lambda f: f.foreign(x5u="https://evil.example/cert.pem"),
    "x5c": lambda f: f.foreign(x5c=["MIIB"]),
    "jwk": lambda f: f.foreign(jwk=True),
    "jku on our own": lambda f: f.signed({"jku": "https://evil.example/jwks.json"}),
    "a foreign key": Forge.foreign,
    "crit": lambda f: f.signed({"crit": ["exp"]}),
    "crit: an unknown extension": lambda f: f.signed({"crit": ["x"], "x": 1}),
    "b64=false": lambda f: f.signed({"b64": False, "crit": ["b64"]}),
    "b64=false without crit": lambda f: f.signed({"b64": False}),
    "zip": lambda f: f.signed({"zip": "DEF"}),
    "typ JWT": lambda f: f.signed({"typ": "JWT"}),
    "no typ": lambda f: f.signed({"typ": None}),
    "typ of a refresh token": lambda f: f.signed({"typ": "rt+jwt"}),
    "nbf in the future": lambda f: f.signed(nbf=int(time.time()) + 60),
    "iat in the future": lambda f: f.signed(iat=int(time.time()) + 60),
    "another aud": lambda f: f.signed(aud="other"),
    "aud a list": lambda f: f.signed(aud=["dibs", "other"]),
    "another iss": lambda f: f.signed(iss="evil"),
    "iss a list": lambda f: f.signed(iss=["dibs"]),
    "no exp": lambda f: f.signed(exp=None),
    "no iat": lambda f: f.signed(iat=None),
    "no nbf": lambda f: f.signed(nbf=None),
    "no iss": lambda f: f.signed(iss=None),
    "no aud": lambda f: f.signed(aud=None),
    "no sub": lambda f: f.signed(sub=None),
    "no sid": lambda f: f.signed(sid=None),
    "exp a string": lambda f: f.signed(exp="never"),
    "exp infinite": lambda f: f.signed(exp=float("inf")),
    "sub a number": lambda f: f.signed(sub=1),
    "sub a name": lambda f: f.signed(sub="ada"),
    "sub somebody else": lambda f: f.signed(sub="00000000-0000-4000-8000-000000000000"),
    "sid a list": lambda f: f.signed(sid=[f.claims["sid"]]),
    "sid SQL": lambda f: f.signed(sid="' OR 1=1 --"),
    "sid a NUL": lambda f: f.signed(sid="\0"),
    "sid a surrogate": lambda f: f.signed(sid="\ud800"),
    "deep claims": lambda f: f"{b64(f.header)}.{b64(b'[' * 2000)}.x",
    "claims a list": lambda f: f"{b64(f.header)}.{b64(b'[]')}.x",
    "a refresh token": lambda f: str(f.person.tokens["refresh_token"]),
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_bad_token(ada, name):
    """RFC 8725: the key says the algorithm, and the service where keys come from."""
    refused(ada, f"Bearer {TOKENS[name](Forge(ada))}")


def test_a_session_that_never_was(ada):
    forged = Forge(ada).signed(sid="00000000-0000-4000-8000-000000000000")
    refused(ada, f"Bearer {forged}", "session_ended")


def test_the_forge_forges(ada):
    """Or all of these would be refused for another reason."""
    token = Forge(ada).signed()
    assert ada.site.get("/users/me", Authorization=f"Bearer {token}").status_code == 200


def test_an_expired_token(ada):
    """Said so, because it is to be refreshed."""
    past = int(time.time()) - 60
    token = Forge(ada).signed(exp=past, iat=past - 300, nbf=past - 300)
    refused(ada, f"Bearer {token}", "token_expired")


def test_an_access_token_refreshes_nothing(ada):
    for token in (ada.tokens["access_token"], "x", "a.b.c", "x" * 60_000):
        problem(ada.ask("POST", "/refresh", {"refresh_token": token}), 401, "token_invalid")
        answer = ada.site.client.post("/refresh", json={"refresh_token": token})
        problem(answer, 401, "token_invalid")
        assert "WWW-Authenticate" in answer.headers


# --- over the wire -------------------------------------------------------------


def access_token(service: Service) -> bytes:
    """Of somebody who has registered and logged in."""
    place, body = f"http://127.0.0.1:{service.port}", {"username": "ada", "password": PASSWORD}
    httpx.post(f"{place}/register", json=body).raise_for_status()
    answer = httpx.post(f"{place}/login", json=body).raise_for_status()
    return str(answer.json()["access_token"]).encode()


def test_headers_over_http():
    """What a server makes of two headers, of bytes, and of too much."""
    with Service(password="required", workers=1, argon2_memory_kib=64) as service:
        host = b"Host: x\r\nConnection: close\r\n"
        good = b"Authorization: Bearer " + access_token(service)

        def status(*lines: bytes) -> int:
            head = b"GET /users/me HTTP/1.1\r\n" + host + b"".join(line + b"\r\n" for line in lines)
            return service.one(head + b"\r\n").status

        assert status(good) == 200
        assert status(good, good) == 401
        assert status(good, b"Authorization: Basic YTpi") == 401
        assert status(b"Authorization: Basic YTpi", good) == 401
        assert status(b"Authorization: ", good) == 401
        assert status(b"Authorization: ") == 401
        assert status(b"Authorization: Bearer x", b"Authorization: Bearer y") == 401
        assert status(b"Authorization: Bearer \xff\xfe") == 401
        assert status(b"Authorization: Bearer t\xc3\xb6ken") == 401
        assert status(b"Authorization: Bearer " + b"x" * 100_000) == 401
        assert status(b"Authorization: Bearer " + b"x" * 1_000_000) in (401, 431)


def test_two_headers_are_never_one_of_them(ada):
    """The first or the last could be an attacker's."""
    good = f"Bearer {ada.tokens['access_token']}"
    for pair in ([good, good], [good, "Basic YTpi"], ["Bearer x", good]):
        answer = ada.site.client.get("/users/me", headers=[("Authorization", one) for one in pair])
        problem(answer, 401, "token_invalid")


def test_a_failed_login_has_a_challenge_too(ada):
    """RFC 9110, 15.5.2: every 401 has one."""
    for name, password in (("ada", "wrong password"), ("nobody", PASSWORD), ("", "")):
        body = {"username": name, "password": password}
        answer = ada.site.client.post("/login", json=body)
        problem(answer, 401, "login_failed")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="dibs"'
