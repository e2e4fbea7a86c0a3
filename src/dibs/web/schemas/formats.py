"""How the OpenAPI page has a name, a password and the token of a hold."""

from __future__ import annotations

from dibs.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from dibs.names import DEFAULT_POLICY

NAME_FORMAT = "dibs-username"
"""Names by all their rules, which no JSON Schema can say; `docs/names.md` does."""

NAME = {
    "minLength": 1,
    "maxLength": DEFAULT_POLICY.max_code_points,
    "format": NAME_FORMAT,
    "description": f"{DEFAULT_POLICY.min_length} to {DEFAULT_POLICY.max_length}"
    " characters as a reader counts them.",
    "examples": ["ada"],
}
PASSWORD = {
    "minLength": MIN_LENGTH,
    "maxLength": MAX_LENGTH,
    "format": "password",
    "examples": ["correct horse battery"],
}
HOLD_TOKEN = {"description": "That of a hold of this name; see `POST /holds`."}
