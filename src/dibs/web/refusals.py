"""What the OpenAPI page says of limits and of who may ask, so that no view has to."""

from __future__ import annotations

from typing import Any

from apispec import BasePlugin

from dibs.web.base import CHALLENGE, CSRF, SCHEMES, USUAL
from dibs.web.checking import HOLD_TOKEN
from dibs.web.problems import CONTENT_TYPE

NOT_LIMITED = "Health"
"""The tag of routes that an orchestrator asks."""

WHOLE = {"schema": {"type": "integer"}}
FIELD = {"schema": {"type": "string"}}
DRAFT = "As in draft-ietf-httpapi-ratelimit-headers-11."
TOO_MANY = {
    "description": "Too many requests, or too many wrong passwords; see Retry-After.",
    "headers": {
        "Retry-After": {"description": "Seconds after which another try makes sense.", **WHOLE},
        "RateLimit": {"description": f"What is left. {DRAFT}", **FIELD},
        "RateLimit-Policy": {"description": f"What is allowed. {DRAFT}", **FIELD},
        "Content-Language": {"description": "The language of the answer.", **FIELD},
        "Vary": FIELD,
    },
    "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


class Refusals(BasePlugin):
    """Adds the 429 to each operation, so that no view has to."""

    def operation_helper(
        self,
        path: str | None = None,
        operations: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """See apispec."""
        del path, kwargs
        for operation in (operations or {}).values():
            if isinstance(operation, dict) and NOT_LIMITED not in operation.get("tags", ()):
                operation.setdefault("responses", {})["429"] = TOO_MANY


CHECKS = "Names"
"""The tag of routes for which DIBS_CHECK says who may ask."""

HOLD = {
    "in": "header",
    "name": HOLD_TOKEN,
    "description": "The token of a hold, instead of an access token.",
    **FIELD,
}


class Proofs(BasePlugin):
    """Adds to each check of names what DIBS_CHECK has it ask for.

    Args:
        mode: DIBS_CHECK.
    """

    def __init__(self, mode: str) -> None:
        self._mode = mode

    def operation_helper(
        self,
        path: str | None = None,
        operations: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """See apispec."""
        del path, kwargs
        if self._mode not in ("token", "staff"):
            return
        for method, operation in (operations or {}).items():
            if isinstance(operation, dict) and CHECKS in operation.get("tags", ()):
                self._add(method, operation)

    def _add(self, method: str, operation: dict[str, Any]) -> None:
        # A proof of another kind takes the place of every scheme that has a name here.
        operation["security"] = [*([{}] if self._mode == "token" else []), *SCHEMES]
        operation["responses"]["401"] = _refusal(401, CHALLENGE)
        operation["responses"]["403"] = _refusal(403, {})
        sent = operation.setdefault("parameters", [])
        if self._mode == "token":
            sent.append(HOLD)
        if method != "get":
            sent.append(CSRF)


def _refusal(status: int, headers: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": USUAL[status],
        "headers": {"Content-Language": FIELD, "Vary": FIELD, **headers},
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
