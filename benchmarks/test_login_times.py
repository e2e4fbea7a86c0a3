"""How long a login's check of the password takes, for users that should not be told apart.

All kinds take turns, so that whatever else the machine does falls on all alike.
Reported, not asserted: the median of each kind, beside that of a wrong password.
"""

import hashlib
import random
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import pytest
from argon2 import Type
from argon2.low_level import hash_secret
from pytest_benchmark.fixture import BenchmarkFixture

from dibs.accounts.passwords.algorithms import Argon2
from dibs.accounts.passwords.hashing import Verifier, make

SAMPLES = 300
PASSWORD = "correct horse battery"
SALT = "oJlun8qH8eo71idb"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who logs in without success.

    Attributes:
        stored: Her hash; None if there is no such user.
        typed: Her password, or another one.
    """

    kind: str
    stored: str | None
    typed: str = "another horse battery"
    disabled: bool = False


def cheap_argon2() -> str:
    secret, salt = PASSWORD.encode(), SALT.encode()
    return hash_secret(secret, salt, 2, 8192, 1, 32, Type.I).decode()


def passlib_pbkdf2(rounds: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), SALT.encode(), rounds)
    parts = (b64encode(part).decode().rstrip("=").replace("+", ".") for part in (b"salt", digest))
    return f"$pbkdf2-sha256${rounds}$" + "$".join(parts)


def users() -> Iterator[User]:
    todays = make(PASSWORD, Argon2())
    yield User("wrong password", todays)
    yield User("unknown user", None)
    yield User("disabled user", todays, typed=PASSWORD, disabled=True)
    yield User("malformed hash", todays[:-1] + "$")
    yield User("hash that is too dear", todays.replace("m=19456", "m=4194304"))
    yield User("argon2i, 8 MiB", cheap_argon2())
    yield User("passlib's PBKDF2, 29,000 rounds", passlib_pbkdf2(29_000))
    yield User("passlib's PBKDF2, 70,000 rounds", passlib_pbkdf2(70_000))
    yield User("Werkzeug's scrypt, n = 4096", f"scrypt:4096:8:1${SALT}$" + "0" * 128)
    yield User("bcrypt, cost 4", "$2b$04$DRgnXlc.6NBJdQzS5Hxs8OzfykTihwGB0ckRU3bl8Sl0.NaCb2A1O")
    yield User("bcrypt, cost 8", "$2b$08$DRgnXlc.6NBJdQzS5Hxs8OzfykTihwGB0ckRU3bl8Sl0.NaCb2A1O")


def measure(people: list[User]) -> dict[str, tuple[float, float]]:
    """The medians of each kind: seconds on the wall, seconds of CPU."""
    verifier = Verifier(Argon2())
    verifier.warm_up()
    took: dict[str, list[tuple[float, float]]] = {user.kind: [] for user in people}
    rng = random.Random(1)
    for _ in range(SAMPLES):
        # In another order each time, so that none follows always the same one.
        for user in rng.sample(people, len(people)):
            wall, cpu = time.perf_counter(), time.thread_time()
            assert not verifier.check(user.typed, user.stored, disabled=user.disabled).ok
            took[user.kind].append((time.perf_counter() - wall, time.thread_time() - cpu))
    return {
        kind: (median(wall for wall, _ in all_), median(cpu for _, cpu in all_))
        for kind, all_ in took.items()
    }


def lines(medians: dict[str, tuple[float, float]]) -> Iterator[str]:
    wall_of_wrong, cpu_of_wrong = medians["wrong password"]
    yield f"medians of {SAMPLES} interleaved checks, on the wall and of the CPU; x a wrong password"
    for kind, (wall, cpu) in medians.items():
        figures = (1000 * wall, wall / wall_of_wrong, 1000 * cpu, cpu / cpu_of_wrong)
        yield f"{kind:<32}" + "{:7.2f} ms {:5.3f} x {:7.2f} ms {:5.3f} x".format(*figures)


@pytest.mark.timeout(600)
def test_login_times(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]) -> None:
    """Each kind's median is within 10 % of a wrong password's."""
    people = list(users())
    medians = benchmark.pedantic(measure, args=(people,), rounds=1)  # type: ignore[no-untyped-call]
    with capsys.disabled():
        print("", *lines(medians), sep="\n")
