"""How a store connects."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine

from dibs.context import Budget
from dibs.errors import ConfigError, StoreUnavailable
from dibs.store.database.engine import connect, unbounded_engine
from dibs.store.schema import upgrade
from tests.backends import MARIADB, POSTGRESQL, Served, open_store
from tests.conftest import missing
from tests.services import ServiceMissing
from tests.services.redis import make_certificates
from tests.support.contract import soon

USUAL = partial(connect, budget=Budget(), pool_size=1)


@pytest.mark.parametrize("backend", [MARIADB], indirect=True, ids=str)
def test_certificates_are_read_once_a_process(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyMySQL would read the system's for each connection: 27 ms of processor time."""
    read: list[ssl.SSLContext] = []
    make = ssl.create_default_context

    def count(*args: Any, **kwargs: Any) -> ssl.SSLContext:
        read.append(make(*args, **kwargs))
        return read[-1]

    monkeypatch.setattr(ssl, "create_default_context", count)
    for _ in range(3):
        store = open_store(url)
        store.verify(deadline=soon())
        store.close()
    assert len(read) <= 1  # another test may have had it read


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u@h/db?ssl-mode=REQUIRED", "nobody knows, ssl-mode: write ssl_ca=FILE"),
        ("mariadb://u@h/db?sslmode=require", "nobody knows, sslmode: write ssl_ca=FILE"),
        ("mysql://u@h/db?ssl=true", "nobody knows, ssl: write ssl_ca=FILE"),
        ("mysql://u@h/db?connection_limit=5", "nobody knows, connection_limit: leave it out"),
        ("mysql://u@h/db?ssl_ca=/no/such.pem", r"there is no file /no/such.pem \(ssl_ca\)"),
        ("postgresql://u@h/db?pgbouncer=true", "nobody knows, pgbouncer: leave it out, for"),
        ("postgresql://u@h/db?schema=public", "nobody knows, schema: write options="),
        ("postgresql://u@h/db?ssl=true", "nobody knows, ssl: write sslmode=require"),
        ("postgres://u@h/db?ssl-mode=REQUIRED", "nobody knows, ssl-mode: write sslmode=require"),
        ("postgres://u@h/db?ssl_ca=a.pem", "ssl_ca: write sslmode=verify-full&sslrootcert=FILE"),
        ("postgres://u@h/db?connection_limit=5", "nobody knows, connection_limit: leave it out"),
        ("postgresql://u@h/db?prepare_threshold=0", "nobody knows, prepare_threshold: leave"),
        ("sqlite:///a.db?pragma=1", "nobody knows, pragma: leave it out"),
        ("postgresql+psycopg2://u@h/db", "driver psycopg2; dibs has one of its own: write postg"),
        ("postgresql+asyncpg://u@h/db", "driver asyncpg; .*: write postgresql://"),
        ("mysql+mysqldb://u@h/db", "driver mysqldb; .*: write mysql://"),
        ("sqlite+pysqlcipher:///a.db", "driver pysqlcipher; .*: write sqlite://"),
    ],
)
@pytest.mark.parametrize("make", [unbounded_engine, USUAL])
def test_what_an_address_has_that_is_not_known(
    make: Callable[[str], Engine], url: str, said: str
) -> None:
    """A sentence that says what to write instead, from every command."""
    with pytest.raises(ConfigError, match=said):
        make(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@/db?host=a:5432&host=b:5432&target_session_attrs=read-write",
        "postgresql://u@h/db?sslmode=verify-full&sslrootcert=system&application_name=dibs",
        "postgresql://u@h/db?options=-csearch_path%3Dnames&connect_timeout=3",
        "mysql://u@h/db?charset=utf8mb4&unix_socket=/run/mysqld.sock",
        "sqlite:///file:a.db?uri=true&vfs=unix",
    ],
)
def test_what_an_address_may_have(url: str) -> None:
    for make in (unbounded_engine, USUAL):
        make(url).dispose()


@pytest.mark.parametrize(
    ("served", "settings", "query"),
    [
        (
            POSTGRESQL,
            {"ssl": True, "ssl_cert_file": "server.pem", "ssl_key_file": "server.key"},
            "sslmode=verify-full&sslrootcert=",
        ),
        (
            MARIADB,
            {"ssl_cert": "server.pem", "ssl_key": "server.key", "require_secure_transport": True},
            "ssl_ca=",
        ),
    ],
    ids=["postgresql", "mariadb"],
)
def test_tls(
    served: Served, settings: dict[str, Any], query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's certificate is checked against the authority that the address names."""
    monkeypatch.setattr("pymysql.connections.SSL_ENABLED", True)
    try:
        server = served.kind().start()
    except ServiceMissing as error:
        missing(error)
        raise
    with closing(server):
        other = server.folder / "other"
        other.mkdir()
        for folder in (other, server.folder):
            make_certificates(folder)
        for name in ("server.pem", "server.key"):
            shutil.chown(server.folder / name, server.folder.owner())
            (server.folder / name).chmod(0o600)
        files = {k: f"{server.folder}/{v}" for k, v in settings.items() if isinstance(v, str)}
        server.restart(**settings | files)
        url = f"{server.create_database()}?{query}"
        upgrade(f"{url}{server.folder}/ca.pem")
        with pytest.raises(StoreUnavailable):
            upgrade(f"{url}{other}/ca.pem")
        engine = USUAL(f"{url}{server.folder}/ca.pem")
        sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        if served is MARIADB:
            sql = "SHOW STATUS LIKE 'Ssl_version'"
        with engine.connect() as connection:
            assert connection.exec_driver_sql(sql).one()[-1] in (True, "TLSv1.3")
        engine.dispose()
