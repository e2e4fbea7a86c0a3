"""Names go to other rules while people sign up at two servers: how fast, and whether all is well.

    python -m benchmarks.rekey --names 100000 --to strict

`--to strict`: one server of each mode of look-alikes, the old one kept past the switch, when it may
grant nothing more. `--to 4`: from rules 3 to 4; both servers know both. Names are those of forty
languages, two in a hundred of them one by the new rules. Fifty people a second sign up in another
process, and some leave again. Fails where a name is lost or has a second owner, where the checker
finds something in what those people were told, or where somebody of a group cannot sign in.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from sqlalchemy import create_engine, text

from benchmarks.sign_ups import Rules, Told, beside, made
from dibs.adopt.importing import find_groups, import_people
from dibs.adopt.people import Person
from dibs.names import Parser
from dibs.names.skeleton import OLD_RULES
from dibs.store.names.rekey import Rekey
from tests.backends import BACKENDS
from tests.race.test_rekey import server
from tests.support.contract import soon

DATABASES = {backend.name: backend for backend in BACKENDS}
WAYS: dict[str, tuple[Rules, Rules]] = {
    "strict": (("standard", 4), ("strict", 4)),
    "4": (("standard", OLD_RULES), ("standard", 4)),
}
LISTED = [
    line.partition(": ")[2].split()
    for line in Path("tests/unit/data/names.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
SYLLABLES = ["an", "ma", "ri", "el", "jo", "lu", "ka", "sa", "ben", "do", "mi", "ta", "ro", "ni"]
TWINS = {
    "strict": [("paypal", "paypai"), ("wikka", "wlkka"), ("bob", "b0b"), ("ilse", "llse")],
    "4": [("ȷohn", "john"), ("กํ้า", "ก้ํา"), ("काे", "को"), ("りか", "リか"), ("千エ", "チエ")],
}
RATE, IDLE_S = 50, 10.0


def names(count: int, to: str) -> Iterator[str]:
    """Different names by the rules of before, the same ones each time."""
    dice, seen = random.Random(1), set[str]()
    read = Parser(lookalikes=WAYS[to][0][0], rules=WAYS[to][0][1]).existing
    while len(seen) < count:
        some, number = dice.choice(LISTED), dice.randrange(1000)
        if dice.random() < 0.7:
            some = ["".join(dice.choices(SYLLABLES, k=dice.randint(1, 3))) for _ in "ab"]
        wanted = [f"{some[0]}{dice.choice(['', '_', '.'])}{dice.choice(some)}{number}"]
        if dice.random() < 0.01:
            wanted = [f"{one}{number}.{len(seen)}" for one in dice.choice(TWINS[to])]
        for name in wanted:
            if (key := read(name).key) not in seen:
                seen.add(key)
                yield name


@click.command()
@click.option("--names", "count", default=100_000, show_default=True)
@click.option("--to", type=click.Choice(list(WAYS)), default="strict", show_default=True)
@click.option("--databases", default=",".join(DATABASES), show_default=True)
def main(count: int, to: str, databases: str) -> None:
    """Say how many names a second each step takes, and what people were told meanwhile."""
    wrong: list[str] = []
    for name in databases.split(","):
        backend = DATABASES[name]
        url = backend.migrated()
        wrong += run(name, url, count, to)
        backend.close()
    if wrong:
        raise click.ClickException("; ".join(wrong))


def run(database: str, url: str, count: int, to: str) -> list[str]:
    """Moves the names of one database; says what is wrong in the end."""
    engine = create_engine(url)
    (old_mode, old_rules), (new_mode, new_rules) = WAYS[to]
    parser = Parser(lookalikes=old_mode, rules=old_rules)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE dibs_meta SET rules_version = {parser.rules_version}"))
    them = [Person(f"p{at}", name) for at, name in enumerate(names(count, to))]
    import_people(engine, them, kind="user", parser=parser)
    told = Told()
    took: dict[str, float] = {}
    with beside(url, WAYS[to], RATE, told) as stage:
        time.sleep(IDLE_S)
        work = Rekey(server(url, parser=parser).store.transactions)
        target = Parser(lookalikes=new_mode, rules=new_rules).rules_version
        steps: dict[str, Callable[[], Any]] = {
            "begin": lambda: work.begin(target),
            "both": lambda: time.sleep(IDLE_S / 2),
            "switch": work.switch,
            "after": lambda: time.sleep(IDLE_S / 2),
            "finish": work.finish,
        }
        for name, step in steps.items():
            stage.send(name)
            began = time.perf_counter()
            done = step()
            took[name] = time.perf_counter() - began
            if done is not None:
                moved = f"{done.apart:,} with another key, {done.moved:,} moved"
                click.echo(f"{database} {name}: {moved}", err=True)
    for name, waits in told.waits.items():
        rate = (
            f", {count / took[name]:,.0f} names a second"
            if name in ("begin", "switch", "finish")
            else ""
        )
        click.echo(
            f"{database} {name}: {len(waits)} sign-ups, p99 {told.p99(name):.0f} ms; by the old"
            f" server {told.granted[name, 0]} granted, {told.refused[name, 0]} answered 503{rate}"
        )
    found = _lost(engine, them) + _outside(engine, url, to) + told.wrong()
    found += ["the old server granted one"] * bool(to == "strict" and told.granted["after", 0])
    return [f"{database}: {one}" for one in found]


def _lost(engine: Any, them: list[Person]) -> list[str]:
    """Whoever has not exactly their name any more, or shares it."""
    with engine.connect() as connection:
        sql = "SELECT owner, display FROM dibs_names WHERE state = 'owned'"
        rows = [
            tuple(v.decode() if isinstance(v, bytes) else v for v in row)
            for row in connection.execute(text(sql))
        ]
    has, owners = dict(rows), Counter(display for _, display in rows)
    lost = [one.name for one in them if has.get(one.id) != one.name]
    twice = [name for name, number in owners.items() if number > 1]
    return [f"lost: {len(lost)}, as {lost[:3]}"] * bool(lost) + [f"two own {twice[:3]}"] * bool(
        twice
    )


def _outside(engine: Any, url: str, to: str) -> list[str]:
    """Who of a group is not found by their name."""
    at = made(url, WAYS[to])[1]
    at.store.verify(deadline=soon())
    members = [one for group in find_groups(engine) for one in group.members]
    outside = [one.name for one in members if at.owner(str(one.name)) != one.id]
    click.echo(f"  {len(members)} people in groups, {len(outside)} of them cannot sign in")
    at.close()
    return [f"cannot sign in: {outside[:3]}"] * bool(outside)


if __name__ == "__main__":
    main()
