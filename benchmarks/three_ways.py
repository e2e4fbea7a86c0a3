"""The three ways of examples/three_ways beside dibs: what each does, counted, and how fast.

    python -m benchmarks.three_ways

writes the figures into docs/three-ways.md and docs/three-ways.zh.md, between their markers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median

from benchmarks.sides import ROOT, WORKERS, App, Side, alternate, fill, known, middle, place, ratios
from dibs.store.schema import upgrade
from tests.fault.helpers import eventually
from tests.load import Answer, post, register
from tests.service import Service
from tests.services import PostgresServer, RedisServer

PAGES = {"zh": ROOT / "docs/three-ways.zh.md", "en": ROOT / "docs/three-ways.md"}
MANY, AT_ONCE, PASSWORD = 6, 64, "correct horse battery staple"
FREED_S, QUIET_S, PAUSE_S = 3.0, 0.3, 0.05  # of a released name all workers know within 2 s
SPELLINGS = ("Ada", "ada", "Ａｄａ")
LOGGED = re.compile(r"LOG: +(?:statement|execute [^:]*): \s*(.*)")
# What goes along with a transaction (the driver forgets its plans after a ROLLBACK), and what each
# process reads every second or two: for its filter, and to see that the database is none of before.
BESIDE = re.compile(
    r"BEGIN|COMMIT|ROLLBACK|DEALLOCATE ALL|SELECT set_config\('lock_timeout'"
    r"|SELECT CAST\(EXTRACT\(EPOCH FROM statement_timestamp\(\)\) \* 1000 AS BIGINT\), secret"
    r"|SELECT created_at, name_key FROM dibs_names"
    r"|SELECT secret, \(SELECT MAX\(accepted_at\)|SELECT version, name_key FROM dibs_names"
)
# The INSERT of the first way takes a while, so that all who look before it have looked.
SLOW = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END'",
    'CREATE TRIGGER slow BEFORE INSERT ON "user" FOR EACH ROW EXECUTE FUNCTION slow()',
)


@dataclass(frozen=True, slots=True)
class Way:
    """One of those that are compared.

    Attributes:
        app: An example, or empty for dibs.
        strategy: Of dibs.
        redis: Whether it has one.
    """

    app: str = ""
    strategy: str = ""
    redis: bool = False

    def service(self, url: str, redis: str, workers: int = WORKERS) -> Service:
        """A server of it, which is not started."""
        if self.app:
            app = f"examples.three_ways.{self.app}:create_app"
            return App(app, workers=workers, DATABASE_URL=url, REDIS_URL=redis)
        redis = redis if self.redis else ""
        settings = {"password": "optional", "strategy": self.strategy, "redis_url": redis}
        return Service(url, workers=workers, script=True, **settings)

    def database(self, server: PostgresServer) -> str:
        """An empty one; dibs has its tables there, and the apps make theirs."""
        url = server.create_database()
        if not self.app:
            upgrade(url)
        return url

    @property
    def table(self) -> str:
        return "user" if self.app else "dibs_names"


WAYS = {
    "first": Way("query_then_insert"),
    "second": Way("unique_constraint"),
    "third": Way("redis_first", redis=True),
    "dibs": Way(strategy="auto"),
    "redis": Way(strategy="cache_aside", redis=True),
    "filter": Way(strategy="membership_filter", redis=True),
}


@dataclass(frozen=True, slots=True)
class Sent:
    """What an answer costs: statements, and commands to Redis."""

    statements: int
    redis: int

    def __str__(self) -> str:
        return f"{self.statements} + {self.redis}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What one way does.

    Attributes:
        check: For the check of a free name; dibs alone has checks.
        accounts: How many have one name after 64 people asked for it at once.
        faults: How many of them got an error.
        spellings: How many accounts three spellings make.
        database_stopped: What is said of a name that nobody has; so with Redis stopped.
        released: What is said of a name that its owner gave up.
    """

    fresh: Sent
    taken: Sent
    check: Sent | None
    accounts: int
    faults: int
    spellings: int
    database_stopped: str
    redis_stopped: str
    released: str


class Desk:
    """A running way, and the servers behind it."""

    def __init__(self, way: Way, service: Service, servers: Servers, url: str) -> None:
        self.way, self.service, self.servers, self.url = way, service, servers, url

    def register(self, *names: str) -> list[Answer]:
        """Each of them at the same moment; the three ways offer no other names either."""
        path, words = "/register?suggestions=0", {"Accept_Language": "zh"}
        return self.service.send(*(post(path, {"username": name}, **words) for name in names))

    def told(self, name: str) -> str:
        (answer,) = self.register(name)
        is_json = "json" in answer.headers.get("content-type", "")
        return f"{answer.status} {answer.json()['message'] if is_json else ''}".strip()

    def accounts(self, *names: str) -> int:
        places = ", ".join(f"'{name}'" for name in names)
        column = "username" if self.way.app else "display"
        sql = f'SELECT COUNT(*) FROM "{self.way.table}" WHERE {column} IN ({places})'
        return int(self.servers.database.execute(sql, self.url)[0][0])

    def sent(self, ask: Callable[[int], object]) -> Sent:
        """What an answer costs for somebody who comes alone, with what follows upon it."""
        self.servers.settle()
        before = self.servers.counted()
        for number in range(MANY):
            time.sleep(PAUSE_S)
            ask(number)
        self.servers.settle()
        after = self.servers.counted()
        # What is sent once for many, or by chance, is no part of an answer.
        return Sent(*(round((two - one) / MANY) for one, two in zip(before, after, strict=True)))

    def facts(self) -> Facts:
        """In this order: the last ones stop what the others need."""
        for number in range(3):  # most threads of each worker have their connections
            self.register(*(f"warm{number}{letter}" for letter in "abcdefghijklmnop"))
        fresh = self.sent(lambda number: self.register(f"fresh{number}"))
        taken = self.sent(lambda number: self.register(f"fresh{number}"))
        check = None if self.way.app else self.sent(self.check)
        for name in SPELLINGS:
            self.register(name)
        accounts, faults = self.race()
        spellings = self.accounts(*SPELLINGS)
        return Facts(fresh, taken, check, accounts, faults, spellings, **self.stopped())

    def check(self, number: int) -> None:
        request = f"GET /usernames/nobody{number} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert self.service.one(request.encode()).json()["available"]

    def race(self) -> tuple[int, int]:
        for statement in SLOW if self.way == WAYS["first"] else ():
            self.servers.database.execute(statement, self.url)
        answers = self.register(*["wanted"] * AT_ONCE)
        return self.accounts("wanted"), sum(answer.status >= 500 for answer in answers)

    def stopped(self) -> dict[str, str]:
        found = {"released": self.released(), "redis_stopped": ""}
        if self.way.redis:
            self.servers.redis.stop()
            found["redis_stopped"] = self.told("without_redis")
            self.servers.redis.start()
        self.servers.database.stop()
        found["database_stopped"] = self.told("without_database")
        self.servers.database.start()
        return found

    def released(self) -> str:
        """Its owner gives it up, and somebody else asks for it until it is theirs, or not."""
        one = self.service.one
        if self.way.app:
            self.register("parted")
            sql = "DELETE FROM \"user\" WHERE username = 'parted'"
            self.servers.database.execute(sql, self.url)
        else:
            assert one(register("parted", PASSWORD)).status == 201
            login = one(post("/login", {"username": "parted", "password": PASSWORD})).json()
            bearer = f"Authorization: Bearer {login['access_token']}\r\n\r\n"
            left = one(f"DELETE /users/me HTTP/1.1\r\nHost: localhost\r\n{bearer}".encode())
            assert left.status < 300, left
        said = ""

        def is_free() -> bool:
            nonlocal said
            said = self.told("parted")
            return said.startswith("201")

        eventually(is_free, timeout_s=FREED_S)
        return said


class Servers:
    """A database that logs its statements, and a Redis that logs its commands."""

    def __init__(self) -> None:
        self.database = PostgresServer(log_statement="all", fsync=False)
        self.redis = RedisServer(slowlog_log_slower_than=0, slowlog_max_len=1_000_000)

    def counted(self) -> tuple[int, int]:
        """Statements, and commands to Redis."""
        sent = [one for one in LOGGED.findall(self.database.log()) if "pg_" not in one]
        entries = self.redis.command("SLOWLOG", "GET", -1)
        # Neither ours, by its socket, nor what a script does within Redis.
        theirs = [entry[3] for entry in entries if entry[4].startswith(b"127.")]
        # What was confirmed last is remembered once a second, beside all requests.
        commands = sum(b"dibs:1:confirmed:" not in b" ".join(one[:2]) for one in theirs)
        return sum(not BESIDE.match(one) for one in sent), commands

    def settle(self) -> None:
        """Wait until nobody sends anything any more."""
        last = self.counted()
        time.sleep(QUIET_S)
        while last != (now := self.counted()):
            last = now
            time.sleep(QUIET_S)


@contextmanager
def servers() -> Iterator[Servers]:
    both = Servers()
    with both.database, both.redis:
        yield both


def facts(way: Way, servers: Servers) -> Facts:
    """What this way does, on servers that others may use before and after."""
    servers.redis.command("FLUSHALL")
    url = way.database(servers.database)
    with way.service(url, servers.redis.url, workers=1) as service:
        return Desk(way, service, servers, url).facts()


# --- how fast ----------------------------------------------------------------

Rates = dict[str, tuple[str, str]]
"""For new names and for taken ones."""


def rates(rounds: int, seconds: float) -> Rates:
    """Answers a second as a multiple of the first way's, whose own are told."""
    found = dict[str, list[str]]()
    with PostgresServer() as database, RedisServer() as redis, ExitStack() as stack:
        services = {
            name: stack.enter_context(way.service(way.database(database), redis.url))
            for name, way in WAYS.items()
        }
        path = "/register?suggestions=0"
        fresh = [Side(name, service, path) for name, service in services.items()]
        alternate(fresh, rounds=rounds, seconds=seconds, database=0)
        taken = [known(side) for side in fresh]
        alternate(taken, rounds=rounds, seconds=seconds, database=0)
        for sides in (fresh, taken):
            for side in sides:
                base = f" ({middle(side).rate:,.0f}/s)" if side is sides[0] else ""
                times = median(ratios(side, sides[0]))
                found.setdefault(side.name, []).append(f"{times:.1f}×{base}")
    return {name: (new, known) for name, (new, known) in found.items()}


# --- the pages ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Words:
    """What a page's tables are made of, in its language.

    Attributes:
        heads: Of the first table.
        ways: Of each way: its name, how it looks for the name, and for whom it is.
        sent: An answer's cost, for new and taken names.
        rows: What was measured.
        about: When and where, in a line.
    """

    heads: str
    ways: dict[str, tuple[str, str, str]]
    sent: str
    rows: tuple[str, ...]
    about: str


WORDS = {
    "zh": Words(
        "方案 | 查重方式 | 查询次数（数据库 + Redis） | 适用场景",
        {
            "first": ("一", "先 SELECT，没有再 INSERT", "演示；同一时刻只有一个人注册"),
            "second": (
                "二",
                "直接 INSERT，由唯一约束裁决",
                "正确的基础，但只应捕获唯一约束的错误",
            ),
            "third": ("三", "先问 Redis 集合，再 INSERT", "热门的名字被反复申请，且名字从不释放"),
            "dibs": ("dibs", "直接 INSERT，由约束裁决", "没有 Redis 的服务"),
            "redis": ("dibs + Redis", "先问 Redis，再 INSERT", "许多人争抢同样的名字"),
            "filter": (
                "dibs + 过滤器",
                "进程内的过滤器、Redis，再 INSERT",
                "边输入边检查的页面",
            ),
        },
        "新名 {}，已占用 {}",
        (
            "每秒答复：新名",
            "每秒答复：已占用",
            "检查一个空闲的名字（数据库 + Redis）",
            "64 人同时申请一个名字：账户 / 500",
            "`Ada`、`ada`、`Ａｄａ`：账户",
            "数据库停止时，申请新名",
            "Redis 停止时，申请新名",
            "名字释放后，别人申请",
        ),
        "测于 {}。每个服务两个工作进程，32 个连接，轮流测三轮，每次 3 秒，倍数取各轮的中位数。",
    ),
    "en": Words(
        "scheme | how it checks | queries (database + Redis) | for",
        {
            "first": (
                "1",
                "SELECT, then INSERT if nothing is found",
                "Demonstrations, where one person signs up at a time.",
            ),
            "second": (
                "2",
                "INSERT; the unique constraint decides",
                "The right foundation, if only the constraint's error is caught.",
            ),
            "third": (
                "3",
                "a set in Redis, then INSERT",
                "Popular names that are asked for again and again and are never released.",
            ),
            "dibs": ("dibs", "INSERT; the constraint decides", "Services without Redis."),
            "redis": ("dibs + Redis", "Redis, then INSERT", "Many people who want the same names."),
            "filter": (
                "dibs + filter",
                "a filter in the process, Redis, then INSERT",
                "Pages that check while people type.",
            ),
        },
        "new {}, taken {}",
        (
            "answers a second: new names",
            "answers a second: taken names",
            "check of a free name (database + Redis)",
            "64 people ask for one name: accounts / 500s",
            "`Ada`, `ada`, `Ａｄａ`: accounts",
            "database stopped, a new name",
            "Redis stopped, a new name",
            "a name that was released, asked for by somebody else",
        ),
        "Measured {}. Two workers each, 32 connections, three rounds in turns of 3 s each; a"
        " multiple is the median of the rounds.",
    ),
}


def tables(words: Words, facts: Mapping[str, Facts], rates: Rates) -> str:
    """Both tables: the article's own, and what was measured."""
    lines = [f"| {words.heads} |", "|---|---|---|---|"]
    for name, (title, how, whom) in words.ways.items():
        one, app = facts[name], WAYS[name].app
        title = f"[{title}](../examples/three_ways/{app}.py)" if app else title
        lines.append(f"| {title} | {how} | {words.sent.format(one.fresh, one.taken)} | {whom} |")
    lines += ["", "| |" + "|".join(f" {one[0]} " for one in words.ways.values()) + "|"]
    lines.append("|---" * (len(words.ways) + 1) + "|")
    cells = [(*rates[name], *cells_of(facts[name])) for name in words.ways]
    for row in zip(words.rows, *cells, strict=True):
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def cells_of(one: Facts) -> tuple[str, ...]:
    many = "≥ 2" if one.accounts > 1 else str(one.accounts)
    told = (one.database_stopped, one.redis_stopped or "–", one.released)
    return (str(one.check or "–"), f"{many} / {one.faults}", str(one.spellings), *told)


def main() -> None:
    """Measure, and write."""
    with servers() as both:
        found = {name: facts(way, both) for name, way in WAYS.items()}
    quick = rates(rounds=3, seconds=3)
    for language, page in PAGES.items():
        words = WORDS[language]
        fill(page, f"{tables(words, found, quick)}\n\n{words.about.format(place())}")


if __name__ == "__main__":
    main()
