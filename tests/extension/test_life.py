"""Renames, releases and quarantines in the host's own transaction."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    sessionmaker,
)

from dibs import Dibs, acting_as
from dibs.errors import (
    InvalidName,
    NameHeld,
    NameNotOwned,
    NameQuarantined,
    NameReserved,
    NameTaken,
    OwnerWithoutIdentity,
)
from tests.backends import MARIADB, POSTGRESQL, SQLITE
from tests.extension.conftest import Host, as_text, close, make_host
from tests.extension.test_claims import write_row

DAY_MS = 86_400_000

Open = Callable[..., AbstractContextManager[Host]]


@pytest.fixture
def opened(app_url: str) -> Open:
    """Apps with other settings, each in its context."""

    @contextmanager
    def make(**settings: Any) -> Iterator[Host]:
        host = make_host(app_url, **settings)
        with host.app.app_context():
            yield host
        close(host)

    return make


@pytest.fixture
def resting(opened: Open) -> Iterator[Host]:
    """An app where names rest for 90 days."""
    with opened(DIBS_QUARANTINE="90") as host:
        yield host


def rows(host: Host, columns: str, table: str = "dibs_names", order: str = "name_key") -> Any:
    found = host.committed(f"SELECT {columns} FROM {table} ORDER BY {order}")
    return [
        tuple(as_text(value) if isinstance(value, bytes) else value for value in row)
        for row in found
    ]


# --- renames ---------------------------------------------------------------------


def test_both_or_neither(host: Host) -> None:
    """With the host's own commit, and not before."""
    user = host.owned("Ada")
    became = host.dibs.rename("Ada", "Lovelace", owner=user)
    assert (became.display, became.canonical) == ("Lovelace", "lovelace")
    assert host.names() == {"Ada": "owned"}
    assert host.dibs.check("ada").available
    assert not host.dibs.check("lovelace").available
    host.db.session.rollback()
    assert not host.dibs.check("ada").available
    assert host.dibs.check("lovelace").available
    host.dibs.rename("ada", "Lovelace", owner=user)
    host.db.session.commit()
    assert host.names() == {"Ada": "quarantined", "Lovelace": "owned"}
    host.owned("Ada", "eve@example.org")


def test_one_of_several_names(host: Host) -> None:
    """An owner may have more than one here, and says which."""
    user = host.owned("Ada")
    host.dibs.claim("Countess", owner=user)
    host.dibs.rename("Countess", "Lovelace", owner=user)
    host.db.session.commit()
    assert host.names() == {"Ada": "owned", "Countess": "quarantined", "Lovelace": "owned"}


def test_another_spelling_is_no_other_name(resting: Host) -> None:
    user = resting.owned("ada")
    resting.dibs.rename("ada", "Ada", owner=user)
    resting.db.session.commit()
    assert resting.names() == {"Ada": "owned"}


@pytest.mark.parametrize("name", ["Eve", "Grace", "1o11y", "", "a\0b", "x" * 300])
def test_only_ones_own_name_is_given_up(host: Host, name: str) -> None:
    """Somebody else's, nobody's, a look-alike's and what is no name at all."""
    user = host.owned("lolly")
    host.owned("Eve", "eve@example.org")
    with pytest.raises((NameNotOwned, InvalidName)):
        host.dibs.rename(name, "Lovelace", owner=user)
    host.db.session.commit()  # the transaction is usable
    assert host.names() == {"lolly": "owned", "Eve": "owned"}


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("owned", NameTaken),
        ("held", NameHeld),
        ("quarantined", NameQuarantined),
        ("reserved", NameReserved),
    ],
)
def test_a_name_that_is_not_available_changes_nothing(
    host: Host, state: str, error: type[NameTaken]
) -> None:
    """The transaction stays usable: the host may offer another one."""
    user = host.owned("lovelace")
    write_row(host, state=state)
    with pytest.raises(error) as raised:
        host.dibs.rename("lovelace", "Ada", owner=user)
    assert type(raised.value) is error
    host.dibs.rename("lovelace", "Grace", owner=user)
    host.db.session.commit()
    assert host.names() == {"ada": state, "lovelace": "quarantined", "Grace": "owned"}


def test_a_name_that_breaks_a_rule(host: Host) -> None:
    user = host.owned("Ada")
    with pytest.raises(InvalidName):
        host.dibs.rename("Ada", "a b", owner=user)
    with pytest.raises(OwnerWithoutIdentity):
        host.dibs.rename("Ada", "Eve", owner="")
    assert host.names() == {"Ada": "owned"}


def test_two_owners_exchange_nothing_by_accident(host: Host) -> None:
    """A to B while B goes to C, in one transaction of the host's."""
    ada, eve = host.owned("Ada"), host.owned("Eve", "eve@example.org")
    host.dibs.rename("Eve", "Grace", owner=eve)
    host.dibs.rename("Ada", "Eve", owner=ada)
    host.db.session.commit()
    owners = {name: owner for name, owner in rows(host, "name_key, owner") if name != "ada"}
    assert owners == {"eve": str(ada.id), "grace": str(eve.id)}


# --- releases and what comes after --------------------------------------------------


def test_a_name_rests_from_everybody_but_its_last_owner(resting: Host) -> None:
    """By a release or by a rename; she takes it back by a claim or by a rename."""
    ada, eve = resting.owned("Ada"), resting.owned("Eve", "eve@example.org")
    assert resting.dibs.release("Ada", owner=ada) == 1
    resting.db.session.commit()
    assert resting.names()["Ada"] == "quarantined"
    assert resting.dibs.check("ada").reason == "quarantined"
    with pytest.raises(NameQuarantined):
        resting.dibs.claim("ada", owner=eve)
    with pytest.raises(NameQuarantined):
        resting.dibs.rename("Eve", "ada", owner=eve)
    resting.dibs.claim("ada", owner=ada)
    resting.dibs.rename("ada", "Lovelace", owner=ada)
    resting.dibs.rename("Lovelace", "ADA", owner=ada)
    resting.db.session.commit()
    assert resting.names() == {"ADA": "owned", "Eve": "owned", "Lovelace": "quarantined"}


def test_at_once_means_at_once(resting: Host) -> None:
    """Without a quarantine, and to anybody; one name or all of them."""
    ada = resting.owned("Ada")
    resting.dibs.claim("Countess", owner=ada)
    resting.db.session.commit()
    assert resting.dibs.release(owner=ada, at_once=True) == 2
    resting.db.session.commit()
    assert set(resting.names().values()) == {"free"}
    resting.owned("Ada", "eve@example.org")


def test_it_rests_for_ninety_days_by_default(app_url: str) -> None:
    """Without a setting: the last owner is not passed for by accident."""
    host = make_host(app_url)
    app = Flask("other")
    app.config["SQLALCHEMY_DATABASE_URI"] = app_url
    host.db.init_app(app)
    host.dibs.init_app(app)
    with app.app_context():
        user = host.owned("Ada")
        host.dibs.release(owner=user)
        host.db.session.commit()
        ((lasts,),) = rows(host, "expires_at - updated_at")
        assert lasts == 90 * DAY_MS
        host.db.session.remove()
        for engine in host.db.engines.values():
            engine.dispose()
    close(host)


def test_for_ever(opened: Open) -> None:
    with opened(DIBS_QUARANTINE="forever") as host:
        host.db.session.delete(host.owned("Ada"))
        host.db.session.commit()
        assert rows(host, "state, expires_at") == [("quarantined", None)]
        with pytest.raises(NameQuarantined):
            host.owned("Ada", "eve@example.org")


def test_each_app_has_its_own_quarantine(opened: Open) -> None:
    """The one that is current says, where one process serves two."""
    with opened(DIBS_QUARANTINE="90") as resting:
        kept = resting.owned("Ada")
        with opened(DIBS_QUARANTINE="0") as other:
            gone = other.owned("Eve", "eve@example.org")
            other.dibs.release(owner=gone)
            other.db.session.commit()
        resting.dibs.release(owner=kept)
        resting.db.session.commit()
        assert resting.names() == {"Ada": "quarantined", "Eve": "free"}


@pytest.mark.parametrize("backend", [SQLITE], ids=str, indirect=True)
def test_an_id_that_comes_again_inherits_nothing(resting: Host) -> None:
    """SQLite gives the highest id once more; who gets it is somebody else."""
    ada = resting.owned("Ada")
    resting.dibs.rename("Ada", "Lovelace", owner=ada)
    resting.db.session.commit()
    before = ada.id
    resting.db.session.delete(ada)
    resting.db.session.commit()
    eve = resting.user("eve@example.org")
    resting.db.session.commit()
    assert eve.id == before
    for name in ("Ada", "Lovelace"):
        with pytest.raises(NameQuarantined):
            resting.dibs.claim(name, owner=eve)
        with pytest.raises(NameNotOwned):
            resting.dibs.rename(name, "Grace", owner=eve)
    assert resting.dibs.release(owner=eve) == 0
    resting.db.session.commit()
    assert rows(resting, "owner") == [(None,), (None,)]


def test_namespaces_are_apart(opened: Open) -> None:
    """A rename or a release in one leaves the other as it is."""
    with opened(DIBS_QUARANTINE="90", DIBS_NAMESPACES="projects") as host:
        projects = host.dibs.namespace("projects")
        ada = host.owned("Ada")
        projects.claim("Ada", owner=ada)
        projects.rename("Ada", "Engine", owner=ada)
        with pytest.raises(NameNotOwned):
            host.dibs.rename("Engine", "Loom", owner=ada)
        assert projects.release("Engine", owner=ada) == 1
        host.db.session.commit()
        assert rows(host, "namespace, name_key, state", order="namespace, name_key") == [
            ("default", "ada", "owned"),
            ("projects", "ada", "quarantined"),
            ("projects", "engine", "quarantined"),
        ]


# --- who acts ----------------------------------------------------------------------


def test_the_history_says_who_acts(host: Host) -> None:
    """Within the block, and not after it."""
    with acting_as("the import", "job-7"):
        ada = host.owned("Ada")
        with acting_as("somebody else"):
            host.dibs.rename("Ada", "Eve", owner=ada)
        host.dibs.claim("Grace", owner=ada)
    host.dibs.release("Grace", owner=ada)
    host.db.session.commit()
    told = rows(host, "action, name_key, actor, request_id", "dibs_history", "name_key, version")
    assert told == [
        ("claimed", "ada", "the import", "job-7"),
        ("left", "ada", "somebody else", None),
        ("renamed", "eve", "somebody else", None),
        ("claimed", "grace", "the import", "job-7"),
        ("released", "grace", None, None),
    ]


@pytest.mark.parametrize("actor", ["", "李" * 300, "a\0b\n", "\ud800x", "x" * 1000])
def test_an_actor_of_any_kind(host: Host, actor: str) -> None:
    """It is cut to fit, and breaks nothing: it decides nothing."""
    with acting_as(actor, actor):
        host.owned("Ada")
    ((told, request),) = rows(host, "actor, request_id")
    assert len((told or "").encode()) <= 256
    assert len((request or "").encode()) <= 64
    assert re.search(r"[\0\n]", told or "") is None


# --- plain SQLAlchemy ----------------------------------------------------------------


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.mark.parametrize("backend", [SQLITE, POSTGRESQL, MARIADB], ids=str, indirect=True)
@pytest.mark.parametrize("scoped", [False, True], ids=["session", "scoped"])
def test_sessions_of_plain_sqlalchemy(empty_url: str, *, scoped: bool) -> None:
    """The whole life of a name, without Flask-SQLAlchemy."""
    engine = create_engine(empty_url)
    current: Any = scoped_session(sessionmaker(engine)) if scoped else Session(engine)
    base: Any = type("Base", (DeclarativeBase,), {})
    dibs = Dibs(session=lambda: current, metadata=base.metadata)
    app = Flask("plain")
    dibs.init_app(app)
    Base.metadata.create_all(engine)
    base.metadata.create_all(engine)
    with app.app_context():
        ada, eve = Person(), Person()
        current.add_all([ada, eve])
        dibs.claim("Ada", owner=ada)
        current.commit()
        dibs.rename("Ada", "Lovelace", owner=ada)
        current.commit()
        with pytest.raises(NameQuarantined):
            dibs.claim("Ada", owner=eve)
        dibs.claim("Ada", owner=ada)
        assert dibs.release("Lovelace", owner=ada, at_once=True) == 1
        current.commit()
        current.delete(ada)
        current.commit()
        assert dibs.check("Ada").reason == "quarantined"
        assert dibs.check("Lovelace").available
    current.close()
    engine.dispose()
