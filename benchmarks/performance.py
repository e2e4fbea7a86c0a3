"""Everybody side by side: servers, frameworks, the database, other sign-ups, and dibs.

    make bench
    .venv/bin/python -m benchmarks.performance [ROUNDS [SECONDS]]

writes build/performance.json, and the figures of docs/performance.md with their chart. In each
case all take turns, Flask's least answer among them: by its rate the others are told.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any
from urllib.parse import quote_plus

from sqlalchemy import make_url

from benchmarks.performance_page import BASE, write
from benchmarks.sides import (
    CONNECTIONS,
    ROOT,
    App,
    Side,
    Turn,
    alternate,
    known,
    memory_mib,
    middle,
    place,
    processor_s,
    ratios,
    tree,
)
from benchmarks.three_ways import WAYS
from tests.backends import MARIADB, POSTGRESQL, SQLITE, Backend
from tests.caches import REDIS
from tests.load import post
from tests.service import Service
from tests.services.tools import program

REPORT = ROOT / "build/performance.json"
PASSWORD, MANY = "correct horse battery staple", 100
# Who asks for a hash while others are made is told to come again rather than kept waiting.
HASHES = 8
BARE = "bare function"
FORM = "Content-Type: application/x-www-form-urlencoded"
QUIET = "/register?suggestions=0"


@dataclass(frozen=True, slots=True)
class Peer:
    """How another library is asked.

    Attributes:
        body: Of a registration, `%s` for the name.
        login: Path, body and headers of a login of `adalovelace`.
        token: What stands before the token in a header.
        find: Finds the token in the answer to a login.
    """

    app: str
    place: str
    body: dict[str, str]
    login: tuple[str, str, tuple[str, ...]]
    token: str = "Authorization: Bearer "
    find: Callable[[Any], str] = lambda answer: str(answer["access_token"])
    interface: str = "wsgi"


MAIL = {"email": "%s@people.org", "password": PASSWORD}
BY_NAME = {"username": "adalovelace", "password": PASSWORD}
BY_MAIL = {"email": "adalovelace@people.org", "password": PASSWORD}
PEERS = {
    "flask-smorest tutorial": Peer(
        "smorest", "smorest", BY_NAME | {"username": "%s"}, ("/login", json.dumps(BY_NAME), ())
    ),
    "Flask-Security": Peer(
        "security",
        "security",
        MAIL | {"username": "%s", "password_confirm": PASSWORD},
        ("/login?include_auth_token", json.dumps(BY_MAIL), ()),
        "Authentication-Token: ",
        lambda answer: str(answer["response"]["user"]["authentication_token"]),
    ),
    "fastapi-users": Peer(
        "fastapi_users",
        "fastapi",
        MAIL,
        (
            "/login",
            f"username={quote_plus(BY_MAIL['email'])}&password={quote_plus(PASSWORD)}",
            (FORM,),
        ),
        interface="asgi",
    ),
}
OURS = Peer("", "", BY_NAME | {"username": "%s"}, ("/login", json.dumps(BY_NAME), ()))


class Place:
    """The servers of a run; each is started when it is first asked for.

    Attributes:
        started: Seconds until it answered, and MiB of a worker, of each.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._running = dict[str, Service]()
        self.started = dict[str, tuple[float, float]]()

    def service(self, name: str, make: Callable[[], Service]) -> Service:
        if name not in self._running:
            made, began = make(), time.perf_counter()
            self._running[name] = self._stack.enter_context(made)
            took = time.perf_counter() - began
            worker = max(map(memory_mib, tree(made.pid)[1:]))
            self.started[name] = (took, worker)
        return self._running[name]

    def app(self, name: str, app: str) -> Service:
        return self.service(name, lambda: App(app))

    def way(self, number: int, backend: Backend = POSTGRESQL) -> Side:
        """One of examples/three_ways."""
        name = ("query, then insert", "unique constraint", "Redis first")[number - 1]
        way = list(WAYS.values())[number - 1]
        where = name if backend is POSTGRESQL else f"{name}, {backend.name}"
        redis = REDIS.empty() if way.redis else ""
        return Side(name, self.service(where, lambda: way.service(backend.empty(), redis)))

    def dibs(self, name: str = "dibs", backend: Backend = POSTGRESQL, **settings: str) -> Side:
        where = name if backend is POSTGRESQL else f"{name}, {backend.name}"
        return Side(
            name, self.service(where, lambda: Service(backend.migrated(), script=True, **settings))
        )

    def peer(self, name: str) -> Side:
        peer = PEERS[name]
        service = self.service(
            name,
            lambda: App(
                f"benchmarks.peers.{peer.app}:create_app",
                place=f".venv-peer-{peer.place}",
                interface=peer.interface,
                DATABASE_URL=POSTGRESQL.empty(),
            ),
        )
        return Side(name, service, body=json.dumps(peer.body), connections=HASHES)

    def hello(self) -> Side:
        service = self.app(BASE, "benchmarks.hello:app")
        return Side(BASE, service, path="/healthz", body="")

    def bare(self) -> Side:
        return Side(BARE, self.app(BARE, "benchmarks.bare:app"), path="/", body="")

    def with_password(self) -> list[tuple[Side, Peer]]:
        """Those that have accounts."""
        dibs = self.dibs("dibs, passwords", password="required")
        ours = Side("dibs", dibs.service, body=json.dumps(OURS.body), connections=HASHES)
        return [*((self.peer(name), peer) for name, peer in PEERS.items()), (ours, OURS)]


# --- the cases ---------------------------------------------------------------


def cases(at: Place) -> Iterator[tuple[str, list[Side]]]:
    """Each case with those that take turns; a case is measured before the next one is made."""
    redis = {"redis_url": REDIS.empty(), "strategy": "auto"}
    fresh = [at.way(1), at.way(2), at.way(3), at.dibs(), at.dibs("dibs + Redis", **redis)]
    yield "new name", [at.hello(), at.bare(), pgbench(bare_table(), INSERT), *fresh]
    taken = [known(replace(side, path=QUIET)) for side in fresh]
    default = replaced(taken[-2], name="dibs, with suggestions", path="/register")
    yield "taken name", [at.hello(), *taken, default]
    yield "check", [at.hello(), at.bare(), *checks(at, fresh[3])]
    yield "100 checks in a request", [at.hello(), bulk(at.dibs())]
    accounts = at.with_password()
    argon2 = replaced(at.bare(), name="bare argon2", body=PASSWORD, connections=HASHES)
    registering = [side for side, _ in accounts]
    yield "new name with a password", [at.hello(), argon2, *registering]
    yield "taken name with a password", [at.hello(), *map(taken_again, accounts)]
    yield "login", [at.hello(), replaced(argon2), *(login(*one) for one in accounts)]
    yield "who am I", [at.hello(), *(me(*one) for one in accounts)]
    for backend, name in ((SQLITE, "SQLite"), (MARIADB, "MariaDB")):
        yield f"new name, {name}", [at.hello(), at.way(1, backend), at.dibs(backend=backend)]


def replaced(side: Side, **changes: Any) -> Side:
    """Another that is asked of the same server."""
    return replace(side, turns=[], **changes)


def checks(at: Place, fresh: Side) -> list[Side]:
    """Of free names with and without the filter, and of those that were given out before."""
    ask = {"path": "/usernames/%s?suggestions=0", "body": ""}
    redis = {"redis_url": REDIS.server.url, "strategy": "membership_filter"}
    filtered = at.dibs("dibs with its filter", **redis)
    # So many that none comes again within the second for which a process remembers it.
    taken = replaced(known(fresh, 5), name="dibs, taken", is_refused=False, **ask)
    return [
        replaced(fresh, name="dibs, free", **ask),
        taken,
        replaced(filtered, name="dibs with its filter, free", **ask),
    ]


def bulk(side: Side) -> Side:
    names = [f"%s{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(MANY)]
    return replaced(side, path="/usernames/check", body=json.dumps({"names": names}))


def taken_again(account: tuple[Side, Peer]) -> Side:
    """One name that somebody has; nobody may hash a password for it."""
    side, peer = account
    register(side, peer)
    body = side.body.replace("%s", "adalovelace")
    return replaced(side, body=body, is_refused=True)


def register(side: Side, peer: Peer) -> None:
    """Ada is there, whoever asked for her."""
    body = {name: value.replace("%s", "adalovelace") for name, value in peer.body.items()}
    assert side.service is not None
    assert side.service.one(post("/register", body)).status in (200, 201, 400, 409)


def login(side: Side, peer: Peer) -> Side:
    path, body, headers = peer.login
    return replaced(side, path=path, body=body, headers=headers)


def me(side: Side, peer: Peer) -> Side:
    """With the token of a login."""
    path, body, headers = peer.login
    kind = headers[0] if headers else "Content-Type: application/json"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{kind}\r\nContent-Length: {len(body)}"
    assert side.service is not None
    answer = side.service.one(f"{head}\r\n\r\n{body}".encode())
    token = peer.token + peer.find(answer.json())
    return replaced(side, path="/users/me", body="", headers=(token,))


INSERT = "\\set n random(1, 1000000000000000)\nINSERT INTO bare (name) VALUES ('u' || :n);\n"


def bare_table() -> str:
    """The address of a database with a table of one column."""
    url = POSTGRESQL.empty()
    POSTGRESQL.execute("CREATE TABLE bare (name text PRIMARY KEY)", url)
    POSTGRESQL.execute("GRANT ALL ON bare TO dibs", url)
    return url


def pgbench(
    address: str,
    sql: str,
    name: str = "pgbench, one row a commit",
    *,
    connections: int = CONNECTIONS,
) -> Side:
    """The database alone: one statement and one commit, on as many connections."""
    url = make_url(address)

    def run(seconds: float) -> Turn:
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            script.write(sql)
            script.flush()
            command = [program("pgbench", "/usr/lib/postgresql/*/bin/pgbench"), "-n", "-Mprepared"]
            command += [f"-c{connections}", "-j1", f"-T{seconds:.0f}", "-f", script.name]
            command += ["-h", "127.0.0.1", "-p", str(url.port), "-U", "dibs", str(url.database)]
            before = processor_s(tree(database()))
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            spent = processor_s(tree(database())) - before
        rate = float(re.findall(r"tps = ([\d.]+)", ran.stdout)[0])
        latency = float(re.findall(r"latency average = ([\d.]+)", ran.stdout)[0])
        return Turn(rate, 0.0, spent / (rate * seconds) * 1e6, latency, math.nan)

    return Side(name, None, run=run)


def database() -> int:
    """The process above PostgreSQL's others."""
    return int((POSTGRESQL.server.folder / "data/postmaster.pid").read_text().split()[0])


# --- a run -------------------------------------------------------------------


@contextmanager
def servers() -> Iterator[Place]:
    with ExitStack() as stack:
        for one in (SQLITE, POSTGRESQL, MARIADB, REDIS):
            stack.callback(one.close)
        POSTGRESQL.server.restart(max_connections=500)  # all servers of a run keep theirs
        yield Place(stack)


def figures(sides: list[Side]) -> list[dict[str, Any]]:
    """Of each side its median turn, and its rate beside the first one's."""
    found = []
    for side in sides:
        each = ratios(side, sides[0])
        turn = {name: None if math.isnan(x) else x for name, x in asdict(middle(side)).items()}
        found.append(
            {"name": side.name, "ratio": median(each), "low": min(each), "high": max(each)} | turn
        )
    return found


def main(rounds: int = 3, seconds: float = 3) -> None:
    """Measure, and write."""
    report: dict[str, Any] = {"about": place(), "rounds": rounds, "seconds": seconds, "cases": {}}
    with servers() as at:
        for case, sides in cases(at):
            print(case, file=sys.stderr)
            own = 0 if "SQLite" in case or "MariaDB" in case else database()
            # A hash takes long where many are made at the same time.
            hashes = "password" in case or case == "login"
            long = max(6, 2 * seconds) if hashes else seconds
            alternate(sides, rounds=rounds, seconds=long, database=own)
            report["cases"][case] = figures(sides)
            report["started"] = at.started
            REPORT.parent.mkdir(exist_ok=True)
            REPORT.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    write(report)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
