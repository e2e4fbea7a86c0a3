"""A name is claimed, checked and released in the host's own transaction."""

import uuid
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.local import LocalProxy

from dibs import Dibs
from dibs.errors import (
    InvalidName,
    NameHeld,
    NameLookalike,
    NameQuarantined,
    NameReserved,
    NameTaken,
    OwnerWithoutIdentity,
)
from tests.backends import MARIADB
from tests.extension.conftest import Host, as_text


def test_claim_is_committed_with_the_owner(host: Host):
    user = host.user()
    username = host.dibs.claim("Ada", owner=user)
    assert (username.display, username.canonical) == ("Ada", "ada")
    assert host.names() == {}
    host.db.session.commit()
    rows = host.committed("SELECT name_key, owner_kind, owner FROM dibs_names")
    assert [tuple(map(as_text, row)) for row in rows] == [("ada", "user", str(user.id))]


@pytest.mark.parametrize("spelling", ["Ada", "ADA", "ａｄａ"])
def test_other_spelling_is_refused(host: Host, spelling):
    host.owned("Ada")
    with pytest.raises(NameTaken):
        host.dibs.claim(spelling, owner=host.user("eve@example.org"))


def test_refused_name_leaves_the_transaction_usable(host: Host):
    """The host may offer another name, or write something else, and commit."""
    host.owned("Ada")
    eve = host.user("eve@example.org")
    with pytest.raises(NameTaken):
        host.dibs.claim("ada", owner=eve)
    host.db.session.add(host.Note(text="Ada was taken", user=eve))
    host.dibs.claim("Eve", owner=eve)
    host.db.session.commit()
    assert host.names() == {"Ada": "owned", "Eve": "owned"}
    assert host.committed("SELECT text FROM note") == [("Ada was taken",)]


def test_invalid_name_is_refused_before_anything_is_sent(host: Host):
    user = host.user()
    with pytest.raises(InvalidName):
        host.dibs.claim("a b", owner=user)
    assert user.id is None


def test_rollback_frees_the_name(host: Host):
    host.dibs.claim("Ada", owner=host.user())
    host.db.session.rollback()
    assert host.dibs.check("Ada").available
    host.owned("Ada", "eve@example.org")


def test_hosts_own_violation_stays_the_hosts(host: Host):
    """A duplicate e-mail address is not a duplicate name."""
    host.owned("Ada")
    with pytest.raises(IntegrityError):
        host.dibs.claim("Eve", owner=host.user("ada@example.org"))
    host.db.session.rollback()
    assert host.names() == {"Ada": "owned"}


STATES: list[tuple[str, str, type[NameTaken]]] = [
    ("owned", "ada", NameTaken),
    ("owned", "lookalike", NameLookalike),
    ("held", "ada", NameHeld),
    ("quarantined", "ada", NameQuarantined),
    ("reserved", "ada", NameReserved),
]


@pytest.mark.parametrize(("state", "canonical", "error"), STATES)
def test_refusal_says_who_was_there(host: Host, state, canonical, error):
    """The reason is read from the row, and `check` gives the code that `claim` would raise."""
    write_row(host, state=state, canonical=canonical)
    assert host.dibs.check("Ada").reason == error.code
    with pytest.raises(NameTaken) as raised:
        host.dibs.claim("Ada", owner=host.user())
    assert type(raised.value) is error


@pytest.mark.parametrize(("state", "expires_at"), [("free", None), ("held", 1), ("quarantined", 1)])
def test_expired_or_free_row_is_taken_over(host: Host, state, expires_at):
    write_row(host, state=state, expires_at=expires_at)
    assert host.dibs.check("Ada").available
    host.owned("Ada")
    assert host.names() == {"Ada": "owned"}


def write_row(host: Host, **given: Any) -> None:
    row: dict[str, Any] = {
        "namespace": "default",
        "name_key": "ada",
        "canonical": "ada",
        "display": "ada",
    }
    row |= {"rules_version": 1, "expires_at": 2**50, "version": 1, "created_at": 0, "updated_at": 1}
    row |= given
    columns = ", ".join(row)
    sql = f"INSERT INTO dibs_names ({columns}) VALUES (:{columns.replace(', ', ', :')})"
    host.db.session.execute(text(sql), row)
    host.db.session.commit()


# --- owners --------------------------------------------------------------------


def test_owner_that_was_never_added_is_refused(host: Host):
    with pytest.raises(OwnerWithoutIdentity):
        host.dibs.claim("Ada", owner=host.User(email="ada@example.org"))


@pytest.mark.parametrize("owner", [None, "", "x" * 65, 1.5, True, object()])
def test_owner_that_is_nobody_is_refused(host: Host, owner):
    with pytest.raises(OwnerWithoutIdentity):
        host.dibs.claim("Ada", owner=owner)
    host.db.session.commit()
    assert host.names() == {}


def test_deleted_owner_is_refused(host: Host):
    user = host.owned("Ada")
    host.db.session.delete(user)
    with pytest.raises(OwnerWithoutIdentity):
        host.dibs.claim("Eve", owner=user)


@pytest.mark.parametrize(
    ("owner", "kind", "kept"),
    [
        (7, None, ("user", "7")),
        ("7", "team", ("team", "7")),
        (uuid.UUID(int=7), None, ("user", str(uuid.UUID(int=7)))),
    ],
)
def test_plain_id_owns(host: Host, owner, kind, kept):
    host.dibs.claim("Ada", owner=owner, kind=kind)
    host.db.session.commit()
    rows = host.committed("SELECT owner_kind, owner FROM dibs_names")
    assert tuple(map(as_text, rows[0])) == kept


def test_kind_of_a_mapped_owner_cannot_be_another(host: Host):
    """Or who deletes her would not find her names."""
    with pytest.raises(TypeError, match="kind"):
        host.dibs.claim("Ada", owner=host.user(), kind="person")


def test_proxy_of_an_owner_owns(host: Host):
    """Flask-Login's `current_user` is a proxy."""
    user = host.owned("Ada")
    proxy = LocalProxy(lambda: user)
    host.dibs.claim("Countess", owner=proxy)
    assert host.dibs.release(owner=proxy) == 2


def test_one_owner_may_have_several_names(host: Host):
    user = host.owned("Ada")
    host.dibs.claim("Countess", owner=user)
    host.db.session.commit()
    assert host.names() == {"Ada": "owned", "Countess": "owned"}


# --- release ---------------------------------------------------------------------


def test_release_frees_one_name(host: Host):
    user = host.owned("Ada")
    host.dibs.claim("Countess", owner=user)
    assert host.dibs.release("ada", owner=user) == 1
    host.db.session.commit()
    assert host.names() == {"Ada": "free", "Countess": "owned"}


def test_release_frees_all_names_of_an_owner(host: Host):
    user, _ = host.owned("Ada"), host.owned("Eve", "eve@example.org")
    host.dibs.claim("Countess", owner=user)
    assert host.dibs.release(owner=user) == 2
    host.db.session.commit()
    assert host.names() == {"Ada": "free", "Countess": "free", "Eve": "owned"}


def test_release_frees_nobody_elses_name(host: Host):
    host.owned("Ada")
    eve = host.owned("Eve", "eve@example.org")
    assert host.dibs.release("Ada", owner=eve) == 0
    assert host.dibs.release(owner=eve.id, kind="team") == 0


def test_release_is_the_hosts_to_roll_back(host: Host):
    user = host.owned("Ada")
    host.dibs.release("Ada")
    assert host.dibs.check("Ada").available
    host.db.session.rollback()
    assert not host.dibs.check("Ada").available
    assert host.dibs.release(owner=user) == 1


def test_release_of_nothing_is_a_mistake(host: Host):
    with pytest.raises(TypeError, match="name"):
        host.dibs.release()


# --- check -------------------------------------------------------------------------


def test_check_says_what_an_invalid_name_breaks(host: Host):
    found = host.dibs.check("a b")
    assert (found.available, found.canonical, found.reason) == (False, None, "invalid")
    assert [reason.code for reason in found.reasons] == ["white_space"]


def test_check_sees_the_hosts_own_claim(host: Host):
    host.dibs.claim("Ada", owner=host.user())
    assert host.dibs.check("ada").reason == "taken"


# --- sessions ----------------------------------------------------------------------


def test_without_autoflush(host: Host):
    with host.db.session.no_autoflush:
        host.owned("Ada")
    assert host.names() == {"Ada": "owned"}


def test_session_of_the_app_by_default(host: Host):
    host.dibs._session = Dibs(metadata=host.db.metadata)._session
    host.owned("Ada")
    assert host.names() == {"Ada": "owned"}


def test_plain_session(host: Host):
    session = sessionmaker(host.db.engine)()
    host.dibs._session = lambda: session
    with session:
        user = host.User(email="ada@example.org")
        session.add(user)
        host.dibs.claim("Ada", owner=user)
        session.commit()
    assert host.names() == {"Ada": "owned"}


def test_owners_own_session_is_used(host: Host):
    """Her row and her name are committed together or not at all."""
    with Session(host.db.engine) as other:
        user = host.User(email="ada@example.org")
        other.add(user)
        host.dibs.claim("Ada", owner=user)
        host.db.session.commit()
        assert host.names() == {}
        other.commit()
    assert host.names() == {"Ada": "owned"}


@pytest.mark.parametrize("backend", [MARIADB], ids=str, indirect=True)
def test_charset_of_the_connection_does_not_matter(host: Host):
    engine = create_engine(host.url + "?charset=latin1")
    with Session(engine) as session:
        host.dibs._session = lambda: session
        host.dibs.claim("Ärger-李", owner=1)
        session.commit()
    engine.dispose()
    assert host.names() == {"Ärger-李": "owned"}
