"""People who sign up at a fixed rate in a process of their own, while something else is done."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from statistics import quantiles
from typing import Any

from dibs.checker import Operation, judge
from dibs.errors import RulesReplaced
from dibs.names import Lookalikes, Parser
from dibs.names.skeleton import rules_version
from dibs.names.username import READERS
from dibs.store import Won
from dibs.store.names.quarantine import Quarantine
from tests.race.test_rekey import Server, server
from tests.support.contract import soon

THREADS = 8
Rules = tuple[Lookalikes, int]


@dataclass(slots=True)
class Told:
    """What people were told.

    Attributes:
        waits: Seconds until somebody was answered, by what went on meanwhile.
        refused: Claims for which a server was of rules that are not in force, by the same and
            which server.
        granted: The same of those that were granted.
        history: What the checker judges.
        failed: What nobody may be told.
    """

    waits: dict[str, list[float]] = field(default_factory=dict)
    refused: Counter[tuple[str, int]] = field(default_factory=Counter)
    granted: Counter[tuple[str, int]] = field(default_factory=Counter)
    history: list[Operation] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def p99(self, stage: str) -> float:
        """Milliseconds within which 99 of 100 were answered."""
        waits = self.waits.get(stage, [])
        return 1000 * quantiles(waits, n=100)[98] if len(waits) > 1 else 0.0

    def wrong(self) -> list[str]:
        """What should not have been told, some of it."""
        return [str(one) for one in judge(self.history).violations][:3] + self.failed[:3]


@dataclass(slots=True)
class Crowd:
    """People, and the servers that they choose from; the second one has other rules.

    Attributes:
        judged: The version of the rules by which the checker is told of names.
    """

    servers: list[Server]
    judged: int
    told: Told = field(default_factory=Told)
    stage: str = "idle"

    def live(self, at: int, due: float) -> None:
        """One of them: a name that others want too or nobody else, and one in five leaves."""
        dice, stage = random.Random(at), self.stage
        wanted = "ilo0" if len(self.servers) > 1 else "aeuy"  # one by other rules, or by none
        few = dice.random() < 0.2
        name = "".join(dice.choices(wanted, k=4) if few else dice.choices("abcdefgh", k=12)) + "x"
        side = dice.randrange(len(self.servers))
        try:
            won = self.record("claim", name, str(at), side, stage)
            if won is None:
                side = len(self.servers) - 1
                won = self.record("claim", name, str(at), side, stage)
            self.told.waits.setdefault(stage, []).append(time.monotonic() - due)
            if won and dice.random() < 0.2:
                self.record("release", name, str(at), side, stage)
        except Exception as error:  # told by the report
            self.told.failed.append(repr(error))

    def record(self, kind: Any, name: str, owner: str, side: int, stage: str) -> bool | None:
        """Whether it was done; None if this server's rules are not in force."""
        at, began, outcome = self.servers[side], time.monotonic_ns(), "unchanged"
        try:
            if kind == "claim":
                done = isinstance(at.ask(name, owner), Won)
            else:
                done = at.release(name, Quarantine())
            outcome = "done" if done else "refused"
            self.told.granted[stage, side] += kind == "claim" and done
        except RulesReplaced:
            self.told.refused[stage, side] += 1
            return None
        finally:
            key = READERS[self.judged](name).key
            code = "" if outcome != "refused" else "taken" if kind == "claim" else "not_owner"
            ended = time.monotonic_ns()
            self.told.history.append(
                Operation(owner, kind, (key,), owner, began, ended, outcome, code)  # type: ignore[arg-type]
            )
        return done


def made(url: str, rules: Sequence[Rules]) -> list[Server]:
    """A server of each of these rules."""
    return [server(url, parser=Parser(lookalikes=mode, rules=one)) for mode, one in rules]


def sign_up(url: str, rules: Sequence[Rules], rate: float, pipe: Connection) -> None:
    """Have people sign up until there is no next stage; in `both` the second server begins."""
    crowd = Crowd(made(url, rules[:1]), rules_version(*rules[-1]))
    pipe.send("ready")
    number, due = 0, time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        while True:
            if pipe.poll(max(0.0, due - time.monotonic())):
                if not (stage := pipe.recv()):
                    break
                crowd.stage = stage
                if crowd.stage == "both":
                    crowd.servers += made(url, rules[1:])
                    crowd.servers[-1].store.verify(deadline=soon())
                continue
            pool.submit(crowd.live, number, due)
            number, due = number + 1, due + 1 / rate
    pipe.send(crowd.told)


@contextmanager
def beside(url: str, rules: Sequence[Rules], rate: float, told: Told) -> Iterator[Connection]:
    """Whoever sends the name of a stage says what goes on; in the end it is told what was said."""
    here, there = multiprocessing.Pipe()
    of = (url, rules, rate, there)
    process = multiprocessing.get_context("spawn").Process(target=sign_up, args=of)
    process.start()
    here.recv()
    yield here
    here.send("")
    last: Told = here.recv()
    process.join()
    for name in Told.__slots__:
        setattr(told, name, getattr(last, name))
