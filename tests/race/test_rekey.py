"""Names go to other rules while two servers run, one of each: nobody loses theirs, none has two."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from dibs.checker import Operation, judge
from dibs.errors import ConfigError, RulesReplaced
from dibs.names import Lookalikes, Parser, Phase, Username, username
from dibs.names.sign_in import meant
from dibs.names.skeleton import key_of
from dibs.names.username import READERS
from dibs.store import Budget, Claim, Lost, NameRow, NameStore, Outcome, Won
from dibs.store.accounts.users import Users
from dibs.store.database.engine import connect
from dibs.store.database.transactions import Transactions
from dibs.store.names import rekey
from dibs.store.names.groups import holders, join
from dibs.store.names.moves import Rename
from dibs.store.names.quarantine import Quarantine
from dibs.store.names.rekey import Rekey
from tests.histories import changes_in, rows_in
from tests.race.harness import at_once
from tests.support.contract import AN_HOUR_MS, soon

pytestmark = pytest.mark.race

STANDARD, STRICT, OFF = 40, 41, 42
NAMES = 1500
BUDGET = Budget(20)


@dataclass
class Server:
    """A server of some rules, as far as names go, and what it was told."""

    store: NameStore
    told: list[Operation] = field(default_factory=list)

    def username(self, name: str) -> Username:
        return self.store.parser.existing(name)

    def ask(self, name: str, owner: str, **others: Any) -> Outcome:
        claim = Claim(self.username(name), "user", owner, secrets.token_hex(8), **others)
        return self.store.claim(claim, deadline=soon())

    def wins(self, name: str, owner: str | None = None, **others: Any) -> NameRow:
        outcome = self.ask(name, owner or name, **others)
        assert isinstance(outcome, Won), outcome
        return outcome.row

    def loses(self, name: str, owner: str = "newcomer") -> bool:
        return isinstance(self.ask(name, owner), Lost)

    def row(self, name: str) -> NameRow | None:
        parsed, find = self.username(name), partial(self.store.find, deadline=soon())
        return meant(parsed, holders(find, parsed, self.store.parser.keys(parsed)))

    def owner(self, name: str) -> str | None:
        """Who is found by a name, as signing in finds them."""
        row, parsed = self.row(name), self.username(name)
        users, keys = Users(self.store.transactions, "default"), self.store.parser.keys(parsed)
        found = users.credentials(parsed, keys, deadline=soon())
        is_it = row is not None and row.state == "owned"
        assert not is_it or found is None or row is None or found.user_id == row.owner
        return row.owner if is_it and row is not None else None

    def close(self) -> None:
        self.store.close()

    def release(self, name: str, rest: Quarantine) -> bool:
        row = self.row(name)
        assert row is not None
        assert row.owner is not None
        return self.store.release(row.key, owner=row.owner, rest=rest, deadline=soon())

    def rename(self, name: str, to: str) -> Outcome | None:
        row = self.row(name)
        assert row is not None
        claim = Claim(self.username(to), "user", str(row.owner), secrets.token_hex(8))
        return self.store.rename(Rename(claim, row, Quarantine()), deadline=soon())


def server(url: str, mode: Lookalikes = "standard", parser: Parser | None = None) -> Server:
    transactions = Transactions(connect(url, budget=BUDGET, pool_size=6), BUDGET)
    return Server(NameStore(transactions, parser=parser or Parser(lookalikes=mode)))


@pytest.fixture
def old(own_url: str) -> Iterator[Server]:
    with closing(server(own_url)) as made:
        yield made


@pytest.fixture
def new(own_url: str) -> Iterator[Server]:
    with closing(server(own_url, "strict")) as made:
        yield made


@pytest.fixture
def work(own_url: str) -> Iterator[Rekey]:
    with closing(server(own_url)) as made:
        yield Rekey(made.store.transactions, lease=0.0)


@pytest.fixture(autouse=True)
def at_once_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server hears of another phase with its next look-up, and nobody waits for that."""
    monkeypatch.setattr(username, "FRESH_S", 0.0)


def test_from_one_to_the_other(old: Server, new: Server, work: Rekey) -> None:
    """Each phase, with names that are one by the new rules, and one of every state."""
    for name in ("paypai", "paypal", "Ada", "mike", "wikka", "wlkka", "wiikka"):
        old.wins(name)
    old.wins("hidden", state="reserved", by_staff=True)
    old.wins("mild", lasts=AN_HOUR_MS, state="held")
    old.release("wiikka", Quarantine(AN_HOUR_MS, remembered=True))
    done = work.begin(STRICT)
    assert work.phase() == Phase(STANDARD, STRICT, "both")
    assert {key for _, key in done.merged} == {"paypai", "wikka"}

    new.store.verify(deadline=soon())
    old.wins("sofia")
    new.wins("lisa")
    for side in (old, new):  # neither grants what the other would call taken
        assert all(map(side.loses, ("sofla", "sofia", "iisa", "rnlke", "hldden", "mlld", "wllkka")))
        assert [side.owner(name) for name in ("paypai", "sofia")] == ["paypai", "sofia"]
    assert isinstance(old.rename("sofia", "sophia"), Won)
    assert isinstance(new.rename("lisa", "LISA"), Won)

    assert work.switch().keyless == []
    assert work.phase() == Phase(STRICT, STANDARD, "moving")
    with pytest.raises(RulesReplaced):
        old.ask("zed", "zed")
    new.wins("zed")
    assert isinstance(new.rename("mike", "MIKE"), Won)
    assert all(map(new.loses, ("sophla", "iisa", "rnlke", "hldden", "mlld", "wllkka", "paypaI")))

    work.finish()
    assert work.phase() == Phase(STRICT)
    people = ("paypai", "paypal", "Ada", "mike", "wikka", "wlkka", "sophia", "lisa", "zed")
    assert {name: new.owner(name) for name in people} == dict(
        zip(people, (*people[:6], "sofia", *people[7:]), strict=True)
    )
    assert new.wins("wiikka").owner == "wiikka"  # its last owner may still take it back
    assert new.loses("hidden")
    assert_told(new.store)


def test_from_one_that_merges_to_one_that_parts(own_url: str, work: Rekey) -> None:
    """What was one name is two in the end, and not before."""
    work_on(own_url, STRICT)
    with closing(server(own_url, "strict")) as old, closing(server(own_url)) as new:
        part(old, new, work)


def part(old: Server, new: Server, work: Rekey) -> None:
    old.wins("paypal")
    old.wins("mike")
    work.begin(STANDARD)
    new.store.verify(deadline=soon())
    assert old.loses("paypai")
    assert new.loses("paypai")
    work.switch()
    assert (new.owner("paypal"), new.owner("mike")) == ("paypal", "mike")
    assert new.loses("rnlke")  # its old key is not given up yet
    work.finish()
    new.wins("paypai")
    new.wins("rnlke")
    assert (new.owner("paypal"), new.owner("mike")) == ("paypal", "mike")


def assert_told(store: NameStore) -> None:
    """Of each row the history has every version, and no key of a phase is left."""
    versions: dict[str, list[int]] = {}
    for change in changes_in(store):
        versions.setdefault(change.key, []).append(change.version)
    found = rows_in(store)
    assert {key: list(range(1, row.version + 1)) for key, row in found.items()} == versions
    assert not [row for row in found.values() if row.state == "companion"]


def work_on(url: str, rules: int) -> None:
    made = server(url)
    sql = f"UPDATE dibs_meta SET rules_version = {rules}"
    made.store.transactions.write(lambda run: run.change(sql, {}), changed=bool, deadline=soon())
    made.store.close()


def test_other_rules_than_a_mode_of_these(
    own_url: str, monkeypatch: pytest.MonkeyPatch, old: Server, work: Rekey
) -> None:
    """A newer dibs knows both: it serves by those in force, and has moved when they have."""

    def newer(raw: str) -> Username:
        name = READERS[STANDARD](raw)
        return name._replace(key=name.key.replace("ph", "f"), rules_version=47 * 10)

    monkeypatch.setitem(READERS, 470, newer)

    class Newer(Parser):
        def __init__(self) -> None:
            super().__init__()
            self.rules_version = 470

        def _existing(self, raw: str | bytes) -> Username:
            return READERS[470](str(raw))

    with closing(server(own_url, parser=Newer())) as new:
        move(old, new, work)


def move(old: Server, new: Server, work: Rekey) -> None:
    old.wins("sophia")
    new.wins("stephen")
    work.begin(470)
    assert new.loses("sofia")
    assert old.loses("stefen")
    work.switch()
    work.finish()
    assert (new.owner("sophia"), new.owner("stephen")) == ("sophia", "stephen")
    assert new.loses("sofia")


def test_the_way_back(old: Server, new: Server, work: Rekey) -> None:
    """Until the switch nothing has changed but rows that are given up again."""
    for name in ("mike", "paypai", "paypal"):
        old.wins(name)
    before = rows(old)
    work.begin(STRICT)
    new.wins("lisa")
    work.back()
    assert work.phase() == Phase(STANDARD)
    assert old.release("lisa", Quarantine())
    assert [row for row in rows(old) if row[0] != "lisa"] == before
    old.wins("rnlke")
    with pytest.raises(ConfigError):
        work.back()


def rows(at: Server) -> list[Any]:
    sql = "SELECT name_key, state, owner, version FROM dibs_names ORDER BY name_key"
    read = at.store.transactions.read(lambda run: run.rows(sql, {}), deadline=soon())
    return [tuple(v.decode() if isinstance(v, bytes) else v for v in row) for row in read]


@pytest.mark.parametrize("at", range(6))
def test_killed_and_run_again(
    old: Server, new: Server, work: Rekey, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it dies, and with a second one beside it: the same rows in the end."""
    for name in ("paypai", "paypal", "mike", "lisa", "sofia"):
        old.wins(name)
    monkeypatch.setattr(rekey, "BATCH", 2)
    steps: list[Callable[[], object]] = [partial(work.begin, STRICT), work.switch, work.finish]
    write, left = Rekey._write, [at]

    def dies(self: Rekey, what: Callable[..., None]) -> None:
        if left[0] == 0:
            left[0] -= 1
            raise KeyboardInterrupt
        left[0] -= 1
        write(self, what)

    monkeypatch.setattr(Rekey, "_write", dies)
    for step in steps:
        try:
            step()
        except KeyboardInterrupt:
            at_once([step, step])
    assert new.owner("paypai") == "paypai"
    assert {name: new.owner(name) for name in ("paypal", "mike", "lisa", "sofia")} == {
        name: name for name in ("paypal", "mike", "lisa", "sofia")
    }
    assert_told(new.store)


def test_a_second_one_that_wants_something_else(work: Rekey) -> None:
    """Is refused in a sentence."""
    work.begin(STRICT)
    with pytest.raises(ConfigError, match=r"way already: rules version 40 \(standard\) decides"):
        work.begin(OFF)
    with pytest.raises(ConfigError, match="nothing is ready to be finished"):
        work.finish()


@pytest.mark.parametrize("leaves", [["MIKE"], ["mike"], ["MIKE", "Mike"]])
def test_who_is_left_of_a_group_keeps_both_keys(
    old: Server, work: Rekey, leaves: Sequence[str]
) -> None:
    """Whoever of it the companion was of: nobody gets what is one with their name."""
    old.wins("mike")
    names = ["MIKE", "Mike"]
    joining = [Claim(old.username(name), "user", name, secrets.token_hex(8)) for name in names]
    old.store.transactions.write(
        lambda run: join(run, joining), changed=lambda _: True, deadline=soon()
    )
    work.begin(STRICT)
    assert old.loses("rnlke")
    for name in leaves:
        assert old.release(name, Quarantine())
        assert old.loses("rnlke")
    left = [name for name in ("mike", *names) if name not in leaves]
    assert [old.owner(name) for name in left] == left


# --- under traffic -------------------------------------------------------------


class Traffic:
    """People at two servers, who claim and give up names that look alike, until told to stop."""

    def __init__(self, servers: Sequence[Server], people: int) -> None:
        self.servers, self.people = servers, people
        self.over = threading.Event()
        self.history: list[Operation] = []
        self.failed: list[Exception] = []

    def __enter__(self) -> Traffic:
        self.threads = [threading.Thread(target=self._live, args=(i,)) for i in range(self.people)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _live(self, at: int) -> None:
        dice, number = random.Random(at), 0  # the same each time
        while not self.over.is_set():
            number += 1
            name = "".join(dice.choice("ilo0") for _ in range(4)) + "x"
            side = dice.choice(self.servers)
            owner = f"{at}-{number}"
            try:
                if self._record("claim", name, owner, partial(side.ask, name, owner)):
                    end = partial(side.release, name, Quarantine())
                    if dice.random() < 0.7:
                        self._record("release", name, owner, end)
            except RulesReplaced:
                time.sleep(0.01)
            except Exception as error:  # shown by the test
                self.failed.append(error)

    def _record(self, kind: Any, name: str, owner: str, do: Callable[[], Any]) -> bool:
        began = time.monotonic_ns()
        outcome, code = "unknown", ""
        try:
            told = do()
            outcome = "done" if told is True or isinstance(told, Won) else "refused"
            code = "" if outcome == "done" else "taken" if kind == "claim" else "not_owner"
        except RulesReplaced:
            outcome = "unchanged"
            raise
        finally:
            key = key_of(READERS[STANDARD](name).canonical, "strict")
            self.history.append(
                Operation(owner, kind, (key,), owner, began, time.monotonic_ns(), outcome, code)  # type: ignore[arg-type]
            )
        return outcome == "done"


def people_of(old: Server) -> list[str]:
    """Names that are there before, put in by one statement."""
    names = [f"kim{i:05}" for i in range(NAMES)] + [f"kIm{i:05}x" for i in range(9)]
    claims = [Claim(old.username(n), "user", n, secrets.token_hex(8)) for n in names]
    assert all(isinstance(one, Won) for one in old.store.claim_many(claims, deadline=soon()))
    return names


def test_beside_people_who_come_and_go(old: Server, new: Server, work: Rekey) -> None:
    """The checker judges by the rules that merge more: of any moment, one owner at most."""
    names = people_of(old)
    work.begin(STRICT)
    new.store.verify(deadline=soon())
    with Traffic([old, new], 6) as traffic:
        time.sleep(0.5)
        work.switch()
        time.sleep(0.5)
        work.finish()
    assert not traffic.failed, traffic.failed[:3]
    verdict = judge(traffic.history)
    assert not [one for one in verdict.violations if "owner" in one.rule or "two" in one.rule]
    assert [n for n in names if new.owner(n) != n] == []
    with pytest.raises(RulesReplaced):
        old.ask("zed", "zed")
    assert_told(new.store)
