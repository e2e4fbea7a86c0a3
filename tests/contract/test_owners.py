"""What the database's own people do to it: constraints and triggers of theirs, rights, settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dibs.app import create_app
from dibs.errors import NotWritable, SchemaError, StoreUnavailable
from dibs.state import parts_of
from dibs.store.names.store import NameStore
from dibs.store.schema import VERSION_TABLE, upgrade
from tests.backends import MARIADB, POSTGRESQL, Backend, open_store
from tests.cli.terminal import Terminal
from tests.support.contract import a_claim, soon, win

REFUSES = {
    "sqlite": [
        "CREATE TRIGGER theirs BEFORE INSERT ON dibs_names BEGIN SELECT RAISE(ABORT, 'no'); END"
    ],
    "postgresql": [
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no'; END $$",
        "CREATE TRIGGER theirs BEFORE INSERT ON dibs_names EXECUTE FUNCTION theirs()",
    ],
    "mariadb": [
        "CREATE TRIGGER theirs BEFORE INSERT ON dibs_names FOR EACH ROW"
        " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"
    ],
}
GONE = {"postgresql": "DROP TRIGGER theirs ON dibs_names"}


@pytest.fixture
def store(own_url: str) -> Iterator[NameStore]:
    store = open_store(own_url)
    yield store
    store.close()


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: Any, capsys: Any) -> Terminal:
    return Terminal(tmp_path, monkeypatch, capsys)


def test_a_trigger_that_refuses(
    backend: Backend, own_url: str, store: NameStore, terminal: Terminal
) -> None:
    """A 503 to people and a sentence to whoever asks why, without another connection."""
    win(store, a_claim("ada"))
    generation = store.transactions.generation
    for sql in REFUSES[backend.name]:
        backend.execute(sql, own_url)
    with pytest.raises(StoreUnavailable):
        store.claim(a_claim("grace"), deadline=soon())
    assert store.transactions.generation == generation
    app = create_app({"DIBS_DATABASE_URL": own_url, "DIBS_PASSWORD": "off"})
    told = app.test_client().post("/register", json={"username": "grace"})
    assert (told.status_code, told.headers["Retry-After"]) == (503, "1")
    parts_of(app).close()
    terminal.set(database_url=own_url, password="off")
    said = terminal.dibs("check")
    assert (said.status, "nothing can be written" in said.err) == (1, True), said
    assert "Traceback" not in said.err
    backend.execute(GONE.get(backend.name, "DROP TRIGGER theirs"), own_url)
    win(store, a_claim("grace"))


@pytest.mark.parametrize("backend", [POSTGRESQL, MARIADB], ids=str, indirect=True)
def test_a_table_that_refers_to_users(backend: Backend, own_url: str) -> None:
    """Who is referred to cannot be deleted: no 500, and they are still there."""
    app = create_app({"DIBS_DATABASE_URL": own_url, "DIBS_ARGON2_MEMORY_KIB": "8"})
    client, ada = app.test_client(), {"username": "ada.b", "password": "correct horse battery"}
    assert client.post("/register", json=ada).status_code == 201
    kind = "varbinary(36)" if backend is MARIADB else 'varchar(36) COLLATE "C"'
    backend.execute(
        f"CREATE TABLE orders (id {kind}, CONSTRAINT theirs"
        " FOREIGN KEY (id) REFERENCES dibs_users (id))",
        own_url,
    )
    backend.execute("INSERT INTO orders SELECT id FROM dibs_users", own_url)
    token = client.post("/login", json=ada).json["access_token"]  # type: ignore[index]
    head = {"Authorization": f"Bearer {token}"}
    gone = client.delete("/users/me", headers=head, json={"password": ada["password"]})
    assert gone.status_code == 503, gone.json
    assert client.post("/login", json=ada).status_code == 200
    parts_of(app).close()


@pytest.mark.parametrize("backend", [POSTGRESQL, MARIADB], ids=str, indirect=True)
@pytest.mark.parametrize("right", ["INSERT", "UPDATE", "DELETE"])
def test_a_right_that_is_missing(
    backend: Backend, own_url: str, right: str, terminal: Terminal
) -> None:
    """Also of a table that no sign-up writes to."""
    store = open_store(own_url)
    store.verify_rights(deadline=soon())
    where = "clerk@'%'" if backend is MARIADB else "clerk"
    made = "IDENTIFIED BY 'clerk'" if backend is MARIADB else "LOGIN PASSWORD 'clerk'"
    backend.execute(f"DROP USER IF EXISTS {where}", own_url)
    backend.execute(f"CREATE USER {where} {made}", own_url)
    backend.execute(f"GRANT SELECT ON {VERSION_TABLE} TO {where}", own_url)
    for table in store.tables:
        given = {"SELECT", "INSERT", "UPDATE", "DELETE"}
        given -= {right} if table.name == "dibs_history" else set()
        backend.execute(f"GRANT {', '.join(given)} ON {table.name} TO {where}", own_url)
    store.close()
    scheme, _, rest = own_url.partition("://")
    theirs = f"{scheme}://clerk:clerk@{rest.rpartition('@')[2]}"
    store = open_store(theirs)
    with pytest.raises(NotWritable):
        store.verify_rights(deadline=soon())
    store.close()
    terminal.set(database_url=theirs, password="off")
    said = terminal.dibs("check")
    assert (said.status, "dibs_history" in said.err) == (1, True), said
    if backend is POSTGRESQL:
        backend.execute("DROP OWNED BY clerk", own_url)
    backend.execute(f"DROP USER {where}", own_url)


@pytest.mark.parametrize("backend", [MARIADB], ids=str, indirect=True)
class TestMariaDB:
    @pytest.mark.parametrize("table", ["dibs_names", "dibs_sessions"])
    def test_a_table_without_transactions(
        self, backend: Backend, own_url: str, store: NameStore, table: str
    ) -> None:
        backend.execute(f"ALTER TABLE {table} ENGINE = Aria", own_url)
        with pytest.raises(SchemaError, match=f"{table} has no transactions") as refused:
            store.verify(deadline=soon())
        mend = str(refused.value).partition("Mend it with: ")[2]
        backend.execute(mend, own_url)
        store.verify(deadline=soon())

    @pytest.mark.parametrize("mode", ["", "ANSI", "ORACLE", "NO_BACKSLASH_ESCAPES", "TRADITIONAL"])
    def test_a_server_of_another_mind(self, backend: Backend, empty_url: str, mode: str) -> None:
        """Another SQL mode, and tables without transactions unless somebody says which."""
        asked = "SELECT @@GLOBAL.sql_mode, @@GLOBAL.default_storage_engine"
        ((usual, engine),) = backend.execute(asked, empty_url)
        MARIADB.server.execute(f"SET GLOBAL sql_mode = '{mode}'")
        MARIADB.server.execute("SET GLOBAL default_storage_engine = Aria")
        try:
            upgrade(empty_url)
            store = open_store(empty_url)
            store.verify(deadline=soon())
            win(store, a_claim('it\'s \\ "ada"'))
            store.close()
        finally:
            MARIADB.server.execute(f"SET GLOBAL sql_mode = '{usual}'")
            MARIADB.server.execute(f"SET GLOBAL default_storage_engine = {engine}")
