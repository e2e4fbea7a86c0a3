"""Requests that carry a key of their client's, and what they were answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from dibs.context import Deadline
from dibs.errors import OutcomeUnknown, StoreUnavailable
from dibs.store.database.runs import Run
from dibs.store.database.transactions import RowVanished, Transactions, delete_some
from dibs.store.models import MAX_ANSWER, MAX_LANGUAGE, MAX_LOCATION

KEPT_MS = 24 * 3_600_000
"""How long a request is known; past that it is as if it had never been seen."""

STILL_MINE = "id = :id AND attempt = :token AND state = 'running'"

Verdict = Literal["mine", "other", "running", "done"]
"""`mine` is to be run now, by who asked. `other` is a request with the same key and another
payload, `running` the same one, at work elsewhere, and `done` one that was answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered."""

    status: int
    body: str
    location: str | None = None
    language: str | None = None

    @property
    def fits(self) -> bool:
        """Whether the table takes it."""
        texts = (self.body, self.location or "", self.language or "")
        longest = (MAX_ANSWER, MAX_LOCATION, MAX_LANGUAGE)
        return all(len(text.encode()) <= n for text, n in zip(texts, longest, strict=True))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a request.

    Attributes:
        id: Of the row: route, caller and key, in a form that only this service can make.
        token: Random; a row that carries it is this run's.
    """

    id: str
    fingerprint: str
    token: str

    @property
    def params(self) -> dict[str, object]:
        """Those of statements."""
        return {"id": self.id, "fingerprint": self.fingerprint, "token": self.token}


@dataclass(frozen=True, slots=True)
class Begun:
    """What is to be done about a request; the token is of the attempt that answered it."""

    verdict: Verdict
    answer: Answer | None = None
    token: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row, with its ages by the database's clock."""

    fingerprint: str
    token: str
    state: str
    running_ms: int
    known_ms: int
    answer: Answer | None


class Requests:
    """The table of requests: who inserts a row runs the request.

    After `patience_ms` a run that has not ended is taken for dead.
    """

    def __init__(self, transactions: Transactions, *, patience_ms: int) -> None:
        self._transactions = transactions
        self._clock = transactions.dialect.clock
        self._patience_ms = patience_ms

    def begin(self, attempt: Attempt, *, deadline: Deadline) -> Begun:
        """Note that this attempt runs, unless another one does or has.

        If the database cannot answer, the request is not to be run.
        """
        insert = (
            "INSERT INTO dibs_requests (id, fingerprint, attempt, state, created_at, started_at)"
            f" VALUES (:id, :fingerprint, :token, 'running', {self._clock}, {self._clock})"
            f" {self._transactions.dialect.pass_over('id')}"
        )

        def work(run: Run) -> Begun:
            run.change(insert, attempt.params)
            row = self._row(run, attempt)
            verdict = self._judge(row, attempt)
            if verdict == "mine" and row.token != attempt.token:
                # In this one statement, since the row has been read without a lock.
                since = self._clock if row.known_ms >= KEPT_MS else "created_at"
                taken = self._take(run, attempt, row.token, since=since)
                verdict = "mine" if taken else "running"
            return Begun(verdict, row.answer, row.token)

        return self._begun(work, deadline)

    def begin_anew(self, attempt: Attempt, *, after: str, deadline: Deadline) -> bool:
        """Note that this attempt runs because an answer holds no longer, and say whether it may.

        Args:
            after: The token of the one that was answered.

        Raises:
            StoreUnavailable: The database cannot answer; the request is not to be run.
        """

        def work(run: Run) -> Begun:
            taken = self._take(run, attempt, after, since=self._clock)
            # By our earlier self, whose COMMIT went unanswered.
            mine = taken or self._row(run, attempt).token == attempt.token
            return Begun("mine" if mine else "running")

        return self._begun(work, deadline).verdict == "mine"

    def _begun(self, work: Callable[[Run], Begun], deadline: Deadline) -> Begun:
        try:
            return self._transactions.write(
                work, changed=lambda begun: begun.verdict == "mine", deadline=deadline
            )
        except OutcomeUnknown as error:
            # At worst a row is left that will be taken for dead: the request was not run.
            raise StoreUnavailable from error

    def _judge(self, row: _Row, attempt: Attempt) -> Verdict:
        if row.token == attempt.token or row.known_ms >= KEPT_MS:
            return "mine"
        if row.fingerprint != attempt.fingerprint:
            return "other"
        if row.state == "running":
            return "running" if row.running_ms < self._patience_ms else "mine"
        return "mine" if row.answer is None else "done"

    def _row(self, run: Run, attempt: Attempt) -> _Row:
        sql = (
            f"SELECT fingerprint, attempt, state, {self._clock} - started_at,"
            f" {self._clock} - created_at, status, body, location, language"
            " FROM dibs_requests WHERE id = :id"
        )
        rows = run.rows(sql, {"id": attempt.id})
        if not rows:
            raise RowVanished
        fingerprint, token, state, running_ms, known_ms, *told = rows[0]
        answer = None if told[0] is None else Answer(*told)
        return _Row(fingerprint, token, state, running_ms, known_ms, answer)

    def _take(self, run: Run, attempt: Attempt, seen: str, *, since: str) -> bool:
        """Make the row this attempt's, if it is still that of the one that was seen."""
        sql = (
            "UPDATE dibs_requests SET fingerprint = :fingerprint, attempt = :token,"
            " state = 'running', status = NULL, body = NULL, location = NULL, language = NULL,"
            f" created_at = {since}, started_at = {self._clock} WHERE id = :id AND attempt = :seen"
        )
        return run.change(sql, {**attempt.params, "seen": seen}) == 1

    def finish(self, attempt: Attempt, answer: Answer | None, *, deadline: Deadline) -> None:
        """Keep the answer; with None, keep only that the request was answered.

        If it cannot be kept, the attempt will be taken for dead.
        """
        told = answer or Answer(0, "")
        headers = {"location": told.location, "language": told.language, "body": told.body or None}
        params = attempt.params | headers | {"status": told.status or None}
        sql = (
            "UPDATE dibs_requests SET state = 'done', status = :status, body = :body,"
            f" location = :location, language = :language WHERE {STILL_MINE}"
        )
        self._transactions.change(sql, params, deadline=deadline)

    def forget(self, attempt: Attempt, *, deadline: Deadline) -> None:
        """Let the same request be run again, now; or later, if the database cannot answer."""
        sql = f"DELETE FROM dibs_requests WHERE {STILL_MINE}"
        params = {"id": attempt.id, "token": attempt.token}
        self._transactions.change(sql, params, deadline=deadline)

    def remove_expired(self, *, limit: int, deadline: Deadline) -> int:
        """Delete up to `limit` of those that are known no longer, and say how many they were."""
        # In a subquery the clock is read once; else PostgreSQL compares it with every row.
        old = f"created_at <= (SELECT {self._clock} - {KEPT_MS})"
        which = f"SELECT id FROM dibs_requests WHERE {old} ORDER BY created_at LIMIT {limit}"
        work = partial(delete_some, table="dibs_requests", which=which, params={}, still=old)
        return self._transactions.write(work, changed=bool, deadline=deadline)
