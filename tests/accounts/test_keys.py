"""The file of signing keys: made once, rotated, and refused when it is not as it should be."""

from __future__ import annotations

import base64
import json
import os
import time
from functools import partial
from pathlib import Path
from stat import S_IMODE
from typing import get_args

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from dibs.accounts.keys import KEEP_SECONDS, Key, KeyAlgorithm, KeyRing
from dibs.accounts.tokens import AccessTokens
from dibs.config.secrets import refuse_weak_secret
from dibs.errors import ConfigError, InvalidToken
from tests.race.harness import at_once, in_processes

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "keys.json"


@pytest.fixture
def ring(path: Path) -> KeyRing:
    return KeyRing(path)


def tokens_of(ring: KeyRing) -> AccessTokens:
    return AccessTokens(ring, secret="", issuer="dibs", audience="dibs", seconds=300)


def edit(path: Path, **changes: object) -> None:
    """Changes the newest key in the file; `...` takes a member away."""
    held = json.loads(path.read_text())
    key = {**held["keys"][-1], **changes}
    held["keys"][-1] = {name: value for name, value in key.items() if value is not ...}
    path.write_text(json.dumps(held))


def test_rfc_8037() -> None:
    """The key of its appendix A, as RFC 8037 writes it and as we do."""
    d, x = (
        "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    )
    private = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(d + "=="))
    jwk = Key("a kid", private, 0).private_jwk()
    assert (jwk["kty"], jwk["crv"], jwk["d"], jwk["x"]) == ("OKP", "Ed25519", d, x)
    # Appendix A.4: what is signed there.
    text = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = base64.urlsafe_b64encode(private.sign(text)).decode().rstrip("=")
    assert signature == (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )


@pytest.mark.parametrize("algorithm", get_args(KeyAlgorithm))
def test_a_rotation_keeps_the_algorithm_or_changes_it(
    ring: KeyRing, path: Path, algorithm: KeyAlgorithm
) -> None:
    """And whoever reads the JWK Set verifies by it alone, as the old key does by its own."""
    old = tokens_of(ring).signer()(ADA, SESSION)
    new = ring.rotate(algorithm)
    assert KeyRing(path).rotate().algorithm == algorithm
    shared = tokens_of(KeyRing(path))
    token = tokens_of(KeyRing(path)).signer()(ADA, SESSION)
    jwks = {one["kid"]: one for one in shared.public_keys()["keys"]}
    assert len(jwks) == 3
    assert [one["alg"] for one in jwks.values()] == ["EdDSA", algorithm, algorithm]
    for one in (old, token):
        header = jwt.get_unverified_header(one)
        jwk = jwks[header["kid"]]
        # PyJWT knows the name of RFC 9864 only where it was registered.
        key = jwt.PyJWK(jwk, "EdDSA" if jwk["crv"] == "Ed25519" else None).key
        assert jwt.decode(one, key, [jwk["alg"]], audience="dibs")["sub"] == ADA
        assert shared.read(one).user_id == ADA
    if algorithm == "Ed25519":  # once verifiers know it, it can be the default
        with pytest.raises(jwt.PyJWKError):
            jwt.PyJWK(new.public_jwk())
    if algorithm == "ES256":
        members = ["kty", "crv", "use", "alg", "kid", "x", "y"]
        assert list(new.public_jwk()) == members
        assert list(new.private_jwk()) == [*members, "d", "created_at", "retired_at"]


P256 = ECAlgorithm.to_jwk(generate_private_key(SECP256R1()), as_dict=True)
P384 = ECAlgorithm.to_jwk(generate_private_key(SECP384R1()), as_dict=True)
SPOILT_ES256: dict[str, dict[str, object]] = {
    "no d": {"d": ...},
    "no y": {"y": ...},
    "x and y of another key": {"x": P256["x"], "y": P256["y"]},
    "no point of the curve": {"x": P256["x"]},
    "another curve": {"crv": "P-384"},
    "a whole key of another curve": P384,
    "by the name of another": {"alg": "EdDSA"},
    "by one that is not offered": {"alg": "ES384"},
    "by a list": {"alg": ["ES256"]},
    "by nothing": {"alg": ...},
    "by null": {"alg": None},
}


@pytest.mark.parametrize("spoilt", SPOILT_ES256)
def test_a_spoilt_key_of_es256(ring: KeyRing, path: Path, spoilt: str) -> None:
    ring.rotate("ES256")
    edit(path, **SPOILT_ES256[spoilt])
    with pytest.raises(ConfigError, match="holds no keys that"):
        KeyRing(path).all()


def test_nothing_private_is_public(ring: KeyRing) -> None:
    """And its members stand in the order in which they were always served."""
    assert list(ring.signing.public_jwk()) == ["kty", "crv", "use", "alg", "kid", "x"]
    assert ring.signing.public_jwk().items() <= ring.signing.private_jwk().items()
    assert "private" not in repr(ring.signing).replace("private=<", "")


def test_it_is_made_once(ring: KeyRing, path: Path) -> None:
    """For nobody else to read, whatever the umask; no piece of it is left beside it."""
    old = os.umask(0)
    try:
        assert ring.all() == []
        assert ring.create()
    finally:
        os.umask(old)
    assert not ring.create()
    assert S_IMODE(path.stat().st_mode) == 0o600
    assert S_IMODE(path.parent.stat().st_mode) == 0o700
    ring.rotate()
    assert S_IMODE(path.stat().st_mode) == 0o600
    assert {file.name for file in path.parent.iterdir()} == {"keys.json", "keys.json.lock"}


def test_rotation(ring: KeyRing, path: Path) -> None:
    """Old tokens go on, new ones have the new key, and another process sees it at once."""
    elsewhere = tokens_of(KeyRing(path))
    old = tokens_of(ring).signer()(ADA, SESSION)
    assert elsewhere.read(old).user_id == ADA
    before = ring.signing
    new = KeyRing(path).rotate()
    for token in (tokens_of(KeyRing(path)).signer()(ADA, SESSION), old):
        assert elsewhere.read(token).user_id == ADA
    assert [key.kid for key in KeyRing(path).all()] == [before.kid, new.kid]
    assert before.kid != new.kid


def test_every_process_signs_with_a_new_key_within_two_seconds(ring: KeyRing, path: Path) -> None:
    ring.create()
    assert ring.all()
    began = time.monotonic()
    new = KeyRing(path).rotate()
    while ring.signing.kid != new.kid:
        assert time.monotonic() - began < 2
        time.sleep(0.02)


def test_a_retired_key_is_dropped_after_a_day(ring: KeyRing, path: Path) -> None:
    """It verifies no more and is shown no more, and the next rotation removes it."""
    old = tokens_of(ring).signer()(ADA, SESSION)
    first = ring.signing.kid
    second = ring.rotate().kid
    held = json.loads(path.read_text())
    held["keys"][0]["retired_at"] = int(time.time()) - KEEP_SECONDS
    path.write_text(json.dumps(held))
    later = KeyRing(path)
    with pytest.raises(InvalidToken):
        tokens_of(later).read(old)
    assert [key.kid for key in later.all()] == [second]
    assert first in path.read_text()
    later.rotate()
    assert first not in path.read_text()


def test_an_unknown_kid_costs_one_look(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one reading of the file for each token that somebody makes up."""
    ring.create()
    assert ring.all()
    monkeypatch.setattr(ring, "_read", lambda: pytest.fail("the file has not changed"))
    assert ring.get("nobody") is None


@pytest.mark.race
def test_many_make_it_at_once(path: Path) -> None:
    """And all have the same key."""
    in_processes(partial(create, path), 6)
    signing = at_once([lambda: KeyRing(path).signing.kid] * 8)
    assert len(set(signing)) == len(KeyRing(path).all()) == 1


@pytest.mark.race
def test_many_rotate_at_once(path: Path) -> None:
    """No rotation is lost, and one key signs."""
    KeyRing(path).create()
    in_processes(partial(rotate, path), 4)
    at_once([partial(rotate, path)] * 4)
    found = KeyRing(path).all()
    assert len(found) == 9
    assert [key.retired_at is None for key in found] == [False] * 8 + [True]


def create(path: Path) -> None:
    KeyRing(path).create()


def rotate(path: Path) -> None:
    KeyRing(path).rotate()


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o666, 0o620])
def test_a_file_that_others_can_read_is_refused(ring: KeyRing, path: Path, mode: int) -> None:
    """Also one that was all right a moment ago, and all right again once it is mended."""
    ring.create()
    assert ring.all()
    path.chmod(mode)
    ring._looked_at = 0.0
    with pytest.raises(ConfigError, match="chmod 600"):
        ring.all()
    with pytest.raises(ConfigError, match="chmod 600"):
        KeyRing(path).rotate()
    path.chmod(0o600)
    assert ring.all()


@pytest.mark.parametrize(("mode", "is_fit"), [(0o440, True), (0o460, False), (0o444, False)])
def test_a_secret_that_kubernetes_mounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, is_fit: bool
) -> None:
    """Root's, read by the group (fsGroup), behind links of which one is swapped for new keys."""
    ours = os.geteuid()
    kids = []
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        there = KeyRing(tmp_path / version / "keys.json")
        there.create()
        kids.append([key.kid for key in there.all()])
        there.path.chmod(mode)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "keys.json").symlink_to("..data/keys.json")
    ring = KeyRing(tmp_path / "keys.json")
    with pytest.raises(ConfigError, match="chmod 600"):
        ring.all()  # of this user's own that would be a slip
    monkeypatch.setattr(os, "geteuid", lambda: ours + 1)
    if not is_fit:
        with pytest.raises(ConfigError, match="chmod 600"):
            ring.all()
        return
    assert [key.kid for key in ring.all()] == kids[0]
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    ring._looked_at = 0.0
    assert [key.kid for key in ring.all()] == kids[1]


SPOILT: dict[str, object] = {
    "no d": {"d": ...},
    "d a number": {"d": 1},
    "d short": {"d": "AAAA"},
    "d no base64": {"d": "A"},
    "no x": {"x": ...},
    "x of another key": {"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    "a whole key of another curve": OKPAlgorithm.to_jwk(Ed448PrivateKey.generate(), as_dict=True),
    "no kid": {"kid": ...},
    "kid a number": {"kid": 1},
    "another kind": {"kty": "EC"},
    "by the name of another": {"alg": "ES256"},
    "by one that is not offered": {"alg": "Ed448"},
    "another curve": {"crv": "X25519"},
    "no time": {"created_at": ...},
    "a time that is text": {"created_at": "yesterday"},
    "a time without end": {"created_at": float("inf")},
    "retired at a text": {"retired_at": "yesterday"},
    "empty": "",
    "no JSON": "{",
    "a list": "[]",
    "null": "null",
    "no keys": "{}",
    "keys null": '{"keys": null}',
    "keys an object": '{"keys": {"a": 1}}',
    "keys of text": '{"keys": ["a"]}',
    "keys empty": '{"keys": []}',
    "no text": b"\xff\xfe",
    "deep": "[" * 100_000,
    "long numbers": '{"keys": [' + "1" * 10_000 + "]}",
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_spoilt_file_is_refused_in_words(ring: KeyRing, path: Path, spoilt: str) -> None:
    """Of which none is a piece of the file."""
    ring.create()
    change = SPOILT[spoilt]
    d = json.loads(path.read_text())["keys"][0]["d"]
    if isinstance(change, dict):
        edit(path, **change)
    else:
        path.write_bytes(change if isinstance(change, bytes) else str(change).encode())
    for job in (ring.all, ring.rotate, lambda: ring.signing, lambda: ring.get("x")):
        with pytest.raises(ConfigError, match=str(path)) as refusal:
            job()
        assert d not in str(refusal.value)
        assert refusal.value.__cause__ is None


def test_a_file_that_vanishes_is_an_error_and_not_made_anew(ring: KeyRing, path: Path) -> None:
    """Until it is back: new keys would end every token."""
    kid = ring.signing.kid
    path.rename(path.with_suffix(".away"))
    ring._looked_at = 0.0
    for job in (ring.all, lambda: ring.signing, lambda: ring.get(kid)):
        with pytest.raises(ConfigError, match="cannot be read: No such file"):
            job()
    path.with_suffix(".away").rename(path)
    assert ring.signing.kid == kid


def test_a_folder_instead_of_a_file(ring: KeyRing, path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        _ = ring.signing


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "keys.json", Path("/proc/nowhere/keys.json")):
        with pytest.raises(ConfigError, match="cannot be written"):
            KeyRing(place).create()


def test_a_full_disk_leaves_the_old_file(
    ring: KeyRing, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kid = ring.signing.kid

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space"):
        ring.rotate()
    assert KeyRing(path).signing.kid == kid
    assert {file.name for file in path.parent.iterdir()} == {"keys.json", "keys.json.lock"}


@pytest.mark.skipif(not AS_ROOT, reason="only root can give files away")
def test_root_may_rotate_the_keys_of_a_service(ring: KeyRing, path: Path) -> None:
    """Which goes on being able to read them."""
    ring.create()
    os.chown(path, 1234, 1234)
    ring.rotate()
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1234)


ADA, SESSION = "8f14e45f-ceea-467f-a575-6e1f0d2a4b3c", "5ba6d085-3b16-49d3-9755-f472b331e845"
STRONG = (
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "kYp3s6v9yBEHMbQeThWmZq4t7wzCFJNR",
    "dEv0QmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
)
WEAK = (
    "hunter2",
    "a" * 64,
    "abcabcabcabcabcabcabcabcabcabcabcabc",
    "kYp3s6v9yBEHMbQekYp3s6v9yBEHMbQe",
    "0123456789abcdef0123456789abcdef",
    "change-me-please-0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "my-super-SECRET-key-that-nobody-will-ever-guess",
    "a-string-secret-at-least-256-bits-long",
    "dev-0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "django-insecure-x1y2z3q9w8e7r6t5u4i3o2p1",
    "keyboard cat keyboard cat keyboard cat",
    "zyxwvutsrqponmlkjihgfedcba9876543210",
    "GENERATE_A_RANDOM_STRING_AND_PUT_HERE",
    "00112233445566778899aabbccddeeff",
    "correct horse battery staple correct",
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    "09D25E094FAA6CA2556C818166B7A9563B93F7099F6F0F4CAA6CF63B88E8D3E7",
)


@pytest.mark.parametrize("secret", STRONG)
def test_a_random_secret_is_accepted(secret: str) -> None:
    refuse_weak_secret("DIBS_SECRET_KEY", secret)


@pytest.mark.parametrize("secret", WEAK)
def test_a_weak_secret_is_refused_without_being_told(secret: str) -> None:
    with pytest.raises(ConfigError, match="DIBS_SECRET_KEY is short or an example") as refusal:
        refuse_weak_secret("DIBS_SECRET_KEY", secret)
    assert secret not in str(refusal.value)
