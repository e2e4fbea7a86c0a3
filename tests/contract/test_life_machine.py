"""Whatever happens to names in whatever order: every store does what the model does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from dibs.errors import UserNotFound
from dibs.signals import SIGNALS, NameChange
from dibs.store import Claim, Lost, NameRow, NameStore, Outcome, Won
from dibs.store.accounts.users import Users
from dibs.store.names.groups import join
from dibs.store.names.moves import Rename
from dibs.store.names.quarantine import FREE, Quarantine
from dibs.store.records import member_key
from tests.backends import Backend
from tests.contract.crashes import Crash, Fuse, fused
from tests.contract.life_model import Model
from tests.contract.rows import expire
from tests.histories import announced, assert_history
from tests.support.contract import AN_HOUR_MS, a_claim, a_name, claim, release, soon
from tests.support.memory import MemoryStore

KEYS = st.sampled_from("abc")
OWNERS = st.sampled_from(("ada", "bob", "eve"))
NUMBERS = st.integers(0, 2)
RESTS = st.sampled_from(
    (
        FREE,
        Quarantine(AN_HOUR_MS),
        Quarantine(AN_HOUR_MS, remembered=True),
        Quarantine(None, remembered=True),
        Quarantine(0, remembered=True),
    )
)
# Not at all; before one of its statements; or between COMMIT and the reply.
DEATHS = st.one_of(st.none(), st.none(), st.integers(0, 9), st.just("at commit"))


@dataclass
class Stage:
    """A store, and what can be done to it from outside.

    Attributes:
        fuse: Makes it crash; None for one that cannot.
        doubles: Whether a claim that is sent again may be announced again: where the
            INSERT does not say whose the row is.
    """

    store: NameStore
    fuse: Fuse | None = None
    doubles: bool = False


class LifeMachine(RuleBasedStateMachine):
    """Claims, holds, renames, releases, deletions, retries and crashes against the model."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage, self.store = stage, stage.store
        self.space = uuid4().hex
        self.model = Model()
        self.rows: list[NameRow] = []
        self.last: tuple[Callable[[], Any], Callable[[Model], Any]] | None = None
        self.died_late = False
        self.open = ExitStack()
        self.told: list[NameChange] = self.open.enter_context(announced())

    def owner(self, name: str) -> str:
        return f"{name}-{self.space[:16]}"

    def token(self, kind: str, number: int) -> str:
        return f"{kind}{number}{self.space}"

    # --- what is done ------------------------------------------------------

    @rule(key=KEYS, owner=OWNERS, number=NUMBERS, hold=NUMBERS, death=DEATHS)
    def claim(self, key: str, owner: str, number: int, hold: int, death: Any) -> None:
        wish = a_claim(
            key,
            owner=self.owner(owner),
            token=self.token(f"claim{owner}", number),
            namespace=self.space,
            user=True,
            password_hash="$argon2id$..." if number % 2 else None,
            hold=self.token(f"hold{owner}", hold),
        )
        self.do(lambda: claim(self.store, wish), lambda model: model.claim(wish), death)

    @rule(key=KEYS, owner=OWNERS, number=NUMBERS, death=DEATHS)
    def hold(self, key: str, owner: str, number: int, death: Any) -> None:
        wish = a_claim(
            key,
            owner=self.owner(owner),
            token=self.token(f"hold{owner}", number),
            namespace=self.space,
            lasts=AN_HOUR_MS,
        )
        self.do(lambda: claim(self.store, wish), lambda model: model.claim(wish), death)

    @rule(key=KEYS, owner=OWNERS, number=NUMBERS, death=DEATHS)
    def unhold(self, key: str, owner: str, number: int, death: Any) -> None:
        token, space = self.token(f"hold{owner}", number), self.space
        self.do(
            lambda: self.store.free(
                key, state="held", token=token, namespace=space, deadline=soon()
            ),
            lambda model: model.unhold(key, token),
            death,
        )

    @rule(key=KEYS, owner=OWNERS, rest=RESTS, death=DEATHS)
    def release(self, key: str, owner: str, rest: Quarantine, death: Any) -> None:
        self._release(key, owner, rest, death)

    def _release(self, key: str, owner: str, rest: Quarantine, death: Any) -> None:
        who, space = self.owner(owner), self.space
        self.do(
            lambda: release(self.store, key, who, rest=rest, namespace=space),
            lambda model: model.release(key, who, rest),
            death,
        )

    @rule(old=st.integers(0, 9), to=KEYS, number=NUMBERS, rest=RESTS, death=DEATHS)
    def rename(self, old: int, to: str, number: int, rest: Quarantine, death: Any) -> None:
        """Of an owner whose row was read now, or a while ago."""
        if not self.rows:
            return
        row = self.rows[-1 - old % len(self.rows)]
        wanted = a_claim(
            a_name(to, display=to.upper() if number else to),
            owner=str(row.owner),
            namespace=self.space,
        )
        wish = Rename(wanted, row, rest, user=True)
        self.do(lambda: self._rename(wish), lambda model: self._renamed(model, wish), death)

    def _rename(self, wish: Rename) -> Outcome | str | None:
        try:
            return self.store.rename(wish, deadline=soon())
        except UserNotFound:
            return "nobody"

    def _renamed(self, model: Model, wish: Rename) -> bool | str | None:
        return model.rename(wish) if wish.claim.owner in model.users else "nobody"

    @rule(owner=OWNERS, death=DEATHS)
    def delete(self, owner: str, death: Any) -> None:
        """A user; where users are rows of their own."""
        if isinstance(self.store, MemoryStore):
            return
        users, who = Users(self.store.transactions, self.space), self.owner(owner)
        self.do(
            lambda: users.delete(who, quarantine=AN_HOUR_MS, deadline=soon()),
            lambda model: model.delete(who),
            death,
        )

    @rule(key=KEYS, owner=OWNERS, loud=st.booleans(), death=DEATHS)
    def join(self, key: str, owner: str, loud: bool, death: Any) -> None:
        """A user who had this name before dibs keeps it beside who has it."""
        who, display = self.owner(owner), key.upper() if loud else key
        is_had = self.model.names[key].state in ("owned", "group")
        if isinstance(self.store, MemoryStore) or not is_had or who not in self.model.users:
            return
        wish = a_claim(a_name(key, display=display), owner=who, namespace=self.space)
        self.do(lambda: self._join(wish), lambda model: model.join(wish), death)

    def _join(self, wish: Claim) -> bool:
        joined = self.store.transactions.write(
            lambda run: join(run, [wish], adopted=True), changed=lambda _: True, deadline=soon()
        )
        row = joined.rows[wish.token]
        return row is not None and row.owner == wish.owner

    @rule(key=KEYS, owner=OWNERS, loud=st.booleans(), rest=RESTS, death=DEATHS)
    def leave(self, key: str, owner: str, loud: bool, rest: Quarantine, death: Any) -> None:
        """A member of a group."""
        if not isinstance(self.store, MemoryStore):
            self._release(member_key(key, key.upper() if loud else key), owner, rest, death)

    @rule(key=KEYS)
    def expire(self, key: str) -> None:
        """As if two hours had passed for this name; the store's own clock goes on as it does."""
        self.model.expire(key)
        if isinstance(self.store, MemoryStore):
            row = self.store._names.get((self.space, key))
            if row is not None and row.expires_at is not None:
                over = replace(row, expires_at=row.expires_at - 2 * AN_HOUR_MS)
                self.store._names[self.space, key] = over
            return
        expire(self.store, key, namespace=self.space)

    @rule()
    def retry(self) -> None:
        """What was asked for last, for instance because no answer came."""
        if self.last is not None:
            self.do(*self.last, None)

    # --- what comes of it --------------------------------------------------

    def do(self, ask: Callable[[], Any], expect: Callable[[Model], Any], death: Any) -> None:
        """Ask the store, and let the model say what it has to answer."""
        self.last = ask, expect
        after = deepcopy(self.model)
        expected = expect(after)
        if self.stage.fuse is not None:
            count = death if isinstance(death, int) else None
            self.stage.fuse.set(count, at_commit=death == "at commit")
        try:
            answer = ask()
        except Crash:
            assert self.stage.fuse is not None
            if self.stage.fuse.committed:
                self.model, self.died_late = after, True
            return
        finally:
            if self.stage.fuse is not None:
                self.stage.fuse.set(None)
        self.model = after
        if isinstance(answer, (Won, Lost)):
            assert self.seen(answer.row) == self.known(answer.row.key)
            answer = isinstance(answer, Won)
        assert answer == expected

    @invariant()
    def every_row_is_as_the_model_has_it(self) -> None:
        keys = ["a", "b", "c", *self.model.members()]
        found = self.store.find(keys, namespace=self.space, deadline=soon())
        assert {key: self.seen(row) for key, row in found.items()} == {
            key: self.known(key) for key, name in self.model.names.items() if name.version
        }
        self.rows += [row for row in found.values() if row.state == "owned"]
        self.rows = self.rows[-10:]

    def seen(self, row: NameRow) -> tuple[Any, ...]:
        return row.state, row.owner, row.claim_token, row.version, row.free

    def known(self, key: str) -> tuple[Any, ...]:
        name = self.model.names[key]
        return name.state, name.owner, name.token, name.version, name.free

    def teardown(self) -> None:
        """The history tells all of it, and each change was announced at most once."""
        self.open.close()
        if isinstance(self.store, MemoryStore):
            return
        changes = assert_history(self.store, self.space)
        told = Counter(one for one in self.told if one.namespace == self.space)
        if self.stage.doubles:
            told = Counter(set(told))
        written = Counter(one for one in changes if one.action in SIGNALS)
        assert told <= written if self.died_late else told == written


def run(stage: Stage, examples: int) -> None:
    run_state_machine_as_test(
        lambda: LifeMachine(stage),  # type: ignore[arg-type]  # it is only called
        settings=settings(max_examples=examples, stateful_step_count=30),
    )


def test_names_in_memory_do_what_the_model_does() -> None:
    run(Stage(MemoryStore()), 200)


@pytest.fixture
def stage(backend: Backend, store: NameStore) -> Iterator[Stage]:
    with fused() as fuse:
        yield Stage(store, fuse, doubles=backend.name == "mariadb")


def test_names_in_a_database_do_what_the_model_does(stage: Stage) -> None:
    run(stage, 40)
