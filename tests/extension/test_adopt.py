"""An app's own columns: guarded ones, and those that are not yet."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from dibs import InvalidName, NameTaken
from dibs.store.host.people import MappedPeople
from tests.backends import SQLITE
from tests.extension.guarded import Guarded, make_guarded, run


def old(guarded: Guarded, *names: str | None) -> None:
    """People as they were there before dibs."""
    rows = [{"username": name} for name in names]
    guarded.db.session.execute(insert(guarded.Member), rows)
    guarded.db.session.commit()


def test_guarded_column(guarded: Guarded):
    old(guarded, "Ada", "eve", "lin", None)
    said = run(guarded, "adopt", "audit", "Member.username")
    assert said.exit_code == 0, said.output
    assert "Member.username: 3 people have a name, and 3 of them are alone" in said.output
    assert "kept unique so far" in said.output


def test_every_guarded_column(guarded: Guarded):
    """Each in its namespace; a row's own if it says which."""
    old(guarded, "modem", "rnodem")
    rows = [{"room": room, "label": name} for room in "ab" for name in ("left", "Left")]
    guarded.db.session.execute(insert(guarded.Seat), [*rows, {"room": "c", "label": "left"}])
    guarded.db.session.commit()
    members, pages, seats = json.loads(run(guarded, "adopt", "audit", "--json").output)
    assert [one["where"] for one in (members, pages, seats)] == [
        "Member.username",
        "Page.slug",
        "Seat.label",
    ]
    assert [one["namespace"] for one in seats["groups"]] == ["room:a", "room:b"]
    assert (members["grouped"], seats["grouped"], seats["alone"], pages["people"]) == (2, 4, 1, 0)
    assert len(members["uniques"]) == 1


@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
def test_which_column(guarded: Guarded, tmp_path):
    """A report is of one; a column need not be guarded; a table is read by the app's engine."""
    assert (
        "say which: Member.username"
        in run(guarded, "adopt", "audit", "--plan", tmp_path / "p").output
    )
    old(guarded, "ada")
    guarded.db.session.execute(text("UPDATE member SET email = 'ada@example.org'"))
    guarded.db.session.commit()
    unguarded = json.loads(run(guarded, "adopt", "audit", "Member.email", "--json").output)[0]
    assert (unguarded["people"], unguarded["kept"]) == (1, {"at_sign": 1})
    assert (
        "this app has no column Member.mail" in run(guarded, "adopt", "audit", "Member.mail").output
    )
    table = "--table", "member", "--column", "username", "--json"
    assert json.loads(run(guarded, "adopt", "audit", *table).output)[0]["people"] == 1


TABLE = "--table", "member", "--column", "username"


def test_verify_of_a_table(guarded: Guarded):
    """As its guarded column, since what owns the names is the same."""
    old(guarded, "Ada", "lin", None)
    said = run(guarded, "adopt", "verify", *TABLE)
    assert (said.exit_code, "member.username: 2 people, 2 open" in said.output) == (1, True)
    assert run(guarded, "adopt", "verify", *TABLE, "--mend").exit_code == 0
    assert run(guarded, "adopt", "verify", "Member.username").exit_code == 0
    assert "kept unique by the database, too, by" in run(guarded, "adopt", "verify").output
    guarded.db.session.execute(text("DELETE FROM member WHERE username = 'lin'"))
    guarded.db.session.commit()
    gone = run(guarded, "adopt", "verify", *TABLE)
    assert "'lin' has an owner who does not exist" in gone.output
    assert run(guarded, "adopt", "verify", *TABLE, "--mend").exit_code == 0
    assert guarded.owners() == {"Ada": guarded.members()["Ada"]}


@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
def test_verify_of_a_file(guarded: Guarded, tmp_path):
    """Names that were claimed by plain ids; a file that lacks somebody says so."""
    guarded.dibs.claim("ada", owner=7, kind="player")
    guarded.db.session.commit()
    file = tmp_path / "people.csv"
    file.write_text("id,username\n7,ada\n8,grace\n9,a\x01b\n" + "x" * 65 + ",lin\n")
    words = "adopt", "verify", "--csv", file, "--kind", "player"
    found = json.loads(run(guarded, *words, "--json").output)[0]
    assert sorted((one["owner"][:2], one["why"]) for one in found["apart"]) == [
        ("8", "unclaimed"),
        ("9", "invalid"),
        ("xx", "invalid"),
    ]
    file.write_text("id,username\n8,grace\n")
    mended = run(guarded, *words, "--mend")
    assert (mended.exit_code, "2 mended" in mended.output) == (0, True), mended.output
    assert guarded.owners() == {"grace": "8"}


@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
def test_what_the_next_migration_would_drop(guarded: Guarded, monkeypatch):
    monkeypatch.setattr("dibs.cli.host.HostDatabase._warning", lambda self: "It would drop all.")
    said = run(guarded, "adopt", "verify")
    assert (said.exit_code, "It would drop all." in said.output) == (1, True)


# --- import ------------------------------------------------------------------


def test_everybody_keeps_their_name(guarded: Guarded, tmp_path):
    """From the audit to undo, by the commands alone."""
    old(guarded, "paypal", "PayPa1", "admin", "x", "grace", None)
    said = run(guarded, "adopt", "import", "Member.username")
    assert said.exit_code == 0, said.output
    assert "Member.username: 5 people have a name; 5 own it from now on" in said.output
    ids = guarded.members()
    assert guarded.owners() == {name: id_ for name, id_ in ids.items() if name}
    again = json.loads(run(guarded, "adopt", "import", "Member.username", "--json").output)
    assert (again["adopted"], again["already"], again["left_out"]) == (0, 5, [])
    verified = run(guarded, "adopt", "verify")
    assert (verified.exit_code, "1 group keeps its names: 2 people" in verified.output) == (0, True)
    told = json.loads(run(guarded, "adopt", "verify", "--json").output)[0]
    assert (told["groups"], told["people_in_groups"]) == (1, 2)
    listed = run(guarded, "adopt", "groups")
    assert (listed.exit_code, "1 group of 2 people" in listed.output) == (0, True)
    assert json.loads(run(guarded, "adopt", "groups", "--json").output)[0]["first"] is None
    assert guarded.dibs.owner_of("PAYPAL") is None
    first = "--first", ids["PayPa1"], "--json"
    resolved = json.loads(run(guarded, "adopt", "resolve", "PayPal", *first).output)
    assert resolved == {"key": "paypal", "first": ids["PayPa1"]}
    assert f"PayPa1 ({ids['PayPa1']}, first)" in run(guarded, "adopt", "groups").output
    for words in (("grace", "--first", ids["grace"]), ("paypal", "--first", ids["grace"])):
        refused = run(guarded, "adopt", "resolve", *words)
        assert (refused.exit_code, "is in no group" in refused.output) == (1, True)
    assert run(guarded, "adopt", "undo").exit_code == 1  # nobody said yes
    undone = json.loads(run(guarded, "adopt", "undo", "--yes", "--json").output)
    assert undone == {"taken_back": 5}
    assert "grace" not in guarded.owners()


def test_plan(guarded: Guarded, tmp_path):
    """One is first and one is renamed; the app's column stays the app's."""
    old(guarded, "Modem", "rnodem", "rnodern", "lin")
    plan, ids = tmp_path / "plan.csv", guarded.members()
    assert run(guarded, "adopt", "audit", "Member.username", "--plan", plan).exit_code == 1
    text_ = plan.read_text().replace("rnodem,lookalike,keep", "rnodem,lookalike,first")
    plan.write_text(text_.replace("rnodern,lookalike,keep", "rnodern,lookalike,rename:mo-2"))
    said = run(guarded, "adopt", "import", "Member.username", "--plan", plan)
    assert "rnodern is mo-2 from now on: write it into Member.username" in said.output
    kept = {name: ids[name] for name in ("Modem", "rnodem", "lin")}
    assert guarded.owners() == kept | {"mo-2": ids["rnodern"]}
    assert guarded.members() == ids
    found = json.loads(run(guarded, "adopt", "groups", "--json").output)
    assert [one["first"] for one in found] == [ids["rnodem"]]
    for words in ("adopt", "verify"), ("adopt", "verify", "--mend"), ("check",):
        said = run(guarded, *words)
        assert said.exit_code == 1
        assert "adopt import" not in said.output, said.output
    open_ = run(guarded, "adopt", "verify").output
    assert f"write that into Member.username of {ids['rnodern']}" in open_
    again = run(guarded, "adopt", "import", "Member.username")  # without the plan
    assert "rnodern is mo-2 from now on: write it into Member.username" in again.output
    assert guarded.owners() == kept | {"mo-2": ids["rnodern"]}
    guarded.db.session.get_one(guarded.Member, int(ids["rnodern"])).username = "mo-2"
    guarded.db.session.commit()
    assert run(guarded, "adopt", "verify").exit_code == 0
    plan.write_text(plan.read_text().replace(f",{ids['Modem']},", ",77,"))
    refused = run(guarded, "adopt", "import", "Member.username", "--plan", plan)
    assert (refused.exit_code, "nobody with the id '77'" in refused.output) == (1, True)


def test_people_who_are_left_out(guarded: Guarded):
    """Said with their ids, and the exit status says so; the others have their names."""
    old(guarded, "Ada", "\u3164", "lin")
    said = run(guarded, "adopt", "import", "Member.username")
    assert (said.exit_code, "is left out: nobody can own it (empty)" in said.output) == (1, True)
    assert set(guarded.owners()) == {"Ada", "lin"}


def test_every_column_in_its_namespace(guarded: Guarded):
    rows = [{"room": room, "label": name} for room in "ab" for name in ("left", "Left")]
    guarded.db.session.execute(insert(guarded.Seat), rows)
    guarded.db.session.commit()
    assert run(guarded, "adopt", "import").exit_code == 0
    found = json.loads(run(guarded, "adopt", "groups", "--json").output)
    assert [(one["namespace"], len(one["members"])) for one in found] == [
        ("room:a", 2),
        ("room:b", 2),
    ]
    assert run(guarded, "adopt", "verify").exit_code == 0


def test_who_changes_their_name_while_it_is_imported(guarded: Guarded, monkeypatch):
    """The name that counts is that of the moment in which it is given."""
    old(guarded, "Ada", "lin")
    pages = MappedPeople.pages

    def late(self):
        for page in pages(self):
            if self.kind == "member":
                with guarded.db.engine.begin() as connection:
                    connection.execute(
                        text("UPDATE member SET username = 'eve' WHERE username = 'lin'")
                    )
            yield page

    monkeypatch.setattr(MappedPeople, "pages", late)
    assert run(guarded, "adopt", "import").exit_code == 0
    assert set(guarded.owners()) == {"Ada", "eve"}
    assert run(guarded, "adopt", "verify").exit_code == 0


@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
def test_passwords_stay_with_the_app(guarded: Guarded):
    refused = run(guarded, "adopt", "import", "--from", "django")
    assert (refused.exit_code, "the app keeps its passwords" in refused.output) == (2, True)


def test_who_collides_is_helped_by_an_import(guarded: Guarded):
    """What is said to help does: once, and nobody is sent in a circle."""
    old(guarded, "modem", "rnodem", "lin")
    for _ in range(2):
        said = run(guarded, "check")
        assert (said.exit_code, "`flask dibs adopt import` gives" in said.output) == (1, True)
        assert "--mend" not in said.output
        run(guarded, "adopt", "verify", "--mend")
    assert run(guarded, "adopt", "import", "Member.username").exit_code == 0
    lines = run(guarded, "check").output.splitlines()
    assert lines[0].startswith("All is well")


def test_no_import_while_names_are_on_their_way(guarded: Guarded):
    old(guarded, "Ada")
    run(guarded, "check")
    guarded.add("eve")
    guarded.db.session.remove()
    said = run(guarded, "adopt", "rekey", "--to", "strict")
    assert said.exit_code == 0, said.output
    try:
        said = run(guarded, "adopt", "import", "Member.username")
        assert (said.exit_code, "nobody is imported meanwhile" in said.output) == (1, True)
        assert "DIBS_LOOKALIKES" not in said.output
        assert (
            "flask dibs adopt rekey --switch" in run(guarded, "adopt", "rekey", "--status").output
        )
    finally:
        assert run(guarded, "adopt", "rekey", "--back").exit_code == 0
    assert run(guarded, "adopt", "import", "Member.username").exit_code == 0


@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
def test_before_the_guard(guarded: Guarded, tmp_path):
    """The columns that could be meant are named; what is kept against a rule, and a file too."""
    old(guarded, *(f"{at}0{at}" for at in range(9)))
    guarded.dibs.guards.clear()
    said = run(guarded, "adopt", "audit")
    assert (said.exit_code, "Columns of text: " in said.output) == (1, True), said.output
    assert "Member.username" in said.output
    shown = run(guarded, "adopt", "audit", "Member.username", "--html", tmp_path / "report.html")
    some = "000, 101, 202, 303, 404 and 4 more"
    assert f"numeric_only                                9  {some}" in shown.output
    assert f"Written: {tmp_path}/report.html" in shown.output


BACK: dict[str, Callable[[Guarded, Any, str], object]] = {
    "column": lambda g, who, name: setattr(who, "username", name),
    "rename": lambda g, who, name: g.dibs.rename(g.dibs.names_of(who)[0], name, owner=who),
    "claim": lambda g, who, name: (g.dibs.release(owner=who), g.dibs.claim(name, owner=who)),
}


@pytest.mark.parametrize("way", BACK)
def test_who_kept_a_name_may_have_it_again(guarded: Guarded, way: str):
    """Back within the quarantine, and in another spelling, whatever the rules say; nobody else."""
    old(guarded, "admin", "lin")
    run(guarded, "adopt", "import", "Member.username")
    made = make_guarded(guarded.backend, guarded.url, DIBS_QUARANTINE="90")
    with made.app.app_context():
        admin, lin = made.db.session.scalars(select(made.Member).order_by(made.Member.id)).all()
        for name in ("ADMIN", "eve", "Admin"):
            assert made.dibs.check(name, owner=admin).available
            BACK[way](made, admin, name)
            made.db.session.commit()
            assert made.dibs.names_of(admin) == [name]
        for who, name in (
            (lin, "admin"),
            (lin, "support"),
            (admin, "root"),
            (admin, "ad\u200dmin"),
        ):
            assert not made.dibs.check(name, owner=who).available
            with pytest.raises((InvalidName, NameTaken)), made.db.session.begin_nested():
                BACK[way](made, who, name)
            made.db.session.rollback()
        made.db.session.remove()
        made.db.engine.dispose()
