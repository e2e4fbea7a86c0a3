"""What went wrong, in the words of programs: a code and a status, which are never reworded."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from flask import abort

from dibs import errors
from dibs.errors import DibsError, InvalidName, InvalidPassword, Reason
from tests.docs.blocks import ROOT
from tests.pins.conftest import Make
from tests.pins.snapshot import pinned

REASONS = (Reason("too_short", "Too short."),)
ARGUMENTS: dict[str, Any] = {
    "reasons": REASONS,
    "retry_after": 7,
    "name": InvalidName(REASONS),
    "password": InvalidPassword(REASONS),
}


def raised(kind: type[DibsError]) -> DibsError:
    """One of this class, with whatever it cannot do without."""
    needed = [
        name
        for name, one in inspect.signature(kind).parameters.items()
        if one.default is one.empty and one.kind is not one.VAR_KEYWORD
    ]
    return kind(**{name: ARGUMENTS[name] for name in needed})


def public() -> Iterator[type[DibsError]]:
    for name, found in sorted(vars(errors).items()):
        if isinstance(found, type) and issubclass(found, DibsError) and not name.startswith("_"):
            yield found


def test_codes_and_statuses(host: Make) -> None:
    """Every public error with its parent, its code, and what a host's view that raises it answers.

    Where the two codes differ, the cause is for who runs the service, not for its users.
    """
    app, known = host(), {kind.__name__: kind for kind in public()}

    @app.get("/raise/<name>")
    def fail(name: str) -> str:
        raise raised(known[name])

    client, lines = app.test_client(), []
    for name, kind in known.items():
        answer = client.get(f"/raise/{name}")
        sent = answer.get_json()["code"]
        after = answer.headers.get("Retry-After")
        lines.append(
            f"{name}({kind.__bases__[0].__name__}) {kind.code}: {answer.status_code} {sent}"
            + (f", after {after} s" if after else "")
        )
    pinned("errors", lines)


def test_what_http_itself_refuses(serve: Make) -> None:
    """The service gives each status of HTTP's own a code."""
    app = serve()

    @app.get("/abort/<int:status>")
    def refuse(status: int) -> str:
        abort(status)

    client = app.test_client()
    codes = {
        400: "malformed",
        404: "not_found",
        405: "method_not_allowed",
        408: "too_slow",
        413: "too_large",
        415: "unsupported_media_type",
        429: "rate_limited",
    }
    for status, code in codes.items():
        answer = client.get(f"/abort/{status}")
        assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_codes_in_the_docs() -> None:
    """All codes of errors and reasons: tests of docs/ hold the code to this page."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("|")]
    codes = [" ".join(cell.strip("| ") for cell in row[:-1]) for row in rows]
    pinned("codes", sorted(code for code in codes if "`" in code))


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("ab", 422, "invalid"), ("", 400, "empty"), ("admin", 409, "reserved"), ("ada", 409, "taken")],
)
def test_refusals_of_a_registration(serve: Make, name: str, status: int, code: str) -> None:
    """Through the service's own route."""
    client = serve(password="optional").test_client()
    client.post("/register", json={"username": "ada"})
    answer = client.post("/register", json={"username": name})
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_errors_cross_processes():
    """As those of a pool or of Celery hand them over: by pickle, or by their text alone."""
    for error in map(raised, public()):
        there = pickle.loads(pickle.dumps(error))
        assert (type(there), str(there), vars(there)) == (type(error), str(error), vars(error))
    assert str(InvalidName(str(InvalidName((Reason("invalid", "100%% sure."),))))) == "100% sure."
