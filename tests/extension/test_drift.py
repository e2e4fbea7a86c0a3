"""What went past the guard is found by `flask dibs check`, and mended by the command it names."""

import json
from typing import Any

import pytest
from sqlalchemy import delete, insert, text, update

from dibs import NameTaken
from dibs.store.host.drift import PAGE, Apart, find_drift
from tests.backends import SQLITE
from tests.extension.guarded import Guarded, run


def drift(guarded: Guarded, *, mend: bool = False, column: int = 0) -> Any:
    return find_drift(guarded.db.engine, guarded.dibs.guards[column], mend=mend)


def test_all_is_well(guarded: Guarded):
    guarded.add("ada", None, "grace")
    assert (drift(guarded).people, drift(guarded).apart) == (2, [])
    checked = run(guarded, "check")
    assert checked.exit_code == 0, checked.output
    assert "Member.username: 2 people, all have their names" in checked.output
    unique = {"sqlite": "UNIQUE (username)", "postgresql": "member_username_key"}
    name = unique.get(guarded.backend.name, "username")
    assert f"Member.username: the database keeps it unique, too, by {name}\n" in checked.output
    assert "Page.slug: the database" not in checked.output


DOORS = {
    "bulk_save_objects": lambda g: g.db.session.bulk_save_objects([g.Member(username="lin")]),
    "bulk insert": lambda g: g.db.session.execute(insert(g.Member), [{"username": "lin"}]),
    "bulk update": lambda g: g.db.session.execute(update(g.Member).values(username="lin")),
    "bulk delete": lambda g: g.db.session.execute(delete(g.Member)),
    "sql": lambda g: g.db.session.execute(text("UPDATE member SET username = 'lin'")),
}


@pytest.mark.parametrize("door", DOORS)
def test_what_goes_past_is_found_and_mended(guarded: Guarded, door):
    guarded.add("ada")
    DOORS[door](guarded)
    guarded.db.session.commit()
    checked = run(guarded, "check")
    assert (checked.exit_code, "All is well" in checked.output) == (1, False)
    assert "1 name and its owner have come apart" in checked.output
    helps = "adopt import" if "insert" in door or "save" in door else "adopt verify --mend"
    assert f"`flask dibs {helps}`" in checked.output, checked.output
    mended = run(guarded, "adopt", "verify", "--mend")
    assert (mended.exit_code, "1 mended" in mended.output) == (0, True), mended.output
    assert run(guarded, "check").exit_code == 0
    assert guarded.owners() == {str(name): id_ for name, id_ in guarded.members().items()}


def old_people(guarded: Guarded, *names: str) -> None:
    """As they were there before dibs."""
    for name in names:
        guarded.db.session.execute(
            text("INSERT INTO member (username) VALUES (:name)"), {"name": name}
        )
    guarded.db.session.commit()


@pytest.mark.parametrize(("people", "warnings"), [([], 0), (["susan"], 1)])
def test_a_table_with_people_is_warned_of_once(guarded: Guarded, caplog, people, warnings):
    """By the first guarded flush of a process, for at most two statements that read one row."""
    old_people(guarded, *people)
    with guarded.statements() as sent:
        guarded.add("ada")
        guarded.add("grace")
    told = [one.getMessage() for one in caplog.records if one.name.endswith("guard")]
    assert len(told) == warnings
    assert all("Member.username" in one and "flask dibs adopt import" in one for one in told)
    assert len([sql for sql in sent if "FROM member" in sql]) == 1


def test_people_who_were_there_before(guarded: Guarded):
    """Whatever the rules for new names say; the lowest key first where two are one name."""
    names = ["admin", "a b", "x", "12345", "susan", "paypa1", "paypal"]
    old_people(guarded, *names)
    found = drift(guarded)
    assert found.people == len(names)
    assert {one.why for one in found.apart} == {"unclaimed"}
    mended = drift(guarded, mend=True)
    assert mended.mended == len(names) - 1
    assert [(one.name, one.why) for one in mended.apart] == [("paypal", "taken")]
    assert set(guarded.owners()) == set(names) - {"paypal"}
    guarded.db.session.add(guarded.Member(username="Susan"))
    with pytest.raises(NameTaken):
        guarded.db.session.commit()


def test_mending_may_be_the_first_that_is_done(guarded: Guarded):
    """After the app's own migration, which writes no rows."""
    old_people(guarded, "ada")
    guarded.backend.execute("DELETE FROM dibs_meta", guarded.url)
    assert run(guarded, "check").exit_code == 1
    assert run(guarded, "adopt", "verify", "--mend").exit_code == 0
    assert run(guarded, "check").exit_code == 0


def test_mending_twice_changes_nothing(guarded: Guarded):
    old_people(guarded, "ada", "grace")
    drift(guarded, mend=True)
    with guarded.statements() as sent:
        assert drift(guarded, mend=True).mended == 0
    assert not [sql for sql in sent if sql.startswith(("INSERT", "UPDATE dibs", "DELETE"))]


def test_more_than_a_page(guarded: Guarded):
    names = [f"member-{i}x" for i in range(PAGE + 3)]
    guarded.db.session.execute(insert(guarded.Member), [{"username": name} for name in names])
    guarded.db.session.commit()
    assert len(drift(guarded).apart) == len(names)
    assert drift(guarded, mend=True).mended == len(names)
    assert drift(guarded).apart == []
    guarded.db.session.execute(delete(guarded.Member))
    guarded.db.session.commit()
    assert {one.why for one in drift(guarded).apart} == {"without_owner"}
    assert drift(guarded, mend=True).mended == len(names)
    assert guarded.owners() == {}


def test_ids_that_the_app_makes(guarded: Guarded):
    page = guarded.Page(slug="left")
    guarded.db.session.add(page)
    guarded.db.session.commit()
    owner = page.id
    guarded.db.session.execute(delete(guarded.Page))
    guarded.db.session.commit()
    assert drift(guarded, column=1).apart == [Apart(owner, "left", "without_owner")]


def test_namespace_of_each(guarded: Guarded):
    rows = [{"room": room, "label": "left"} for room in ("a", "b")]
    guarded.db.session.execute(insert(guarded.Seat), rows)
    guarded.db.session.commit()
    assert drift(guarded, mend=True, column=2).mended == 2
    assert drift(guarded, column=2).apart == []


@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
def test_report(guarded: Guarded):
    old_people(guarded, *[f"member-{i}x" for i in range(30)])
    shown = run(guarded, "adopt", "verify")
    assert shown.exit_code == 1
    assert "Member.username: 30 people, 30 open" in shown.output
    assert "'member-0x' is not claimed" in shown.output
    assert "and 10 more: --json has all of them" in shown.output
    listed = run(guarded, "adopt", "verify", "--json")
    assert listed.exit_code == 1
    assert len(json.loads(listed.output)[0]["apart"]) == 30


@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
def test_app_without_a_guard(host):
    refused = run(host, "adopt", "verify")
    assert refused.exit_code == 1
    assert "dibs.guard(User.username)" in refused.output
