"""What the service has over HTTP, an app has in Python, in its own transaction."""

import threading
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dibs import InvalidName, NameHeld, NameNotOwned, NameOwner, NameTaken, TransactionMustRestart
from dibs.errors import HoldNotFound, HoldOfAnotherName, NameLookalike, OwnerWithoutIdentity
from dibs.names import Parser
from dibs.names.made import made_of
from tests.backends import MARIADB, POSTGRESQL
from tests.extension.conftest import Host
from tests.extension.guarded import Guarded


def test_owner_of_any_spelling_and_of_no_lookalike(host: Host):
    ada = host.owned("barney")
    assert host.dibs.owner_of("Barney") == NameOwner("user", str(ada.id), "barney")
    assert host.dibs.owner_of("ｂａｒｎｅｙ") == NameOwner("user", str(ada.id), "barney")
    işıl = host.owned("Işıl", "işıl@example.org")
    assert host.dibs.owner_of("IŞIL") == NameOwner("user", str(işıl.id), "Işıl")
    for nobody in ("bamey", "free-one", "", "a\0b"):
        assert host.dibs.owner_of(nobody) is None


def test_old_name_leads_to_the_new_one(host: Host):
    host.app.extensions["dibs"].quarantine = 86_400_000
    ada = host.owned("Ada")
    host.dibs.rename("Ada", "Lovelace", owner=ada)
    host.db.session.commit()
    assert host.dibs.owner_of("ada") == NameOwner("user", str(ada.id), "Lovelace", was="Ada")
    host.dibs.claim("countess", owner=ada)
    assert host.dibs.owner_of("ada") is None, "of two names none took its place"


def test_names_of(host: Host):
    ada = host.owned("Ada")
    host.dibs.claim("Countess", owner=ada)
    assert host.dibs.names_of(ada) == ["Ada", "Countess"]
    assert host.dibs.names_of(ada.id) == ["Ada", "Countess"]
    assert host.dibs.names_of(7777) == []
    with pytest.raises(OwnerWithoutIdentity):
        host.dibs.names_of(host.User())


def test_plain_id_and_instance_are_one_owner(guarded: Guarded):
    """Of a table that is not called `user`, by the guard or by the class."""
    (ada,) = guarded.add("Ada")
    assert guarded.dibs.names_of(ada.id) == ["Ada"]
    guarded.dibs.claim("countess", owner=ada.id)
    guarded.dibs.namespace("pages").claim("ada", owner=ada.id, kind=guarded.Member)
    guarded.db.session.commit()
    assert guarded.dibs.names_of(ada) == ["Ada", "countess"]
    assert guarded.dibs.namespace("pages").names_of(ada) == ["ada"]
    guarded.db.session.delete(ada)
    guarded.db.session.commit()
    assert guarded.owners() == {}


def test_check_many_is_one_query(guarded: Guarded):
    guarded.add("barney")
    asked = ["BARNEY", "bamey", "free-one", "a b", "free-one"]
    with guarded.statements() as sent:
        answers = guarded.dibs.check_many(asked)
    assert [(one.available, one.reason) for one in answers] == [
        (False, "taken"),
        (False, "lookalike"),
        (True, None),
        (False, "invalid"),
        (True, None),
    ]
    assert [one.name for one in answers] == asked
    assert sum("dibs_names" in sql for sql in sent) == 1


def test_suggestions_are_free(host: Host):
    host.owned("Ada")
    names = host.dibs.suggest("ada")
    assert len(names) == 5
    assert all(one.available for one in host.dibs.check_many(names))
    host.dibs.claim(names[0], owner=7)
    assert names[0] not in host.dibs.suggest("ada")
    assert host.dibs.suggest("a b") == []


def test_history(host: Host):
    ada = host.owned("Ada")
    host.dibs.rename("Ada", "Lovelace", owner=ada)
    host.db.session.commit()
    actions = [one.change.action for one in host.dibs.history("ada")]
    assert actions == ["left", "claimed"]
    assert len(host.dibs.history("ada", limit=1)) == 1


def test_or_mine(host: Host):
    ada = host.owned("Ada")
    assert host.dibs.claim("ADA", owner=ada, or_mine=True).display == "ADA"
    with pytest.raises(NameTaken):
        host.dibs.claim("ADA", owner=ada)
    with pytest.raises(NameTaken):
        host.dibs.claim("ada", owner=host.user("eve@example.org"), or_mine=True)


def test_or_mine_is_not_of_a_lookalike(host: Host):
    ada = host.owned("barney")
    with pytest.raises(NameLookalike):
        host.dibs.claim("bamey", owner=ada, or_mine=True)


def test_staff_may_give_what_is_reserved(host: Host):
    with pytest.raises(InvalidName):
        host.dibs.claim("support", owner=7)
    host.dibs.claim("support", owner=7, by_staff=True)
    with pytest.raises(NameTaken):
        host.dibs.claim("Support", owner=8, by_staff=True)


def test_claim_many(guarded: Guarded):
    """One statement; whoever is refused is left out, the others are stored."""
    (ada,) = guarded.add("barney")
    people = [guarded.Member() for _ in range(5)]
    guarded.db.session.add_all(people)
    wanted = ["Grace", "bamey", "a b", "grace", "lin"]
    with guarded.statements() as sent:
        answers = guarded.dibs.claim_many(zip(wanted, people, strict=True))
    guarded.db.session.commit()
    kinds = [type(one).__name__ for one in answers]
    assert kinds == ["Username", "NameLookalike", "InvalidName", "NameTaken", "Username"]
    assert sum("INSERT INTO dibs_names" in sql for sql in sent) == 1
    grace, lin = people[0], people[4]
    assert guarded.owners() == {"barney": str(ada.id), "Grace": str(grace.id), "lin": str(lin.id)}
    assert len(guarded.backend.execute("SELECT id FROM member", guarded.url)) == 3
    assert guarded.dibs.claim_many([]) == []


def test_claim_many_looks_at_every_owner(guarded: Guarded):
    """One who was never added is refused before anything is claimed; one left out comes back."""
    guarded.add("barney")
    people = [guarded.Member() for _ in range(2)]
    guarded.db.session.add(people[0])
    with pytest.raises(OwnerWithoutIdentity):
        guarded.dibs.claim_many(zip(["grace", "lin"], people, strict=True))
    guarded.db.session.add(people[1])
    with pytest.raises(NameTaken):
        guarded.dibs.claim("Barney", owner=people[1])
    guarded.dibs.claim_many(zip(["grace", "lin"], people, strict=True))
    guarded.db.session.commit()
    assert set(guarded.owners()) == {"barney", "grace", "lin"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["ada", "Ada Lovelace"], "ada"),
        (["barney", "Ada Lovelace"], "Ada.Lovelace"),
        (["bamey", "lin"], "lin"),
        (["CORP\\lin", "x"], "lin"),
        (["admin", "lin@example.org"], "lin"),
    ],
)
def test_first_that_can_be_had(host: Host, names, expected):
    host.owned("barney")
    user = host.user("lin@example.org")
    assert host.dibs.claim_first(names, owner=user).display == expected
    host.db.session.commit()
    assert host.names()[expected] == "owned"


def test_first_is_made_where_none_is_free(host: Host):
    host.owned("barney")
    made = host.dibs.claim_first(["barney"], owner=host.user("lin@example.org"))
    host.db.session.commit()
    assert made.display.startswith("b")
    assert set(host.names()) == {"barney", made.display}


@pytest.mark.parametrize("names", [["@@", "!"], [], ["admin"]])
def test_first_of_nothing(host: Host, names):
    with pytest.raises(InvalidName):
        host.dibs.claim_first(names, owner=host.user())
    host.db.session.commit()
    assert host.committed("SELECT * FROM note") == []
    assert host.names() == {}


@pytest.mark.race
def test_first_of_16_who_are_called_alike(host: Host):
    """All come at once from elsewhere as `Ada`: each gets a name, and no two get one."""
    host.owned("warm")
    barrier = threading.Barrier(16)
    got: list[Any] = []

    def join(i: int) -> None:
        with host.app.app_context():
            barrier.wait()
            try:
                user = host.user(f"{i}@example.org")
                name = host.dibs.claim_first(["Ada", "Ada Lovelace"], owner=user)
                host.db.session.commit()
                got.append(name.key)
            except (TransactionMustRestart, OperationalError) as error:
                host.db.session.rollback()
                got.append(type(error))
            host.db.session.remove()

    threads = [threading.Thread(target=join, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = [one for one in got if isinstance(one, str)]
    assert len(got) == 16
    assert len(set(keys)) == len(keys) >= 1
    assert len(host.names()) == len(keys) + 1


@pytest.mark.parametrize(
    ("said", "made"),
    [
        ("Ada Lovelace", "Ada.Lovelace"),
        ("ada+news@example.org", "ada"),
        ("CORP\\ada", "ada"),
        ("O'Neil, Sean", "ONeil.Sean"),
        ("हिन्दी नाम", "हिन्दी.नाम"),
        ("李小龙", "李小龙"),
        ("x" * 50, "x" * 30),
        ("@@", None),
        ("a", None),
        ("", None),
    ],
)
def test_name_made_of_what_somebody_is_called(said, made):
    username = made_of(said, Parser())
    assert (username and username.display) == made


def test_transfer(host: Host):
    host.app.extensions["dibs"].quarantine = 86_400_000
    ada = host.owned("Ada")
    eve = host.owned("eve", "eve@example.org")
    assert host.dibs.transfer("ADA", to=eve).display == "Ada"
    host.db.session.commit()
    assert host.dibs.names_of(eve) == ["Ada", "eve"]
    assert host.dibs.names_of(ada) == []
    assert host.dibs.history("ada")[0].change.action == "transferred"
    for name in ("free-one", "Adа"):
        with pytest.raises(NameNotOwned):
            host.dibs.transfer(name, to=eve)


def test_hold_and_redeem(host: Host):
    token = host.dibs.hold("Ada", seconds=60)
    host.db.session.commit()
    with pytest.raises(NameHeld):
        host.dibs.claim("ada", owner=7)
    with pytest.raises(HoldOfAnotherName):
        host.dibs.claim("bob", owner=7, hold=token)
    assert host.dibs.claim("ADA", owner=7, hold=token).display == "ADA"
    host.db.session.commit()
    assert host.names() == {"ADA": "owned"}
    with pytest.raises(HoldNotFound):
        host.dibs.let_go(token)


def test_hold_is_let_go(host: Host):
    token = host.dibs.hold("Ada")
    host.db.session.commit()
    host.dibs.let_go(token)
    host.db.session.commit()
    assert host.dibs.check("ada").available
    for gone in (token, "x.y", ""):
        with pytest.raises(HoldNotFound):
            host.dibs.let_go(gone)


def test_hold_is_undone_by_a_rollback(host: Host):
    host.dibs.hold("Ada")
    host.db.session.rollback()
    assert host.dibs.check("ada").available


def test_retry_runs_it_again(host: Host):
    tries: list[int] = []

    def work() -> str:
        tries.append(1)
        host.dibs.claim("Ada", owner=host.user(f"{len(tries)}@example.org"))
        if len(tries) < 3:
            raise TransactionMustRestart
        return "done"

    assert host.dibs.retry(work) == "done"
    assert len(tries) == 3
    assert host.names() == {"Ada": "owned"}
    with pytest.raises(ZeroDivisionError):
        host.dibs.retry(lambda: 1 // 0)


def test_retry_gives_up(host: Host):
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise TransactionMustRestart

    with pytest.raises(TransactionMustRestart):
        host.dibs.retry(work, tries=2)
    assert len(tries) == 2


@pytest.mark.parametrize("backend", [POSTGRESQL, MARIADB], ids=str, indirect=True)
def test_retry_mends_a_real_deadlock(host: Host):
    """Two transactions lock two rows in opposite orders: one loses, and runs again."""
    ids = [host.owned(f"name{i}x", f"{i}@example.org").id for i in range(2)]
    table = '"user"' if host.url.startswith("postgresql") else "user"
    barrier, tries = threading.Barrier(2), list[int]()

    def swap(order: list[int]) -> None:
        first = True

        def work() -> None:
            nonlocal first
            tries.append(1)
            for i in order:
                host.db.session.execute(
                    text(f"UPDATE {table} SET email = :e WHERE id = :i"),
                    {"e": f"{i}-{order[0]}@example.org", "i": i},
                )
                if first:
                    first = False
                    barrier.wait()

        with host.app.app_context():
            host.dibs.retry(work)
            host.db.session.remove()

    threads = [threading.Thread(target=swap, args=(o,)) for o in (ids, ids[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tries) == 3
