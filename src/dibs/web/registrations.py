"""A new user: from the fields of a request to its answer, whichever server reads it.

Knows neither Flask nor a request of its, as `dibs.web.checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dibs.accounts.registration import Registration
from dibs.errors import InvalidName, NameTaken, OutcomeUnknown
from dibs.store import Deadline
from dibs.web.checks import Answer, as_taken
from dibs.web.words import said

REGISTERED = "Registration successful."
MESSAGES = (REGISTERED,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request to register, and how it wants to be answered.

    Attributes:
        key: Its idempotency key: the client's, or a new one.
        is_repeatable: Whether it may have been sent before.
        others: Names that can be had instead.
        location: The address of a user, by their id.
    """

    registration: Registration
    deadline: Deadline
    locale: str
    key: str
    is_repeatable: bool
    body: bytes
    others: Callable[[str], list[dict[str, str]]]
    location: Callable[[str], str]


def register(fields: Mapping[str, str], sent: Sent) -> Answer:
    """Register a user.

    Raises:
        DibsError: They cannot be registered; see `Registration.register`. What helps is in it:
            other names, or the key to try again with.
    """
    name = fields["username"]
    with Helping(lambda: sent.others(name), sent.key):
        user = sent.registration.register(
            name,
            fields.get("password"),
            request=(b"POST /register", b"", sent.key.encode(), sent.body),
            repeatable=sent.is_repeatable,
            hold=fields.get("hold_token"),
            invitation=fields.get("invitation"),
            deadline=sent.deadline,
        )
    headers = {
        "Location": sent.location(user.id),
        "Content-Language": sent.locale.replace("_", "-"),
        "Vary": "Accept-Language",
    }
    message = said(sent.locale, REGISTERED)
    return Answer(201, headers, {"message": message, "id": user.id, "username": user.username})


class Helping:
    """Says what helps when a name cannot be had: other names, or the key to try again with.

    Around a `with`; a generator in its place takes a registration 1 % longer.
    """

    def __init__(self, others: Callable[[], list[dict[str, str]]], key: str | None = None) -> None:
        self._others, self._key = others, key

    def __enter__(self) -> None:
        """Nothing is to be done yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, OutcomeUnknown) and self._key is not None:
            raise OutcomeUnknown(idempotency_key=self._key) from error
        if isinstance(error, InvalidName | NameTaken) and (taken := as_taken(error)) is not None:
            taken.suggestions = self._others()
            if taken is not error:
                raise taken from error.with_traceback(None)
