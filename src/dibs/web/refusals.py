"""What the OpenAPI page says of limits: every limited route may answer 429."""

from __future__ import annotations

from typing import Any

from apispec import BasePlugin

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
