"""Whatever is done in whatever order, refresh tokens do what a small model says."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from dibs.accounts import login
from dibs.accounts.login import Tokens
from dibs.accounts.tokens import RefreshTokens
from dibs.errors import InvalidToken, LoginFailed, NameTaken, SessionEnded, TokenSuperseded
from tests.accounts.people import A_SECRET, OTHER_PASSWORD, PASSWORD, Clock, Process
from tests.support.contract import soon

NAMES = ("ada", "bob")


@dataclass
class Family:
    """What the model knows of a session.

    Attributes:
        tokens: All of its refresh tokens, the current one last.
        recent: Whether the current one was made within the last 10 s.
        repeated: Whether the one before was already sent again.
    """

    name: str
    last: Tokens
    tokens: list[str]
    alive: bool = True
    recent: bool = False
    repeated: bool = False


@dataclass
class Person:
    """What the model knows of a user."""

    id: str
    password: str = PASSWORD
    disabled: bool = False
    families: list[Family] = field(default_factory=list)

    def end_all(self) -> None:
        for family in self.families:
            family.alive = False


class Refreshing(RuleBasedStateMachine):
    """Everything that begins, continues or ends a session."""

    def __init__(self, process: Process, clock: Clock) -> None:
        super().__init__()
        self.process, self.clock = process, clock
        self.people: dict[str, Person] = {}

    @initialize()
    def start(self) -> None:
        for name in NAMES:
            try:
                self.people[name] = Person(self.process.register(name))
            except NameTaken:  # left by the example before
                row = self.process.parts.registry.holder(name, deadline=soon())
                assert row is not None
                self.process.profiles.delete(str(row.owner), deadline=soon())
                self.people[name] = Person(self.process.register(name))

    # --- what users do -----------------------------------------------------

    @rule(name=st.sampled_from(NAMES), right=st.sampled_from((True, True, True, False)))
    def login(self, name: str, right: bool) -> None:
        person = self.people[name]
        password = person.password if right else "no horse of hers"
        if not right or person.disabled:
            with pytest.raises(LoginFailed):
                self.process.login(name, password)
        else:
            tokens = self.process.login(name.upper(), password)
            person.families.append(Family(name, tokens, [tokens.refresh_token]))

    @rule(data=st.data())
    def refresh_current(self, data: st.DataObject) -> None:
        family = self.draw(data)
        if family is None:
            return
        if not family.alive:
            self.refused(family.tokens[-1], SessionEnded)
            return
        family.last = self.process.refresh(family.tokens[-1])
        assert family.last.refresh_token not in family.tokens
        family.tokens.append(family.last.refresh_token)
        family.recent, family.repeated = True, False

    @rule(data=st.data())
    def refresh_previous(self, data: st.DataObject) -> None:
        """Once within 10 s the same reply; twice is refused; later it is a theft."""
        family = self.draw(data)
        if family is None or len(family.tokens) < 2:
            return
        previous = family.tokens[-2]
        if not family.alive:
            self.refused(previous, SessionEnded)
        elif not family.recent:
            self.refused(previous, SessionEnded)
            family.alive = False
        elif family.repeated:
            self.refused(previous, TokenSuperseded)
        else:
            family.last = self.process.refresh(previous)
            assert family.last.refresh_token == family.tokens[-1]
            family.repeated = True

    @rule(data=st.data())
    def refresh_older(self, data: st.DataObject) -> None:
        family = self.draw(data)
        if family is None or len(family.tokens) < 3:
            return
        self.refused(data.draw(st.sampled_from(family.tokens[:-2])), SessionEnded)
        family.alive = False

    @rule(data=st.data(), kind=st.sampled_from(("garbage", "foreign", "access", "of another")))
    def refresh_what_is_not_ours(self, data: st.DataObject, kind: str) -> None:
        """It ends nothing, whosever id it has in it."""
        family, another = self.draw(data), self.draw(data)
        if family is None or another is None:
            return
        session_id, body, tag = family.tokens[-1].split(".")
        token = {
            "garbage": f"{session_id}.{body[::-1]}.{tag}",
            "foreign": RefreshTokens(A_SECRET).first(session_id),
            "access": family.last.access_token,
            "of another": f"{another.last.session_id}.{body}.{tag}",
        }[kind]
        if token not in family.tokens and body != body[::-1]:
            self.refused(token, InvalidToken)

    @rule(data=st.data())
    def logout(self, data: st.DataObject) -> None:
        family = self.draw(data)
        if family is None:
            return
        user_id = family.last.user_id
        ended = self.process.logins.end(family.last.session_id, user_id=user_id, deadline=soon())
        assert ended == family.alive
        family.alive = False

    @rule(name=st.sampled_from(NAMES))
    def logout_all(self, name: str) -> None:
        person = self.people[name]
        living = sum(family.alive for family in person.families)
        assert self.process.logins.logout_all(person.id, deadline=soon()) >= living
        person.end_all()

    @rule(name=st.sampled_from(NAMES))
    def change_password(self, name: str) -> None:
        person = self.people[name]
        new = OTHER_PASSWORD if person.password == PASSWORD else PASSWORD
        self.process.profiles.change_password(
            person.id, current=person.password, new=new, deadline=soon()
        )
        person.password = new
        person.end_all()

    @rule(name=st.sampled_from(NAMES))
    def disable(self, name: str) -> None:
        person = self.people[name]
        assert self.process.profiles.set_disabled(person.id, disabled=True, deadline=soon())
        person.disabled = True
        person.end_all()

    @rule(name=st.sampled_from(NAMES))
    def enable(self, name: str) -> None:
        person = self.people[name]
        assert self.process.profiles.set_disabled(person.id, disabled=False, deadline=soon())
        person.disabled = False

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        """And somebody else takes the name, at once."""
        gone = self.people[name]
        assert self.process.profiles.delete(gone.id, deadline=soon())
        gone.end_all()
        self.people[name] = Person(self.process.register(name))
        self.people[name].families = gone.families

    # --- what time does ----------------------------------------------------

    @rule(data=st.data())
    def ten_seconds_pass(self, data: st.DataObject) -> None:
        family = self.draw(data)
        if family is not None:
            self.clock.age(family.last.session_id, 10.1)
            family.recent = False

    @rule(data=st.data())
    def it_expires(self, data: st.DataObject) -> None:
        family = self.draw(data)
        if family is not None and data.draw(st.booleans()):
            self.clock.age(family.last.session_id, 40 * 86_400)
            family.alive = False

    # --- what is always so -------------------------------------------------

    @invariant()
    def access_is_as_the_model_says(self) -> None:
        for person in self.people.values():
            for family in person.families:
                if family.alive:
                    assert self.process.who(family.last).user_id == family.last.user_id
                else:
                    with pytest.raises(SessionEnded):
                        self.process.who(family.last)

    @invariant()
    def the_list_is_as_the_model_says(self) -> None:
        for person in self.people.values():
            listed = self.process.logins.sessions.of(person.id, deadline=soon())
            alive = {f.last.session_id for f in person.families if f.alive}
            assert {row.id for row in listed} == alive

    def draw(self, data: st.DataObject) -> Family | None:
        """Some session, dead or alive."""
        families = [family for person in self.people.values() for family in person.families]
        return data.draw(st.sampled_from(families)) if families else None

    def refused(self, token: str, error: type[InvalidToken]) -> None:
        with pytest.raises(InvalidToken) as refusal:
            self.process.refresh(token)
        assert type(refusal.value) is error


BUDGET = settings(
    max_examples=12,
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
)


def test_refresh_chain(process: Process, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no trust in what was read a second ago: that is another test's."""
    monkeypatch.setattr(login, "TRUST_SECONDS", -1.0)

    class Here(Refreshing):
        def __init__(self) -> None:
            super().__init__(process, clock)

    run_state_machine_as_test(Here, settings=BUDGET)
