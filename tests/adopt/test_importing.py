"""People who are there already get their names, however often it is asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from dibs.adopt.importing import (
    Imported,
    find_groups,
    import_people,
    make_first,
    undo,
)
from dibs.adopt.people import Person
from dibs.names import Parser
from dibs.signals import NameChange, name_claimed, name_renamed
from dibs.store import Claim, NameStore, Won
from dibs.store.names.history import History
from tests.support.contract import soon

PARSER = Parser()
KIND = "users"
AWKWARD = ("admin", "a b", "x@example.org", "42", "Ünïcøde", "back\\slash", "%s", "paypa1", "中文")
COLLIDING = ("Ada", "ada", "ADA", "modern", "modem", "Zoe", "zoe")

Row = tuple[object, ...]


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url, poolclass=NullPool)
    yield engine
    engine.dispose()


def people(*names: object) -> list[Person]:
    return [Person(str(at), name) for at, name in enumerate(names, 1)]


def run(engine: Engine, them: Sequence[Person], **options: Any) -> Imported:
    return import_people(engine, iter(them), kind=KIND, parser=PARSER, **options)


def rows(engine: Engine) -> list[Row]:
    """All that is said of names, but for when."""
    sql = (
        "SELECT namespace, name_key, canonical, display, state, owner_kind, owner, version, actor,"
        " registered FROM dibs_names ORDER BY 1, 2"
    )
    with engine.connect() as connection:
        found = connection.execute(text(sql)).all()
    return [tuple(v.decode() if isinstance(v, bytes) else v for v in row) for row in found]


def named(engine: Engine) -> dict[str, str]:
    """What each owner is called."""
    return {str(row[6]): str(row[3]) for row in rows(engine) if row[4] == "owned"}


@pytest.mark.parametrize("batch", [1, 3, 5000])
def test_everybody_keeps_their_name(engine: Engine, batch: int) -> None:
    them = people(*AWKWARD, *COLLIDING, None)
    done = run(engine, them, batch=batch)
    assert named(engine) == {one.id: one.name for one in them if one.name is not None}
    assert (done.people, done.adopted, done.already, done.left_out) == (16, 16, 0, [])
    assert done.grouped == len(COLLIDING)
    groups = {one.key: [member.name for member in one.members] for one in find_groups(engine)}
    assert groups == {
        "ada": ["ADA", "Ada", "ada"],
        "rnodern": ["modem", "modern"],
        "zoe": ["Zoe", "zoe"],
    }


def test_a_second_time_nothing_changes(engine: Engine) -> None:
    them = people(*AWKWARD, *COLLIDING)
    run(engine, them, batch=4)
    before = rows(engine)
    random.Random(1).shuffle(them)
    again = run(engine, them, batch=3)
    assert (again.adopted, again.already, again.grouped) == (0, len(them), 0)
    assert rows(engine) == before


def test_what_cannot_be_kept_is_said(engine: Engine) -> None:
    bad = people("nul\0", "lone\ud800", 12, "x" * 10_000, "", "ok", "ok")
    done = run(engine, [*bad, Person("", "empty"), Person("y" * 100, "long")])
    assert named(engine) == {"6": "ok"}
    codes = {one.person.id: one.code for one in done.left_out}
    assert codes == {
        "1": "control",
        "2": "control",
        "3": "not_text",
        "4": "too_long",
        "5": "empty",
        "7": "taken",
        "": "id",
        "y" * 100: "id",
    }
    assert done.people == len(bad) + 2


def test_on_sqlite_others_may_write_in_between(engine: Engine) -> None:
    """It has one writer at a time, so a batch is small there, however many were asked for."""
    seen: list[int] = []
    run(
        engine, people(*map("ada{}".format, range(600))), progress=lambda it: seen.append(it.people)
    )
    assert seen == ([250, 500, 600] if engine.dialect.name == "sqlite" else [600])


@pytest.mark.parametrize("batch", [1, 5000])
def test_what_was_imported_again_is_taken_back_again(engine: Engine, batch: int) -> None:
    """Whoever made room for another in a group had their name by the import, too."""
    them = people(*COLLIDING, "bert", "x y")
    for _ in range(3):
        done = run(engine, them, batch=batch)
        assert (done.adopted, done.left_out) == (len(them), [])
        assert named(engine) == {one.id: one.name for one in them}
        undo(engine, kind=KIND)
        assert named(engine) == {}
        assert undo(engine, kind=KIND) == []


@pytest.mark.parametrize("owner", ["CORP\\ada", "a\tb", "a\nb", "a\u00a0b", "\u200bb", "\\N"])
def test_an_id_that_is_text_can_own_a_name(engine: Engine, owner: str) -> None:
    """As the audit says: what a directory has as an id may hold anything."""
    assert run(engine, [Person(owner, "ada")]).left_out == []
    assert named(engine) == {owner: "ada"}
    assert run(engine, [Person(owner, "ada")]).already == 1


def claim(store: NameStore, name: str, owner: str, kind: str = KIND) -> None:
    wish = Claim(PARSER.existing(name), kind, owner, f"token of {name}")
    assert isinstance(store.claim(wish, deadline=soon()), Won)


def test_who_claimed_before_may_be_the_newcomer(engine: Engine, store: NameStore) -> None:
    """Nobody loses a name: the row of who came first by dibs becomes a group's."""
    claim(store, "ADA", "newcomer")
    done = run(engine, people("ada", "bob"))
    assert named(engine) == {"newcomer": "ADA", "1": "ada", "2": "bob"}
    assert (done.adopted, done.grouped) == (2, 2)


def test_who_claims_meanwhile_is_seen_in_a_table_that_was_empty(
    engine: Engine, store: NameStore
) -> None:
    """Where no name had a row, those of new keys are not looked for: the constraint tells."""

    def crowd() -> Iterator[Person]:
        yield from people(*map("n{}".format, range(4)))
        yield from (Person(name, name) for name in ("BOB", "eve", "Ada"))

    def come(done: Imported) -> None:
        if done.people == 2:
            claim(store, "ada", "newcomer")
            claim(store, "bob", "another")

    done = import_people(engine, crowd(), kind=KIND, parser=PARSER, batch=2, progress=come)
    there = {str(at): f"n{at - 1}" for at in range(1, 5)}
    there |= {"newcomer": "ada", "Ada": "Ada", "another": "bob", "BOB": "BOB", "eve": "eve"}
    assert named(engine) == there
    assert (done.people, done.adopted, done.grouped, done.left_out) == (7, 7, 4, [])


def test_who_is_renamed_again_and_again_ends_no_import(engine: Engine, store: NameStore) -> None:
    """A guarded app writes the new name's row before any try of the import has heard of it."""
    tried: list[str] = []

    def crowd() -> Iterator[Person]:
        for at in range(9):
            claim(store, f"then{at}", "1")
        yield from people("ada", "bob")

    def now(_: object, read: Sequence[Person]) -> list[Person]:
        tried.append(f"then{len(tried)}")
        return [Person("1", tried[-1]), *read[1:]]

    done = import_people(engine, crowd(), kind=KIND, parser=PARSER, now=now)
    assert (tried, done.already, done.adopted) == (["then0", "then1"], 1, 1)


def test_keys_that_share_a_slot_are_looked_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is all that happens to them."""
    monkeypatch.setattr("dibs.store.names.adoption.SLOTS", 3)
    them = people(*map("n{}".format, range(40)), "N7", "N8")
    done = run(engine, them, batch=10)
    assert named(engine) == {one.id: one.name for one in them}
    assert (done.adopted, done.grouped) == (42, 4)


def test_held_reserved_and_quarantined_names_are_their_owners(
    engine: Engine, store: NameStore
) -> None:
    wish = Claim(PARSER.existing("Held"), "hold", "x", "t", state="held", lasts=10**6)
    assert isinstance(store.claim(wish, deadline=soon()), Won)
    wish = Claim(PARSER.existing("kept"), "staff", "x", "t2", state="reserved")
    assert isinstance(store.claim(wish, deadline=soon()), Won)
    claim(store, "gone", "somebody")
    assert store.release("gone", owner="somebody", deadline=soon())
    done = run(engine, people("held", "kept", "gone", "GONE"))
    assert named(engine) == {"1": "held", "2": "kept", "3": "gone", "4": "GONE"}
    assert (done.adopted, done.grouped) == (4, 2)
    told = History(store.transactions, "default").of_name(
        PARSER.existing("held"), limit=9, deadline=soon()
    )
    assert (told[0].change.action, told[0].change.actor) == ("adopted", "adopt")


def test_a_plan_names_a_first_and_renames(engine: Engine) -> None:
    them = people("Ada", "ada", "ADA", "taken")
    decisions = {
        ("default", "2"): "first",
        ("default", "3"): "rename:countess",
        ("default", "1"): "rename:taken",
    }
    told: list[NameChange] = []

    def hear(change: NameChange) -> None:
        told.append(change)

    with name_renamed.connected_to(hear), name_claimed.connected_to(hear):
        done = run(engine, [them[3], *them[:3]], decisions=decisions)
    assert named(engine) == {"1": "Ada", "2": "ada", "3": "countess", "4": "taken"}
    assert [(one.person.id, one.became) for one in done.renamed] == [("3", "countess")]
    assert [(one.person.id, one.code) for one in done.left_out] == [("1", "rename_taken")]
    assert [(one.owner, one.was, one.became) for one in told] == [("3", "ADA", "countess")]
    assert [(one.key, one.first) for one in find_groups(engine)] == [("ada", "2")]
    before = rows(engine)
    again = run(engine, them, decisions=decisions)
    assert rows(engine) == before
    assert again.adopted == 0


def test_a_group_is_settled_later(engine: Engine) -> None:
    run(engine, people("Ada", "ada", "bob"))
    assert make_first(engine, "default", "ada", "2")
    assert make_first(engine, "default", "ada", "2")
    assert not make_first(engine, "default", "ada", "3")
    assert not make_first(engine, "default", "bob", "3")
    assert [one.first for one in find_groups(engine)] == ["2"]


def test_undo_takes_back_what_nobody_has_changed(engine: Engine, store: NameStore) -> None:
    claim(store, "aDA", "newcomer")
    claim(store, "other", "a team", kind="teams")
    before = rows(engine)
    them = people(*AWKWARD, *COLLIDING)
    run(engine, them, batch=4)
    run(engine, [Person(f"more-{at}", f"more{at}") for at in range(2500)])
    assert store.release("rnodern", owner="1", deadline=soon()) is False
    assert store.release("adrnin", owner="1", deadline=soon())
    freed = undo(engine, kind=KIND)
    assert {"rnorel", "rnodern", "paypal"} <= {row.key for row in freed}
    owned = [row for row in rows(engine) if row[4] == "owned"]
    assert [row[3:7] for row in owned] == [row[3:7] for row in before]
    assert list(find_groups(engine)) == []
    run(engine, them)
    assert len(named(engine)) == len(them) + 2


@pytest.mark.parametrize("where", ["", "a\tb", "a\nb\\", "\\N"])
def test_namespaces_as_columns_have_them(engine: Engine, where: str) -> None:
    run(engine, [Person("1", "back\\slash", where), Person("2", "\\N", where)])
    assert {row[0] for row in rows(engine)} == {where}
    assert named(engine) == {"1": "back\\slash", "2": "\\N"}


def test_names_of_several_namespaces(engine: Engine) -> None:
    them = [
        Person(f"{at}-{where}", name, where) for where in "ab" for at, name in enumerate(COLLIDING)
    ]
    run(engine, them)
    assert {(one.namespace, one.key) for one in find_groups(engine)} == {
        (where, key) for where in "ab" for key in ("ada", "rnodern", "zoe")
    }
