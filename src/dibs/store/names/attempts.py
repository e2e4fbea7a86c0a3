"""Attempts at claims, and looks: alone or in groups, by the rules that are in force."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from sqlalchemy import Connection

from dibs.context import Deadline, turns
from dibs.errors import RulesReplaced, StoreError, StoreUnavailable
from dibs.names import Parser, Phase
from dibs.signals import NameChange
from dibs.store import schema
from dibs.store.accounts.invitations import use
from dibs.store.accounts.teams import insert_team
from dibs.store.database.runs import Run
from dibs.store.database.transactions import HEARSAY, Restart, Transactions
from dibs.store.models import ALL_TABLES, Tables
from dibs.store.names.claims import (
    claim_at_once,
    claim_many_at_once,
    decide,
    is_alone,
    won_before,
)
from dibs.store.names.companions import resolved
from dibs.store.names.group_commit import GroupCommit
from dibs.store.names.reading import PHASE, read, tell_followed
from dibs.store.records import DEFAULT_NAMESPACE, Claim, Failed, Lost, NameRow, Outcome, Won

# SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535; a claim has 8.
MAX_BATCH = 500
Look = tuple[str, Sequence[str]]
"""At keys of a namespace."""

JUST_NOW = 0.02
"""Seconds for which a server that has answered is taken to be there."""


class Attempts:
    """Claims and looks, and whether the database is fit for them.

    All raise `StoreUnavailable` when the database cannot answer, or `OutcomeUnknown` when a change
    may have been made all the same.

    Args:
        tables: Those that must be there: for names alone not all of them.
        grouped: Whether claims that come at the same moment may go together.
    """

    def __init__(
        self,
        transactions: Transactions,
        *,
        parser: Parser,
        tables: Tables = ALL_TABLES,
        grouped: bool = False,
    ) -> None:
        self.transactions = transactions
        self.engine = transactions.engine
        self.parser = parser
        self.parser.ask = self._hear
        self.tables = tables
        self._verified = -1
        self._verifying = threading.Lock()
        self._hearing = threading.Lock()
        self._heard = -JUST_NOW
        enough, gives_way = transactions.budget.connect, transactions.dialect.gives_way
        self._groups: GroupCommit[Claim, Outcome] | None = None
        self._looks: GroupCommit[Look, Mapping[str, NameRow]] | None = None
        if grouped:
            self._groups = GroupCommit(
                self._together,
                self._alone,
                enough=enough,
                patience=transactions.budget.patience,
                name=lambda claim: claim.token,
                gives_way=gives_way,
            )
            self._looks = GroupCommit(self._looked, self._look, enough=enough, gives_way=gives_way)

    def claim(self, claim: Claim, *, deadline: Deadline) -> Outcome:
        """Try to take the name."""
        # One whose invitation is refused is rolled back, and nobody else with it.
        if self._groups is None or claim.invitation or self._at_once([claim]) is not None:
            return self._alone(claim, deadline)
        return self._groups.ask(claim, deadline=deadline)

    def _alone(self, claim: Claim, deadline: Deadline) -> Outcome:
        return self._write([claim], deadline, insist=True)[0]

    def claim_many(self, claims: Sequence[Claim], *, deadline: Deadline) -> list[Outcome | Failed]:
        """Try to take each name; one that another transaction keeps locked fails alone."""
        outcomes: list[Outcome | Failed | None] = []
        for start in range(0, len(claims), MAX_BATCH):
            outcomes += self._together(claims[start : start + MAX_BATCH], deadline)
        # Those that nobody blocks were served first; the rest waits.
        return [
            self._failing(claim, deadline, insist=True) or Failed(StoreUnavailable())
            if outcome is None
            else outcome
            for claim, outcome in zip(claims, outcomes, strict=True)
        ]

    def _together(
        self, claims: Sequence[Claim], deadline: Deadline
    ) -> Sequence[Outcome | Failed | None]:
        """Try to take all in one transaction, or each in its own if one of them is locked.

        None is the outcome of that one.
        """
        told: dict[str, Outcome] = {}
        left = claims
        rest: Sequence[Outcome | Failed | None]
        try:
            if self._are_alone(claims):
                told = self._insert_many(claims, deadline)
                told |= self._lost([one for one in claims if one.token not in told], deadline)
                left = [claim for claim in claims if claim.token not in told]
            rest = self._write(left, deadline, insist=False) if left else []
        except Restart:
            rest = self._each(left, deadline)
        except StoreError as error:
            rest = [Failed(error)] * len(left)
        else:
            self._heard = time.monotonic()
        others = iter(rest)
        return [told.get(claim.token) or next(others) for claim in claims]

    def _each(
        self, claims: Sequence[Claim], deadline: Deadline
    ) -> Sequence[Outcome | Failed | None]:
        """Try to take each in a transaction of its own; one lock is waited for once."""
        locked: set[tuple[str, str]] = set()
        outcomes: list[Outcome | Failed | None] = []
        for claim in claims:
            free = claim.place not in locked
            outcome = self._failing(claim, deadline, insist=False) if free else None
            if outcome is None:
                locked.add(claim.place)
            outcomes.append(outcome)
        return outcomes

    def _are_alone(self, claims: Sequence[Claim]) -> bool:
        """Whether one statement may do for all of these, if their names are new.

        Only behind others, whose answers have just come. For the rest BEGIN finds out whether the
        server is there: of a statement that is a transaction of its own nobody knows what became
        of it when the server stands still.
        """
        if not self.transactions.dialect.lists or time.monotonic() - self._heard > JUST_NOW:
            return False
        return all(map(is_alone, claims)) and len({one.username.in_force for one in claims}) == 1

    def _insert_many(self, claims: Sequence[Claim], deadline: Deadline) -> dict[str, Outcome]:
        """Take those names that are new, by one statement; if one is locked (`Restart`) none."""
        self.verify_once(deadline)
        noted: list[NameChange] = []

        def send(run: Run) -> dict[str, Outcome]:
            nonlocal noted
            noted = run.noted
            found = zip(claims, claim_many_at_once(run, claims), strict=True)
            return {claim.token: outcome for claim, outcome in found if outcome}

        def recall(run: Run) -> dict[str, Outcome] | None:
            # All or none: if one of them is there, none of the others is on its way still.
            found = won_before(run, claims)
            keys = {outcome.row.key for outcome in found.values()}
            noted[:] = [new for new in noted if new.key in keys]
            return found or None

        return self.transactions.write(
            send, at_once=send, changed=bool, recall=recall, deadline=deadline, insist=False
        )

    def _lost(self, claims: Sequence[Claim], deadline: Deadline) -> dict[str, Outcome]:
        """Those whose names are somebody's, by token: one look tells, and no transaction need."""
        if not claims:
            return {}
        rules = claims[0].username.in_force
        places = {claim.place for claim in claims}
        try:
            rows = self.transactions.read(
                partial(read, places=places, rules=rules), deadline=deadline
            )
        except RulesReplaced:
            return {}  # the transaction follows them
        return {
            claim.token: Lost(row)
            for claim in claims
            if (row := rows.get(claim.place)) and row.state == "owned"
            if not row.won_by(claim.token)
        }

    def _failing(
        self, claim: Claim, deadline: Deadline, *, insist: bool
    ) -> Outcome | Failed | None:
        try:
            return self._write([claim], deadline, insist=insist)[0]
        except Restart:
            return None
        except StoreError as error:
            return Failed(error)

    def _write(self, claims: Sequence[Claim], deadline: Deadline, *, insist: bool) -> list[Outcome]:
        self.verify_once(deadline)
        try:
            return self._send(claims, deadline, insist=insist)
        except RulesReplaced as error:
            claims = [self._again(claim, error, deadline) for claim in claims]
            return self._send(claims, deadline, insist=insist)

    def _again(self, claim: Claim, error: RulesReplaced, deadline: Deadline) -> Claim:
        """The claim by the rules that are in force by now, if this server can have those."""
        if claim.username.in_force == self.parser.phase.token:
            if not self._follow(deadline):
                raise error
            tell_followed(self.parser.phase)
        return claim.read_by(self.parser)

    def _follow(self, deadline: Deadline) -> bool:
        """Read which rules are in force, and say whether names can be had by those."""
        rows = self.transactions.rows(PHASE, {}, deadline=deadline)
        return bool(rows) and self.parser.follow(Phase(*rows[0]))

    def _hear(self) -> None:
        """Learn from the database how far a change of rules has got, if it answers."""
        if self._hearing.acquire(blocking=False):  # one hears for all
            try:
                self._follow(self.transactions.budget.start())
            except StoreError:
                pass
            finally:
                self._hearing.release()

    def _send(self, claims: Sequence[Claim], deadline: Deadline, *, insist: bool) -> list[Outcome]:
        def work(run: Run) -> list[Outcome]:
            outcomes = decide(run, claims, patient=insist)
            for claim, outcome in zip(claims, outcomes, strict=True):
                # An earlier request with this token wrote its own.
                if isinstance(outcome, Won) and outcome.row.owner == claim.owner:
                    if claim.team:
                        insert_team(run, claim.team)
                    if claim.invitation:
                        use(run, claim.invitation, claim.owner)
            return outcomes

        def recall(run: Run) -> list[Outcome] | None:
            won = won_before(run, claims)
            is_whole = all(claim.token in won for claim in claims)
            return [won[claim.token] for claim in claims] if is_whole else None

        return self.transactions.write(
            work,
            at_once=self._at_once(claims) if insist else None,
            changed=lambda outcomes: any(isinstance(one, Won) for one in outcomes),
            recall=recall,
            deadline=deadline,
            insist=insist,
        )

    def _at_once(self, claims: Sequence[Claim]) -> Callable[[Run], list[Outcome] | None] | None:
        """How one statement does it, for a user who has had their password hashed.

        Their name was free and the server was there a moment ago. For others BEGIN is what
        finds out whether it is: of a statement that is a transaction of its own nobody
        knows what became of it when the server stands still.
        """
        (user,) = [claim.user for claim in claims] if len(claims) == 1 else [None]
        if not self.transactions.dialect.whole or user is None or user.password_hash is None:
            return None
        if claims[0].username.twin is not None or claims[0].invitation:
            return None  # two names' rows, of which one may be refused; or more than rows of names
        return partial(claim_at_once, claim=claims[0])

    def verify_once(self, deadline: Deadline) -> None:
        """Grant nothing in a database that was never seen to keep names unique.

        Again after each loss of the server: it may have come back as another one.

        Raises:
            SchemaError: It does not; the message names the command that mends it.
        """
        if self._verified == self.transactions.generation:
            return
        if (others := turns()) is not None:
            others.elsewhere(partial(self.verify_once, deadline), deadline=deadline)
            return
        # One looks for all: it takes some twenty queries, and all come at once after a loss.
        while not self._verifying.acquire(timeout=HEARSAY):
            if self.transactions.is_silent or not deadline.allows(HEARSAY):
                raise StoreUnavailable
        try:
            generation = self.transactions.generation
            if self._verified != generation:
                self.verify(deadline=deadline)
                self._verified = generation
        finally:
            self._verifying.release()

    def find(
        self, keys: Sequence[str], *, namespace: str = DEFAULT_NAMESPACE, deadline: Deadline
    ) -> Mapping[str, NameRow]:
        """The rows of these keys, by key; a key that was never claimed is left out."""
        if self._looks is None or turns() is None:
            return self._read_all([(namespace, keys)], deadline)[0]
        return self._looks.ask((namespace, keys), deadline=deadline)

    def _look(self, wish: Look, deadline: Deadline) -> Mapping[str, NameRow]:
        return self._read_all([wish], deadline)[0]

    def _looked(
        self, wishes: Sequence[Look], deadline: Deadline
    ) -> Sequence[Mapping[str, NameRow] | Failed]:
        try:
            return self._read_all(wishes, deadline)
        except StoreError as error:
            return [Failed(error)] * len(wishes)

    def _read_all(self, wishes: Sequence[Look], deadline: Deadline) -> list[Mapping[str, NameRow]]:
        """The rows that each is about, by key; one statement for those of a namespace."""
        places = {(namespace, key) for namespace, keys in wishes for key in keys}
        find = resolved if self.parser.phase.step == "moving" else read
        rows = self.transactions.read(partial(find, places=places), deadline=deadline)
        return [
            {key: row for key in keys if (row := rows.get((namespace, key)))}
            for namespace, keys in wishes
        ]

    def verify(self, *, deadline: Deadline) -> None:
        """See that tables, constraint, collation and rules version are as needed.

        Raises:
            SchemaError: They are not; the message names the command that mends it.
        """

        def look(connection: Connection) -> None:
            if schema.is_new(connection):
                schema.write_rules(connection, self.parser.rules_version)
            schema.verify(connection, self.parser, tables=self.tables)

        self.transactions.inspect(look, deadline=deadline)
