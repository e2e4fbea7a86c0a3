"""How bodies and queries are read: strictly, and every broken field is said at once."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from flask import Request
from marshmallow import Schema, ValidationError, fields
from webargs.flaskparser import FlaskParser

from dibs.errors import EmptyName
from dibs.web.http.bodies import BodyInvalid, broken, read_object

TEXT: dict[str, Any] = {"required": "required", "invalid": "not_text", "null": "not_text"}
NAMES: dict[str, Any] = {"required": "required", "invalid": "not_names", "null": "not_names"}
FLAG: dict[str, Any] = {"invalid": "not_a_boolean", "null": "not_a_boolean"}
NUMBER: dict[str, Any] = {"required": "required", "invalid": "not_a_number", "null": "not_a_number"}


class Body(Schema):
    """A body or query whose unknown fields are refused, not passed over."""

    error_messages = {"unknown": "unknown"}  # noqa: RUF012


class Flag(fields.Boolean):
    """`true` or `false`, and nothing that looks like it: `1`, `"yes"`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **options)


class Names(fields.List[Any]):
    """A list of strings; what is wrong with it is said once, and not of each string."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        del attr, data, options
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.make_error("invalid")
        return value


class Number(fields.Integer):
    """Digits, as everybody writes them; Python's own reading takes `1_0` and `\u0663` too."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # in JSON 14.0 is 14 (JSON Schema, section 6.1.1 of its validation)
        if not re.fullmatch("[0-9]{1,9}", str(value)):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **options)


class StrictParser(FlaskParser):
    """webargs' parser with a stricter reading of JSON."""

    DEFAULT_UNKNOWN_BY_LOCATION = {}  # noqa: RUF012  # the schema says: refuse

    def _raw_load_json(self, req: Request) -> Any:
        return read_object(req)

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body; a namespace in the query, which would be passed over, is refused as there.

        Raises:
            BodyInvalid: Names of another namespace may be meant, and users' would be taken.
        """
        body = super().load_json(req, schema)
        if "namespace" in req.args and "namespace" not in schema.fields:
            raise BodyInvalid([broken("namespace", "unknown")])
        return body

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The query; of two equal names it would not be clear which one is meant.

        Raises:
            BodyInvalid: A name stands there twice.
        """
        if twice := sorted(name for name, values in req.args.lists() if len(values) > 1):
            raise BodyInvalid([broken(name, "repeated") for name in twice])
        return super().load_querystring(req, schema)

    def handle_error(
        self, error: ValidationError, req: Request, schema: Schema, **options: Any
    ) -> NoReturn:
        del req, schema, options
        (found,) = dict(error.normalized_messages()).values()  # type: ignore[no-untyped-call]
        if found.get("username") == ["required"]:
            raise EmptyName from error
        raise BodyInvalid(
            [
                broken(field, codes[0] if isinstance(codes, list) else "not_text")
                for field, codes in sorted(found.items())
            ]
        ) from error
