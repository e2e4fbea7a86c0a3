"""Requests with an Idempotency-Key, and what they were answered."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace

from dibs.accounts.housekeeping import Housekeeping
from dibs.context import Deadline
from dibs.errors import DibsError, StoreError
from dibs.secret import ServiceSecret, claim_token
from dibs.store.accounts.idempotency import Answer, Attempt, Requests

SLACK_SECONDS = 2.0
"""What an attempt may take beyond its deadline, on a machine that is busy, before it is dead."""


class KeyReused(DibsError):
    """The client has sent another request with the same key."""

    code = "idempotency_key_reused"
    message = (
        "This Idempotency-Key was already used with another body. "
        "Please make a new one for each request."
    )


class RequestRunning(DibsError):
    """The same request is being served at this moment; try again in `retry_after` seconds."""

    code = "request_in_progress"
    message = "The same request is still being processed. Please send it again shortly."
    retry_after = 1


class IdempotentRequests:
    """Requests with an Idempotency-Key: each is run once, and answered alike from then on.

    Services that share the table, but no namespace, share no keys either.
    """

    def __init__(self, rows: Requests, namespace: str, secret: ServiceSecret) -> None:
        self._rows, self._namespace, self._secret = rows, namespace.encode(), secret
        self._housekeeping = Housekeeping(rows)

    def begin(
        self, request: tuple[bytes, bytes, bytes, bytes], *, deadline: Deadline
    ) -> tuple[Attempt, Answer | None]:
        """Run this request now, unless it was answered before.

        Args:
            request: Route, caller, key, body. The caller of an anonymous request is nobody,
                wherever it comes from: a retry may come by another network. Whoever
                guesses a key of 16 random characters learns that it was used, no more.
            deadline: When the caller stops waiting.

        Returns:
            The attempt, and the answer if it was given already.

        Raises:
            KeyReused: The key belongs to a request with another body.
            RequestRunning: The same request is being served.
            StoreUnavailable: The database cannot answer; the request is not to be run.
        """
        attempt = self._attempt(request, deadline)
        begun = self._rows.begin(attempt, deadline=deadline)
        match begun.verdict:
            case "other":
                raise KeyReused
            case "running":
                raise RequestRunning
            case "done":
                return replace(attempt, token=begun.token), begun.answer
        return attempt, None

    def begin_anew(self, answered: Attempt, *, deadline: Deadline) -> Attempt:
        """Run a request once more whose answer holds no longer.

        Raises:
            RequestRunning: Somebody else does that already.
            StoreUnavailable: The database cannot answer; the request is not to be run.
        """
        attempt = replace(answered, token=secrets.token_hex(16))
        if not self._rows.begin_anew(attempt, after=answered.token, deadline=deadline):
            raise RequestRunning
        return attempt

    def end(self, attempt: Attempt, answer: Answer | None, *, deadline: Deadline) -> None:
        """Keep the answer, as far as that is possible: it is sent in any case.

        One that was not kept is found again by the claim's own token, once the attempt is taken for
        dead. None stands for one that holds a secret; the retry makes it again.
        """
        with suppress(StoreError):
            kept = answer if answer is not None and answer.fits else None
            self._rows.finish(attempt, kept, deadline=deadline)
        self._housekeeping.now_and_then(deadline)

    def forget(self, attempt: Attempt, *, deadline: Deadline) -> bool:
        """Let the same request be run again, and say whether it can be now."""
        try:
            self._rows.forget(attempt, deadline=deadline)
        except StoreError:
            return False
        return True

    def _attempt(self, request: tuple[bytes, bytes, bytes, bytes], deadline: Deadline) -> Attempt:
        """What is stored of a request.

        The fingerprint is made of the key too, which is random and stored nowhere. Of the body
        alone it would let whoever has the database, with the secret in it, try passwords at
        the speed of SHA-256 instead of argon2.
        """
        route, caller, key, body = request
        secret = self._secret(deadline)
        return Attempt(
            id=claim_token((b"request", self._namespace, route, caller, key), secret),
            fingerprint=claim_token((b"payload", key, body), secret),
            token=secrets.token_hex(16),
        )
