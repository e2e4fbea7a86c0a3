"""What the database could not do."""

from __future__ import annotations

from dibs.errors.base import DibsError


class StoreError(DibsError):
    """The database could not do what was asked."""


class StoreUnavailable(StoreError):
    """The database cannot answer now; nothing was changed, and asking again may help.

    Attributes:
        retry_after: Seconds after which another try makes sense.
    """

    code = "unavailable"
    message = "The service cannot answer at the moment. Please try again shortly."
    retry_after: int = 1


class OutcomeUnknown(StoreUnavailable):
    """COMMIT was sent and its fate is not known; ask again with the same key."""

    code = "outcome_unknown"
    message = (
        "It is not known whether the registration was stored. "
        "Please send the same request again with the same Idempotency-Key."
    )


class TransactionMustRestart(StoreError):
    """The host's transaction lost against another one; roll it back and run it again."""

    code = "transaction_must_restart"
    message = "The transaction must be rolled back and run again."


class SchemaError(StoreError):
    """The database is not as dibs needs it; the message names the command that mends it."""

    code = "schema"
    message = "The database is not set up for dibs."
