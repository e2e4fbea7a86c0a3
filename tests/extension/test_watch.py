"""An app with users is brought over while it runs: off, watch, import, on."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select
from sqlalchemy.exc import IntegrityError

from dibs import NameTaken
from dibs.adopt.importing import Imported, find_groups, import_people
from dibs.adopt.people import Person
from dibs.errors import InvalidName, SchemaError
from dibs.names import Parser
from dibs.state import state_of
from dibs.store.host.people import MappedPeople
from tests.backends import MARIADB, POSTGRESQL, SQLITE
from tests.extension.guarded import Guarded, make_guarded
from tests.extension.online import FINE, Online, real_names

Members = dict[str, str]
Switch = Callable[[str], Guarded]
Wrong = tuple[type[Exception], ...]


def old(guarded: Guarded, *names: str) -> None:
    """People as they were there before dibs; their column has no UNIQUE, nor a case of its own."""
    rows = [{"id": f"old-{at}", "slug": name} for at, name in enumerate(names)]
    guarded.db.session.execute(insert(guarded.Page), rows)
    guarded.db.session.commit()


def add(guarded: Guarded, *names: str) -> list[Any]:
    """New ones of these names, committed one by one."""
    pages = [guarded.Page(slug=name) for name in names]
    for page in pages:
        guarded.db.session.add(page)
        guarded.db.session.commit()
    return pages


def adopt(guarded: Guarded, batch: int = 5000) -> Imported:
    rows = MappedPeople(guarded.db.engine, guarded.Page.slug)

    def now(connection: Connection, people: Sequence[Person]) -> Iterable[Person]:
        found = rows.again(connection, {one.id for one in people})
        return [Person(owner, name, "pages") for owner, name, _ in found]

    people = (Person(owner, name, "pages") for page in rows.pages() for owner, name, _ in page)
    return import_people(
        guarded.db.engine, people, kind="page", parser=Parser(), now=now, batch=batch
    )


@pytest.fixture
def switched(guarded: Guarded) -> Iterator[Switch]:
    """The same app as it is once it was started with another DIBS_ADOPT."""
    made: list[Guarded] = []

    def start(adopt: str) -> Guarded:
        made.append(make_guarded(guarded.backend, guarded.url, DIBS_ADOPT=adopt))
        return made[-1]

    yield start
    for one in made:
        with one.app.app_context():
            one.db.session.remove()
            one.db.engine.dispose()


def mine(guarded: Guarded) -> Members:
    """Name to id of everybody."""
    rows = guarded.backend.execute("SELECT slug, id FROM page", guarded.url)
    return {str(name): str(owner) for name, owner in rows}


def test_off_does_nothing(guarded: Guarded, switched: Switch):
    off = switched("off")
    with off.app.app_context():
        with off.statements() as sent:
            (page,) = add(off, "admin")
            page.slug = "a b"
            off.db.session.commit()
        assert not [one for one in sent if "dibs_" in one]


def test_watch_records_and_refuses_nobody(
    guarded: Guarded, switched: Switch, caplog: pytest.LogCaptureFixture
):
    watch = switched("watch")
    caplog.set_level(logging.WARNING, "dibs.store.host.flush")
    with watch.app.app_context():
        ada, *others = add(watch, "Ada", "ada", "ADA", "a b", "admin", "bell\x07", "Ada")
        assert set(watch.owners()) == set(mine(watch)) - {"bell\x07"}
        lines = [record.getMessage() for record in caplog.records]
        said = [sum(repr(name) in line for line in lines) for name in ("ada", "ADA", "a b", "Ada")]
        assert said == [1, 1, 1, 1]
        assert len(lines) == 6
        ada.slug, others[0].slug = "eve", "eVe"
        watch.db.session.commit()
        assert watch.owners()["eve"] == ada.id
        watch.db.session.delete(ada)
        watch.db.session.commit()
        assert watch.owners() == {
            n: o for n, o in mine(watch).items() if n not in ("bell\x07", "Ada")
        }
    on = switched("on")
    with on.app.app_context():
        for taken in ("adA", "EVE", "A B"):
            with pytest.raises((NameTaken, InvalidName)):
                add(on, taken)
            on.db.session.rollback()


def test_who_is_refused_by_the_app_is_not_said_to_be_let_in(
    guarded: Guarded, switched: Switch, caplog: pytest.LogCaptureFixture
):
    watch = switched("watch")
    with watch.app.app_context():
        watch.add("Ada")
        with pytest.raises(IntegrityError):
            watch.add("Ada")
        watch.db.session.rollback()
        assert "is not refused" not in caplog.text
        watch.add("admin")
        assert "'admin' is not refused" in caplog.text


@pytest.mark.parametrize("adopt", ["watch", "on"])
def test_without_the_tables_of_dibs(adopt: str, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Nobody is refused by who only watches; what makes the tables is said."""
    made = make_guarded(SQLITE, f"sqlite:///{tmp_path}/app.db", DIBS_ADOPT=adopt)
    with made.app.app_context():
        own = [one.__table__ for one in (made.Member, made.Page, made.Seat)]
        made.db.metadata.create_all(made.db.engine, tables=own)
        if adopt == "on":
            with pytest.raises(SchemaError, match="run your app's migration"):
                made.add("Ada")
        else:
            made.add("Ada", "admin")
            made.add("ada")
            assert caplog.text.count("run `flask dibs db upgrade`") == 1
            made.db.create_all()
            made.add("lin")
            assert set(made.owners()) == {"lin"}
        made.db.session.remove()
        made.db.engine.dispose()


def test_the_environment_says_how_far_it_is(guarded: Guarded, monkeypatch: pytest.MonkeyPatch):
    """Who starts a server says it, without a change of code, which goes before."""
    monkeypatch.setenv("DIBS_ADOPT", "watch")
    said = {"environment": {}, "config": {"DIBS_ADOPT": "off"}}
    found = {
        where: state_of(make_guarded(guarded.backend, guarded.url, **options).app).adopt
        for where, options in said.items()
    }
    assert found == {"environment": "watch", "config": "off"}


def test_two_newcomers_of_one_flush(guarded: Guarded, switched: Switch):
    """Whose ids the database makes, after the names were claimed."""
    watch = switched("watch")
    with watch.app.app_context():
        seats = [watch.Seat(room="a", label=name) for name in ("Ada", "ada", "ADA")]
        watch.db.session.add_all(seats)
        watch.db.session.commit()
        assert watch.owners() == {one.label: str(one.id) for one in seats}
        told = watch.dibs.namespace("room:a").history("ada")
        assert "pending" not in str(told)


@pytest.mark.parametrize("backend", [POSTGRESQL, MARIADB], ids=str)
def test_who_renames_while_they_are_imported_has_one_name(backend: Any, guarded: Guarded):
    """The import reads their row after the guard has looked, and before it is written."""
    old(guarded, "Ada", "eve")
    done: list[Imported] = []

    def meanwhile(connection: Any, cursor: Any, sql: str, *_: Any) -> None:
        if sql.startswith("UPDATE page") and not done:
            done.append(Imported())  # which asks for a connection of its own
            done[0] = adopt(guarded)

    page = guarded.db.session.scalars(select(guarded.Page).filter_by(slug="Ada")).one()
    page.slug = "bob"
    event.listen(guarded.db.engine, "before_cursor_execute", meanwhile)
    guarded.db.session.commit()
    event.remove(guarded.db.engine, "before_cursor_execute", meanwhile)
    assert done[0].adopted == 2
    assert guarded.owners() == mine(guarded)
    assert set(guarded.owners()) == {"bob", "eve"}


def test_claims_before_the_import_may_be_the_newcomers(guarded: Guarded, switched: Switch):
    old(guarded, "Ada", "ada", "eve")
    watch = switched("watch")
    with watch.app.app_context():
        add(watch, "aDA", "Eve", "lin")
        done = adopt(watch)
        assert (done.adopted, done.already, done.left_out) == (3, 3, [])
        assert watch.owners() == mine(watch)
        assert Counter(len(one.members) for one in find_groups(watch.db.engine)) == {3: 1, 2: 1}


@pytest.mark.race
def test_brought_over_online(guarded: Guarded, switched: Switch):
    """Sign-ups, renames and deletions go on, in the documented steps; nobody is refused wrongly."""
    online = Online(switched("watch"), switched("on"), real_names(1000), batch=40)
    online.bring_over()
    assert all(set(told) <= FINE for told in online.told.values()), online.told
