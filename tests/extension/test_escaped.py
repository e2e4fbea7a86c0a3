"""A refusal that leaves the view: nothing is stored, and whoever answers first says why."""

from contextlib import suppress
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from flask import after_this_request, jsonify
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError

from dibs import NameTaken, TransactionMustRestart
from tests.backends import MARIADB, POSTGRESQL, SQLITE
from tests.extension.conftest import Host
from tests.extension.guarded import Guarded
from tests.race.harness import at_once


def join(host: Host, name: str) -> Any:
    """As Flask-Security does: the commit is ordered before the user is made."""

    @after_this_request
    def commit(response: Any) -> Any:
        host.db.session.commit()
        return response

    user = host.user(f"{name}@example.org")
    host.dibs.claim(name, owner=user)
    return jsonify(id=user.id), 201


@pytest.fixture
def shop(host: Host) -> Host:
    host.app.add_url_rule("/join/<name>", "join", lambda name: join(host, name), methods=["POST"])
    return host


def stored(host: Host) -> int:
    """How many users are committed."""
    quote = "`" if host.url.startswith("mysql") else '"'
    return len(host.committed(f"SELECT id FROM {quote}user{quote}"))


@pytest.mark.parametrize(("name", "status"), [("ada", 409), ("ADA", 409), ("a b", 422)])
def test_commit_that_comes_anyway_stores_nobody(shop: Host, name, status):
    client = shop.app.test_client()
    assert client.post("/join/ada").status_code == 201
    assert client.post(f"/join/{name}").status_code == status
    assert stored(shop) == 1
    assert client.post("/join/eve").status_code == 201
    assert stored(shop) == 2


def test_refused_owner_takes_what_is_theirs_along(shop: Host):
    """Who goes on after a refusal stores neither the owner nor what belongs to them."""
    shop.owned("Ada")
    eve = shop.user("eve@example.org")
    eve.notes.append(shop.Note(text="hers"))
    with pytest.raises(NameTaken):
        shop.dibs.claim("ada", owner=eve)
    shop.db.session.commit()
    assert (stored(shop), shop.committed("SELECT * FROM note")) == (1, [])
    shop.dibs.claim("Eve", owner=eve)
    shop.db.session.commit()
    assert (stored(shop), len(shop.committed("SELECT * FROM note"))) == (2, 1)


@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
@pytest.mark.parametrize("debug", [False, True])
def test_framework_that_answers_before_flask_does(shop: Host, debug):
    """Flask-RESTful and its kin answer 500 for what they do not know."""
    shop.app.config["PROPAGATE_EXCEPTIONS"] = debug

    def swallow(error: Exception) -> Any:
        return jsonify(message="Internal Server Error"), 500

    vars(shop.app)["handle_user_exception"] = swallow
    client = shop.app.test_client()
    statuses = [client.post(f"/join/{name}").status_code for name in ("ada", "Ada", "a b")]
    assert statuses == [201, 409, 422]


@pytest.mark.parametrize("backend", [SQLITE], indirect=True, ids=str)
def test_apps_own_handler_goes_first(shop: Host):
    @shop.app.errorhandler(NameTaken)
    def taken(error: NameTaken) -> Any:
        return f"own words: {error.code}", 418

    client = shop.app.test_client()
    client.post("/join/ada")
    refused = client.post("/join/ada")
    assert (refused.status_code, refused.text) == (418, "own words: taken")
    assert client.post("/join/a b").status_code == 422
    assert stored(shop) == 1


def test_guard_in_a_view(guarded: Guarded):
    """What escapes from a commit is answered like what escapes from a claim."""

    def sign_up(name: str) -> Any:
        guarded.add(name)
        return "", 201

    guarded.app.add_url_rule("/up/<name>", "up", sign_up, methods=["POST"])
    client = guarded.app.test_client()
    answers = [client.post(f"/up/{name}") for name in ("Ada", "ADA", "a b", "bob")]
    assert [answer.status_code for answer in answers] == [201, 409, 422, 201]
    assert answers[1].json is not None
    assert answers[1].json["code"] == "taken"
    assert set(guarded.members()) == {"Ada", "bob"}


@pytest.mark.parametrize("debug", [False, True])
def test_commit_after_the_answer(guarded: Guarded, debug):
    """As Flask-Security has it: the name is claimed when the view has returned already."""
    guarded.app.config["PROPAGATE_EXCEPTIONS"] = debug
    answered: list[int] = []

    def sign_up(name: str) -> Any:
        guarded.db.session.add(guarded.Member(username=name))

        @after_this_request
        def commit(response: Any) -> Any:
            guarded.db.session.commit()
            return response

        return "", 201

    guarded.app.add_url_rule("/up/<name>", "up", sign_up, methods=["POST"])
    guarded.app.teardown_request(lambda error: answered.append(0 if error is None else 1))
    client = guarded.app.test_client()
    answers = [client.post(f"/up/{name}") for name in ("Ada", "ADA", "a b", "bob")]
    assert [answer.status_code for answer in answers] == [201, 409, 422, 201]
    assert answers[1].json is not None
    assert answers[1].json["code"] == "taken"
    assert set(guarded.members()) == {"Ada", "bob"}
    assert answered == [0] * 4


def test_fault_that_was_answered_in_the_view(guarded: Guarded):
    """Flask-AppBuilder's API catches all that its views raise; what was refused is told as that."""

    def sign_up(name: str) -> Any:
        with suppress(IntegrityError):
            guarded.add(name)
            return "", 201
        guarded.db.session.rollback()
        if name == "bob":
            guarded.add("carl")
        return jsonify(message="Fatal error"), 500

    guarded.app.add_url_rule("/up/<name>", "up", sign_up, methods=["POST"])
    guarded.add("bob")
    client = guarded.app.test_client()
    answers = [client.post(f"/up/{name}").status_code for name in ("Ada", "ADA", "a b", "bob")]
    assert answers == [201, 409, 422, 500]
    assert set(guarded.members()) == {"Ada", "bob", "carl"}


def test_session_that_is_used_after_a_refusal(guarded: Guarded):
    """SQLAlchemy wants a rollback first; what was refused is told, and not that."""

    def sign_up(name: str) -> Any:
        with suppress(IntegrityError):
            guarded.add(name)
        guarded.db.session.commit()
        return "", 201

    guarded.app.add_url_rule("/up/<name>", "up", sign_up, methods=["POST"])
    client = guarded.app.test_client()
    answers = [client.post(f"/up/{name}").status_code for name in ("Ada", "ADA", "a b", "bob")]
    assert answers == [201, 409, 422, 201]
    assert set(guarded.members()) == {"Ada", "bob"}


def test_view_that_catches_what_it_always_caught(guarded: Guarded):
    def sign_up(name: str) -> Any:
        try:
            guarded.add(name)
        except IntegrityError as error:
            guarded.db.session.rollback()
            return str(error.orig), 400
        return "", 201

    guarded.app.add_url_rule("/up/<name>", "up", sign_up, methods=["POST"])
    client = guarded.app.test_client()
    assert client.post("/up/Ada").status_code == 201
    refused = client.post("/up/ada")
    assert (refused.status_code, refused.text) == (400, str(NameTaken()))


def test_apps_own_handler_of_what_it_always_met(guarded: Guarded):
    """It goes before that of dibs, and finds a session that can be used."""

    @guarded.app.errorhandler(IntegrityError)
    def refused(error: IntegrityError) -> Any:
        return f"{error.orig} {len(guarded.db.session.scalars(select(guarded.Member)).all())}", 418

    def sign_up(name: str) -> Any:
        guarded.add(name)
        return "", 201

    guarded.app.add_url_rule("/up/<name>", "up", sign_up, methods=["POST"])
    client = guarded.app.test_client()
    answers = [client.post(f"/up/{name}") for name in ("Ada", "ADA", "a b")]
    assert [answer.status_code for answer in answers] == [201, 418, 418]
    assert answers[1].text == f"{NameTaken()} 1"


def test_other_errors_are_the_apps(guarded: Guarded):
    def fail() -> str:
        raise KeyError("x")

    guarded.app.add_url_rule("/fail", "fail", fail)
    guarded.app.config["PROPAGATE_EXCEPTIONS"] = False
    assert guarded.app.test_client().get("/fail").status_code == 500


@pytest.mark.parametrize("backend", [POSTGRESQL, MARIADB], indirect=True, ids=str)
def test_transaction_that_lost_in_the_apps_own_statement(guarded: Guarded):
    """Two change two members in opposite orders: the database ends one, which may try again."""
    both_wait, told = Barrier(2), list[Exception]()
    ids = [one.id for one in guarded.add("Ada", "Eve")]

    @guarded.app.post("/mail/<int:first>/<int:second>")
    def mail(first: int, second: int) -> str:
        session = guarded.db.session
        for i, one in enumerate((first, second)):
            session.get_one(guarded.Member, one).email = f"{first}-{second}-{one}@example.org"
            try:
                session.flush()
            except OperationalError as error:
                told.append(error)
                raise
            if i == 0:
                with suppress(BrokenBarrierError):
                    both_wait.wait(20)
        session.commit()
        return "done"

    def send(first: int, second: int) -> int:
        return guarded.app.test_client().post(f"/mail/{first}/{second}").status_code

    found = at_once([partial(send, *ids), partial(send, *reversed(ids))])
    assert sorted(found) == [200, 503]
    assert [isinstance(one, TransactionMustRestart) for one in told] == [True]
    assert str(told[0]) == str(TransactionMustRestart())
