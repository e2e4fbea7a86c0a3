"""DIBS_REDIS_URL: every form is reached, a bad one is told in words, no password is shown."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from dibs.cache.redis.address import Address
from dibs.config import Settings
from dibs.errors import ConfigError
from dibs.wiring import open_cache
from tests.cache.helpers import Process, an_entry
from tests.caches import PATIENCE_S
from tests.fault.helpers import eventually
from tests.services import RedisServer

Processes = Callable[..., Process]

SECRET_WORD = "hunter2"

BAD = [
    "",
    "localhost",
    "localhost:6379",
    "http://localhost",
    "sentinel://h/s",
    "redis+nonsense://h",
    "redis+redis://h",
    "redis://h:port",
    "redis://h:99999",
    "redis://[::1",
    "redis://h/db",
    "redis://h/0/1",
    "redis://h?nonsense=1",
    "redis://h?ssl_ca_certs=file",
    "redis://h?db=x",
    "redis://h?socket_timeout=30",
    "redis://h?max_connections=1",
    "redis://h?decode_responses=True",
    "redis://h?retry_on_error=x",
    "redis://h?protocol=3",
    "redis://h?path=/x",
    "redis+cluster://h?socket_timeout=1",
    "rediss://h?nonsense=1",
    "rediss://h?ssl_cert_reqs=nonsense",
    "unix://",
    "unix://relative/path",
    "redis+sentinel://h",
    "redis+sentinel://h/",
    "redis+sentinel:///service",
    "redis+sentinel://h,/service",
    "redis+sentinel://h/service/db",
    "redis+sentinel://h:99999/service",
    "redis+sentinel://h:port/service",
    "redis+sentinel://h/service?nonsense=1",
    "redis+cluster://",
    "redis+cluster://h:0",
    "redis+cluster://h?decode_responses=1",
    f"redis://:{SECRET_WORD}/x@h",
    f"redis://:x/{SECRET_WORD}@h",
    f"redis://:{SECRET_WORD}#x@h",
    f"redis://:x?{SECRET_WORD}=y@h",
    f"redis://:[{SECRET_WORD}@h",
    f"redis+cluster://:{SECRET_WORD}/x@h",
    f"redis+sentinel://:x/{SECRET_WORD}@h:1/s",
    f"redis+sentinel://:{SECRET_WORD}@h:{SECRET_WORD}/s",
    f"redis://h?password={SECRET_WORD}&nonsense=1",
]


@pytest.mark.parametrize("url", BAD)
def test_a_bad_address_is_told_in_words(url: str) -> None:
    with pytest.raises(ConfigError) as told:
        Address(url)
    text = str(told.value)
    assert "DIBS_REDIS_URL" in text
    assert "redis://host:6379/0" in text
    assert SECRET_WORD not in text
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://h", "redis://h"),
        (f"redis://:{SECRET_WORD}@h:1/0?client_name=x", "redis://***@h:1/0"),
        (f"rediss://ada:{SECRET_WORD}%40@h", "rediss://***@h"),
        (f"unix://:{SECRET_WORD}@/a/b?db=1", "unix://***@/a/b"),
        (f"unix:///a/b?password={SECRET_WORD}", "unix:///a/b"),
        (f"redis://:1/{SECRET_WORD}@h", None),
        (f"redis+sentinel://:{SECRET_WORD}@a:1,b/s/2", "redis+sentinel://***@a:1,b/s/2"),
        (f"rediss+cluster://:{SECRET_WORD}@a,[::1]:2", "rediss+cluster://***@a,[::1]:2"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str | None) -> None:
    if shown is None:
        with pytest.raises(ConfigError) as told:
            Address(url)
        assert SECRET_WORD not in str(told.value)
    else:
        assert Address(url).shown == shown


def test_a_bad_address_is_told_when_the_service_is_put_together(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/dibs.db", redis_url="redis://h/x")
    with pytest.raises(ConfigError, match="DIBS_REDIS_URL"):
        open_cache(settings)


def works(process: Processes, url: str) -> None:
    one, other = process(url).ready(), process(url).ready()
    entries = [an_entry(f"n{i}") for i in range(10)]
    one.put(*entries)
    one.forget({"n0": 2})
    assert other.get(*(entry.key for entry in entries)) == {e.key: e for e in entries[1:]}


def test_tcp_and_a_socket(redis: RedisServer, process: Processes) -> None:
    works(process, redis.url)
    works(process, redis.socket_url)
    works(process, redis.url.removesuffix("/0"))


def test_another_database(redis: RedisServer, process: Processes) -> None:
    one, other = (process(redis.url.removesuffix("0") + db).ready() for db in "01")
    one.put(an_entry())
    assert other.get("ada") == {}


def test_tls(process: Processes, lines: Callable[[], list[str]]) -> None:
    """And one whose authority is not trusted is none."""
    with RedisServer(tls=True) as server:
        works(process, server.url)
        stranger = process(server.url.partition("?")[0])
        assert not stranger.link.wait(0.3)
        assert eventually(lambda: any("CERTIFICATE_VERIFY_FAILED" in line for line in lines()))


@pytest.mark.parametrize("password", ["p@ss:w/rd?#%", "пароль"])
def test_a_password(process: Processes, password: str) -> None:
    with RedisServer(
        requirepass=password.encode().hex() if password == "пароль" else password
    ) as s:
        works(process, s.url)


@pytest.mark.fault
def test_a_wrong_password(process: Processes, lines: Callable[[], list[str]]) -> None:
    """Everybody goes without; the log says why, and not the password; it may be mended."""
    with RedisServer(requirepass="right") as server:
        wrong = server.url.replace("right", SECRET_WORD)
        one = process(wrong)
        assert not one.link.wait(0.5)
        assert one.get("ada") == {}
        assert lines()
        assert len(lines()) == 1
        assert not any(SECRET_WORD in line or "right" in line for line in lines())
        server.command("CONFIG", "SET", "requirepass", SECRET_WORD)
        assert one.link.wait(PATIENCE_S)


@pytest.mark.fault
def test_a_user_who_may_not_do_all_it_takes(
    own_redis: RedisServer, process: Processes, lines: Callable[[], list[str]]
) -> None:
    """Who cannot write tombstones is not asked; nor is one whose rights are taken away later."""
    reader = own_redis.create_user("~dibs:*", "+mget", "+get", "+client")
    enough = own_redis.create_user(
        "~dibs:*", "+mget", "+get", "+set", "+del", "+eval", "+evalsha", "+client", "+select"
    )
    assert not process(reader).link.wait(0.3)
    one = process(enough).ready()
    one.put(an_entry())
    assert one.get("ada")
    user = enough.partition("//")[2].partition(":")[0]
    own_redis.command("ACL", "SETUSER", user, "-evalsha", "-eval")
    one.forget({"ada": 2})
    assert one.get("ada") == {}
    own_redis.command("ACL", "SETUSER", user, "+evalsha", "+eval")
    assert one.link.wait(PATIENCE_S)
    other = process(own_redis.url).ready()
    assert eventually(lambda: other.get("ada") == {})
    assert all("user_" not in line or "://" not in line for line in lines())


def test_nothing_is_logged_that_is_secret(
    process: Processes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with RedisServer(requirepass=SECRET_WORD) as server:
        one = process(server.url).ready()
        server.kill()
        one.get("ada")
        assert eventually(lambda: "cannot be reached" in caplog.text)
    assert SECRET_WORD not in caplog.text
    assert quote(SECRET_WORD) not in caplog.text
