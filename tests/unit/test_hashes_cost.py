"""Every check costs one hash of today's, counted in memory written instead of time.

How long they take on a clock is in benchmarks/test_login_times.py.
"""

from __future__ import annotations

import unicodedata

import pytest

from dibs.accounts.passwords.algorithms import Argon2
from dibs.accounts.passwords.hashing import Verifier, make

TODAY = Argon2(memory_kib=1000, passes=2)
WHOLE = 2000.0  # KiB times passes
PASSWORD = "correct horse"
DECOMPOSED = unicodedata.normalize("NFD", "café noir")


class Meter:
    """A clock that only argon2 makes go: one second for each KiB of each pass."""

    def __init__(self, speed: float = 1.0) -> None:
        self.now, self.speed = 0.0, speed

    def read(self) -> float:
        return self.now

    def raw(self, cost: Argon2, *args: object, length: int = 32, **kwargs: object) -> bytes:
        # A dummy may be dearer or cheaper for each KiB than it was thought to be.
        self.now += cost.memory_kib * cost.passes * (1 if cost == TODAY else self.speed)
        return b"\0" * length


def hashed(cost: Argon2) -> str:
    return make(PASSWORD, cost)


STORED = {
    "unknown user": None,
    "wrong password": hashed(TODAY),
    "malformed": "x",
    "too dear": hashed(TODAY).replace("m=1000", "m=4194304"),
    "half as dear": hashed(Argon2(memory_kib=500, passes=2)),
    "one pass": hashed(Argon2(memory_kib=1000, passes=1)),
    "hardly cheaper": hashed(Argon2(memory_kib=950, passes=2)),
    "cheap": hashed(Argon2(memory_kib=8, passes=1)),
    "argon2i as today": hashed(TODAY).replace("argon2id", "argon2i"),
}


@pytest.fixture(params=[1.0, 0.7, 1.02], ids=["even", "cheaper dummies", "dearer dummies"])
def meter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Meter:
    meter = Meter(request.param)
    monkeypatch.setattr(Argon2, "raw", lambda *args, **kwargs: meter.raw(*args, **kwargs))
    return meter


@pytest.fixture
def verifier(meter: Meter) -> Verifier:
    verifier = Verifier(TODAY)
    verifier._clock = meter.read
    for _ in range(3):
        verifier.warm_up()
    return verifier


def cost(meter: Meter, verifier: Verifier, password: str, stored: str | None) -> float:
    began = meter.now
    assert not verifier.check(password, stored, disabled=True).ok
    return meter.now - began


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED.keys())
def test_each_costs_one_hash(meter, verifier, stored):
    assert cost(meter, verifier, PASSWORD, stored) == pytest.approx(WHOLE, rel=0.03)


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED.keys())
def test_two_spellings_cost_two_whoever_it_is(meter, verifier, stored):
    assert cost(meter, verifier, DECOMPOSED, stored) == pytest.approx(2 * WHOLE, rel=0.03)


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED.keys())
def test_nobodys_password_costs_one(meter, verifier, stored):
    assert cost(meter, verifier, "\ud800", stored) == pytest.approx(WHOLE, rel=0.03)


def test_a_dearer_one_costs_what_it_costs(meter, verifier):
    stored = hashed(Argon2(memory_kib=3000, passes=2))
    assert cost(meter, verifier, PASSWORD, stored) == 6000 * meter.speed


def test_without_warming_up(meter):
    """The first cheap one costs one hash more, by which the others are measured."""
    verifier = Verifier(TODAY)
    verifier._clock = meter.read
    cost(meter, verifier, PASSWORD, STORED["cheap"])
    assert cost(meter, verifier, PASSWORD, STORED["cheap"]) == pytest.approx(WHOLE, rel=0.03)
    assert cost(meter, verifier, PASSWORD, None) == WHOLE
