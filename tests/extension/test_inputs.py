"""Forms of WTForms and schemas of marshmallow: what they say of a name, before it is claimed."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import Schema, ValidationError, fields
from sqlalchemy.exc import IntegrityError, OperationalError

from dibs import NameTaken
from dibs.errors import StoreUnavailable
from dibs.schemas import Available, Username
from tests.backends import SQLITE
from tests.extension.guarded import Guarded

pytestmark = pytest.mark.parametrize("backend", [SQLITE], ids=str, indirect=True)
OTHERS = "Try one of these: "


def asked_by_form(guarded: Guarded, name: str, **options: Any) -> tuple[str | None, list[str]]:
    """What a field takes, and what it says."""
    wtforms = pytest.importorskip("wtforms")
    from werkzeug.datastructures import MultiDict

    from dibs.forms import UsernameField

    class SignUp(wtforms.Form):  # type: ignore[name-defined,misc]
        username = UsernameField(dibs=guarded.dibs, **options)

    form = SignUp(MultiDict({"username": name}))
    is_valid = form.validate()
    assert is_valid is not bool(form.username.errors)
    return (form.username.data if is_valid else None), list(form.username.errors)


def asked_by_schema(guarded: Guarded, name: Any, **options: Any) -> tuple[str | None, list[str]]:
    class SignUp(Schema):
        username = Username(guarded.dibs, **options)

    try:
        return SignUp().load({"username": name})["username"], []
    except ValidationError as error:
        told: Any = error.messages
        return None, told["username"]


inputs = pytest.mark.parametrize("asked", [asked_by_form, asked_by_schema])


@inputs
def test_what_is_said(guarded: Guarded, asked):
    (ada,) = guarded.add("ada")
    assert asked(guarded, " grace\u3000") == ("grace", [])
    assert asked(guarded, "ad", owner=lambda: ada)[1]
    said = "A user with that username already exists."
    told, _, free = " ".join(asked(guarded, "ADA")[1]).partition(f" {OTHERS}")
    assert told == said
    assert len(others := free.split(", ")) == 5
    assert all(one.available for one in guarded.dibs.check_many(others))
    assert asked(guarded, "ADA", suggestions=0)[1] == [said]
    assert "is reserved" in asked(guarded, "admin")[1][0]
    assert asked(guarded, "a b")[1][0].startswith("A username cannot contain spaces")


@inputs
def test_a_name_of_ones_own(guarded: Guarded, asked):
    """Is no stranger's: as it is, in other letters, or given up a short time ago."""
    ada, bob = guarded.add("ada", "bob")
    guarded.dibs.claim("admin", owner=bob, by_staff=True)  # kept, though no rule allows it
    guarded.db.session.commit()
    for name in ("ada", "ADA"):
        assert asked(guarded, name, owner=lambda: ada) == (name, [])
        assert asked(guarded, name, owner=lambda: ada.id) == (name, [])
        for somebody in (bob, guarded.Member(), None):
            assert asked(guarded, name, owner=lambda who=somebody: who)[0] is None
    assert asked(guarded, "admin", owner=lambda: bob) == ("admin", [])
    assert asked(guarded, "Admin", owner=lambda: bob) == ("Admin", [])
    assert asked(guarded, "Admin", owner=lambda: ada)[0] is None


@inputs
def test_a_name_that_rests_for_them(guarded: Guarded, asked):
    from dibs.state import state_of

    ada, bob = guarded.add("ada", "bob")
    state_of(guarded.app).quarantine = 60_000
    ada.username = "lovelace"
    guarded.db.session.commit()
    assert asked(guarded, "ada", owner=lambda: ada) == ("ada", [])
    assert "given up" in asked(guarded, "ada", owner=lambda: bob)[1][0]


@inputs
def test_it_promises_nothing(guarded: Guarded, asked):
    """The guard decides at the flush, if somebody was quicker."""
    assert asked(guarded, "ada") == ("ada", [])
    guarded.add("Ada")
    guarded.db.session.add(guarded.Member(username="ada"))
    with pytest.raises(IntegrityError) as refused:
        guarded.db.session.commit()
    assert isinstance(refused.value, NameTaken)


@inputs
def test_a_database_that_cannot_answer_is_no_refusal(guarded: Guarded, asked, monkeypatch):
    def is_away(*_: Any, **__: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(guarded.dibs, "_rows", is_away)
    with pytest.raises((StoreUnavailable, OperationalError)):
        asked(guarded, "grace")


def test_in_the_readers_language(guarded: Guarded):
    guarded.add("ada")
    with guarded.app.test_request_context(headers={"Accept-Language": "zh-CN"}):
        assert asked_by_schema(guarded, "ada", suggestions=0)[1] == ["用户名已存在"]


def test_a_field_of_ones_own(guarded: Guarded):
    """Has the validator alone; and what is no text is told by marshmallow."""

    class Own(Schema):
        slug = fields.String(validate=Available(guarded.dibs.namespace("pages"), suggestions=0))

    guarded.add("ada")
    assert Own().load({"slug": "ada"}) == {"slug": "ada"}
    assert asked_by_schema(guarded, 12) == (None, ["Not a valid string."])


def test_a_form_that_may_stay_empty(guarded: Guarded):
    validators = pytest.importorskip("wtforms").validators
    assert asked_by_form(guarded, " ")[1] == ["A username is required."]
    assert asked_by_form(guarded, " ", validators=[validators.Optional()]) == ("", [])


def test_words_of_the_apps_own(guarded: Guarded):
    pytest.importorskip("wtforms")
    from dibs.forms import Available as AvailableInForm

    guarded.add("ada")
    own = AvailableInForm(guarded.dibs, suggestions=1, message="Gone!")
    for name, errors in {"ada": 2, "a b": 1, "grace": 0}.items():
        told = asked_by_form(guarded, name, validators=[own])[1]
        assert told[:1] == ["Gone!"][:errors]
        assert len(told) == errors


def test_buttons_for_other_names(guarded: Guarded):
    """A template has them from the field; and telephones write no capital into it."""
    wtforms = pytest.importorskip("wtforms")
    from dibs.forms import UsernameField

    class SignUp(wtforms.Form):  # type: ignore[name-defined,misc]
        username = UsernameField("Name", dibs=guarded.dibs, suggestions=2)

    guarded.add("ada")
    form = SignUp(data={"username": "ada"})
    assert not form.validate()
    assert len(form.username.suggestions) == 2
    assert 'autocapitalize="none"' in form.username()
