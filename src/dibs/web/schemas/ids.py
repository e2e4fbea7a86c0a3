"""Ids, and pages in the order of ids."""

from __future__ import annotations

import re

from marshmallow import ValidationError, fields, validate

from dibs.web.bodies import NUMBER, TEXT, Body, Number

MAX_PAGE = 100
ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def is_id(text: str) -> bool:
    """Whether it can be an id; what cannot is not asked for: a NUL is an error to PostgreSQL."""
    return re.fullmatch(ID, text) is not None


def id_in_path(name: str) -> dict[str, object]:
    """How the OpenAPI page has an id that is part of an address."""
    schema = {"type": "string", "format": "uuid", "pattern": f"^{ID}$"}
    return {"in": "path", "name": name, "required": True, "schema": schema}


def _refuse_other(text: str) -> None:
    # Not `Regexp`: what Python calls \\Z is `$` to everybody who reads the OpenAPI page.
    if not is_id(text):
        raise ValidationError("not_an_id")


class PageQuery(Body):
    """Which page: keyset pagination, so that inserts neither repeat nor hide a row."""

    limit = Number(
        load_default=50,
        error_messages=NUMBER,
        validate=validate.Range(1, MAX_PAGE, error="not_a_number"),
    )
    after = fields.String(
        load_default=None,
        error_messages=TEXT,
        validate=_refuse_other,
        metadata={"description": "The `next` of an earlier page.", "pattern": f"^{ID}$"},
    )
