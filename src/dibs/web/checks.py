"""Are names free? From what a request asks to what it is answered, whichever server reads it.

Knows neither Flask nor a request of its: what is not in the question is asked by its functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from dibs.errors import InvalidName, NameHeld, NameQuarantined, NameReserved, NameTaken, Reason
from dibs.names import latin_reading
from dibs.names.messages import ENCODING
from dibs.registry import Registry
from dibs.store import Deadline, NameRow
from dibs.web.words import joined, reason_items, said

MAX_CHECKED = 100

Refused = InvalidName | NameTaken | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Who asks about names, and how.

    Attributes:
        registry: The names of the namespace that is meant.
        is_blind: Whether nobody is told who has a name.
        suggests: Whether other names are wanted where one cannot be had.
        is_said: Whether the request may say who asks.
        is_readers: Whether a name is, or was, that of whoever asks.
        moved_to: What whoever gave a name up is called now, as far as the asker may know.
    """

    registry: Registry
    deadline: Deadline
    locale: str
    is_blind: bool
    suggests: bool
    is_said: bool
    is_readers: Callable[[NameRow], bool]
    moved_to: Callable[[NameRow], str | None]


class Answer(NamedTuple):
    """What is answered; the body is an object of JSON."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]


def check(name: str, asked: Question, *, is_utf8: bool = True) -> Answer:
    """Say whether a name is available: advice, never a promise.

    Args:
        name: The one that is asked about.
        is_utf8: Whether its bytes were; if not, the name has U+FFFD in their place.
    """
    return _answered(verdict(name, asked, is_utf8=is_utf8), asked)


def check_many(names: Sequence[str], asked: Question) -> Answer:
    """Say whether each of some names is available, in their order, by one query."""
    found = asked.registry.check_many(names, rules_only=asked.is_blind, deadline=asked.deadline)
    results = [
        _said(name, canonical, refused, asked)
        for name, (canonical, refused) in zip(names, found, strict=True)
    ]
    return _answered({"results": results}, asked)


def _answered(body: dict[str, Any], asked: Question) -> Answer:
    headers = {
        "Cache-Control": "no-store",
        "Content-Language": asked.locale.replace("_", "-"),
        "Vary": "Accept-Language",
    }
    return Answer(200, headers, body)


def verdict(name: str, asked: Question, *, is_utf8: bool = True) -> dict[str, Any]:
    """What is to be said of a name."""
    registry, until = asked.registry, asked.deadline
    canonical: str | None = None
    refused: Refused
    if not is_utf8:
        refused = InvalidName((Reason("encoding", ENCODING),))
        return {**_said(name, None, refused, asked), "suggestions": []}
    try:
        if asked.is_blind:
            ((canonical, refused),) = registry.check_many([name], rules_only=True, deadline=until)
        else:
            username = registry.admit(name, deadline=until)
            canonical = username.canonical
            refused = registry.check(username, deadline=until)
    except (InvalidName, NameTaken) as error:
        refused = error
    # Their own name they may write in other capitals; of nobody the row is not read for that.
    is_old = isinstance(refused, NameQuarantined)
    is_own = asked.is_said and isinstance(refused, NameTaken)
    row = registry.row_of(name, deadline=until) if is_old or is_own else None
    if row is not None and (is_old or row.display != name) and asked.is_readers(row):
        refused = None  # they may take it back, or spell it otherwise
    helps = refused is not None and as_taken(refused) is not None
    wanted = helps and asked.suggests and not asked.is_blind
    others = suggestions(name, registry, until) if wanted else []
    found = {**_said(name, canonical, refused, asked), "suggestions": others}
    if refused is not None and row is not None and is_old:
        found["renamed_to"] = asked.moved_to(row)
    return found


def _said(name: str, canonical: str | None, refused: Refused, asked: Question) -> dict[str, Any]:
    """A verdict without other names."""
    return {
        # JSON can spell half a surrogate pair, which no answer in UTF-8 can repeat.
        "name": name.encode(errors="backslashreplace").decode(),
        "canonical": canonical,
        "available": False if refused else None if asked.is_blind else True,
        "renamed_to": None,
        **_why_not(refused, asked.locale),
    }


def _why_not(refused: Refused, locale: str) -> dict[str, Any]:
    if refused is None:
        return {"reason": None, "message": None, "reasons": []}
    taken = as_taken(refused)
    if taken is not None:
        found: dict[str, Any] = {
            "reason": taken.code,
            "message": said(locale, taken.message),
            "reasons": [],
        }
        if isinstance(taken, NameHeld) and taken.retry_after is not None:
            found["retry_after"] = taken.retry_after
        return found
    broken = refused.reasons if isinstance(refused, InvalidName) else ()
    reasons = reason_items(partial(said, locale), [("username", reason) for reason in broken])
    message = joined(locale, (item["detail"] for item in reasons))
    return {"reason": refused.code, "message": message, "reasons": reasons}


def suggestions(name: str, registry: Registry, deadline: Deadline) -> list[dict[str, str]]:
    """Names like this one that are free."""
    found = registry.suggest(name, deadline=deadline)
    if not found and (read := latin_reading(name)):
        found = registry.suggest(read, deadline=deadline)
    return [{"name": one.name, "method": one.method} for one in found]


def as_taken(error: InvalidName | NameTaken) -> NameTaken | None:
    """The error as one that other names can help with; None if a rule is broken."""
    if isinstance(error, NameTaken):
        return error
    return NameReserved() if error.only_reserved else None
